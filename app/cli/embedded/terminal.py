"""What a person sees: calm lines that also read well without colours."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.embedded.errors import EmbeddedError, ServiceFailed
from app.cli.embedded.instance import Instance
from app.cli.embedded.processes import RunRecord
from app.core.config import Settings

SIGN_UP = """curl -X POST {url}/v1/auth/register -H 'Content-Type: application/json' \\
  -d '{{"email": "you@example.com", "password": "a long sentence of yours", "name": "Your Name"}}'"""


class Terminal:
    """Standard output for what matters, standard error for what went wrong."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._out = Console(highlight=False, soft_wrap=True)
        self._err = Console(highlight=False, soft_wrap=True, stderr=True)
        self._verbose = verbose

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A line for a piece of work, with the seconds it took."""
        started = time.monotonic()
        with self._out.status(Text(f"{title} …")):
            yield
        self._out.print(Text.assemble(("  ✓ ", "green"), title, (f"  {time.monotonic() - started:.1f} s", "dim")))

    def note(self, text: str) -> None:
        """A plain sentence."""
        self._out.print(Text(text))

    def echo(self, name: str, chunk: bytes) -> None:
        """What a service wrote, if that was asked for."""
        if self._verbose:
            for line in chunk.decode(errors="replace").splitlines():
                self._out.print(Text.assemble((f"{name:>10} │ ", "dim"), line))

    def show_ready(self, instance: Instance, *, is_first_start: bool) -> None:
        """Everything works: where to go from here."""
        self._out.print()
        self._out.print(Text.assemble(("LifeVault is ready at ", "bold"), (instance.url, "bold cyan")))
        lines = {
            "API reference": f"{instance.url}/docs",
            "Sent mail": instance.mailbox_url,
            "Payments": f"{instance.simulator_url} (simulated, no money moves)" if instance.simulator_url else "",
            "Data": f"{instance.folder}",
            "Stop": "Ctrl-C, or `lifevault stop`",
        }
        self._show_pairs({name: value for name, value in lines.items() if value})
        if is_first_start:
            keys = instance.folder / "secrets.json"
            self._out.print(Text(f"\nThe keys to your data are in {keys}: a backup needs both."))
            self._out.print(Text("\nSign up:"))
            self._out.print(Text(SIGN_UP.format(url=instance.url), "cyan"))
        self._out.print()

    def show_running(self, folder: Path, record: RunRecord) -> None:
        """A second `up`: nothing to do."""
        self._out.print(Text.assemble(("LifeVault is already running at ", "bold"), (record.url, "bold cyan")))
        self._show_pairs({"Data": str(folder), "Process": str(record.supervisor.pid), "Stop": "lifevault stop"})

    def show_status(self, folder: Path, record: RunRecord | None) -> None:
        """Is it running, where, and with which processes?"""
        if record is None:
            self.note(f"LifeVault is not running in {folder}.")
            return
        state = "is running at " if record.ready else "is starting at "
        self._out.print(Text.assemble((f"LifeVault {state}", "bold"), (record.url, "bold cyan")))
        self._show_pairs({"Data": str(folder)} | ({"Sent mail": record.mailbox_url} if record.mailbox_url else {}))
        table = Table(box=None, padding=(0, 2))
        for column in ("process", "id", "state", "MB", "up for"):
            table.add_column(column, justify="left" if column in ("process", "state") else "right", header_style="dim")
        for mark in (record.supervisor, *record.children):
            process = mark.find()
            memory = f"{process.memory_info().rss / 1e6:.0f}" if process else ""
            age = _duration(time.time() - mark.created) if process else ""
            table.add_row(mark.name, str(mark.pid), "runs" if process else "restarting", memory, age)
        self._out.print(table)

    def show_failure(self, error: EmbeddedError) -> None:
        """Why it didn't start, with the last lines of the log."""
        self._err.print(Text.assemble(("LifeVault can't run: ", "bold red"), str(error)))
        if isinstance(error, ServiceFailed) and error.log:
            self._err.print(Text("\n".join(f"  │ {line}" for line in error.log.splitlines()), "dim"))

    def show_problems(self, problems: list[str]) -> None:
        """Everything that is wrong with the settings."""
        self._err.print(Text("The settings have these problems:", "bold red"))
        for problem in problems:
            self._err.print(Text(f"  • {problem}"))

    def show_settings(self, settings: Settings) -> None:
        """Every setting with where it comes from; secrets are masked."""
        table = Table(box=None, padding=(0, 2))
        for column in ("setting", "value", "from"):
            table.add_column(column, header_style="dim", overflow="fold")
        for name in type(settings).model_fields:
            origin = "environment" if name in settings.model_fields_set else "default"
            value = Text(_shown(getattr(settings, name)), "" if origin == "environment" else "dim")
            table.add_row(f"LIFEVAULT_{name.upper()}", value, origin)
        self._out.print(table, soft_wrap=False)
        self._out.print(Text("No problems found.", "green"))

    def _show_pairs(self, pairs: dict[str, str]) -> None:
        for name, value in pairs.items():
            self._out.print(Text.assemble((f"  {name:<14}", "dim"), value))


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "••••••" if value.get_secret_value() else "(not set)"
    if value in ("", None, ()):
        return "(not set)"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _duration(seconds: float) -> str:
    minutes = int(seconds) // 60
    hours, days = minutes // 60, minutes // 1440
    return f"{days} d {hours % 24} h" if days else f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
