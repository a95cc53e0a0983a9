"""`lifevault demo`: a sample family, its documents, and three questions, through the API of a running LifeVault."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

import typer

from app.cli.options import DataOption, data_folder

if TYPE_CHECKING:
    import httpx
    from rich.console import Console

PATIENCE_SECONDS = 300
SAMPLES = "app.rag.samples"


def demo(data: DataOption = None) -> None:
    """Make a sample family in a running LifeVault and ask three questions about its documents."""
    import httpx  # noqa: PLC0415  keeps `--help` quick
    from rich.console import Console  # noqa: PLC0415

    from app.cli.embedded.running import running_instance  # noqa: PLC0415

    console = Console(highlight=False)
    instance = running_instance(data_folder(data))
    if instance is None or not instance.ready:
        typer.echo("LifeVault is not running: start it with `lifevault up` in another terminal.", err=True)
        raise typer.Exit(1)
    try:
        with httpx.Client(base_url=instance.url, timeout=60) as client:
            _run(client, console)
    except httpx.HTTPError as error:
        typer.echo(f"The demo stopped: {_reason(error)}", err=True)
        raise typer.Exit(1) from None


def _reason(error: "httpx.HTTPError") -> str:
    response = getattr(error, "response", None)
    if response is None:
        return type(error).__name__
    return str(response.json().get("title", response.status_code))


def _run(client: "httpx.Client", console: "Console") -> None:
    account = _sign_up(client)
    vault = {"name": "The Marlows' papers", "kind": "family", "tier": "assisted"}
    vault_id = client.post("/v1/vault/vaults", json=vault).raise_for_status().json()["id"]
    console.print(f"Signed up [cyan]{account['email']}[/] with the password [cyan]{account['password']}[/].\n")
    sample = json.loads(files(SAMPLES).joinpath("sample.json").read_text())
    with _bars(console) as bar:
        jobs = [_upload(client, vault_id, files(SAMPLES).joinpath(name), bar) for name in sample["documents"]]
        _follow(client, jobs)
    for question in sample["questions"]:
        _ask(client, console, question)


def _sign_up(client: "httpx.Client") -> dict[str, str]:
    account = {
        "email": f"demo-{secrets.token_hex(4)}@family.example",
        "password": secrets.token_urlsafe(12),
        "name": "Nora Marlow",
    }
    client.post("/v1/auth/register", json=account).raise_for_status()
    form = {"username": account["email"], "password": account["password"]}
    token = client.post("/v1/auth/token", data=form).raise_for_status().json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return account


@contextmanager
def _bars(console: "Console") -> Iterator[Any]:
    """A function that adds a bar and returns what moves it."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[step]}"))
    with Progress(*columns, console=console) as progress:

        def add(name: str) -> Any:
            task_id = progress.add_task(name, total=1.0, step="waiting")
            return lambda done, step: progress.update(task_id, completed=done, step=step)

        yield add
    console.print()


def _upload(client: "httpx.Client", vault_id: str, file: Traversable, bar: Any) -> tuple[str, Any]:
    content = {"file": (file.name, file.read_bytes())}
    document = client.post("/v1/vault/documents", data={"vault_id": vault_id}, files=content).raise_for_status().json()
    return document["job_id"], bar(file.name)


def _follow(client: "httpx.Client", jobs: list[tuple[str, Any]]) -> None:
    """Move the bars until every document is read."""
    until = time.monotonic() + PATIENCE_SECONDS
    waiting = list(jobs)
    while waiting and time.monotonic() < until:
        for job_id, move in list(waiting):
            job = client.get(f"/v1/jobs/{job_id}").raise_for_status().json()
            move(job["progress"], job["error_detail"] or job["step"])
            if job["state"] in ("succeeded", "failed"):
                waiting.remove((job_id, move))
        time.sleep(0.2)


def _ask(client: "httpx.Client", console: "Console", question: str) -> None:
    from rich.text import Text  # noqa: PLC0415

    answer = client.post("/v1/rag/ask", json={"question": question}).raise_for_status().json()
    console.print(Text(f"? {question}", "bold"))
    console.print(Text(answer["answer"]))
    for number, citation in enumerate(answer["citations"], 1):
        place = f"{citation['title']}, page {citation['page']}, characters {citation['start']} to {citation['end']}"
        console.print(Text(f"  [{number}] {place}", "dim"))
    console.print()
