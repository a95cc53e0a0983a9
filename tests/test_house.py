"""The house as STYLE keeps it: what can be checked is checked."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import tasks
from app.core.config import Settings
from app.core.errors import AppError
from app.core.tasks import TASKS
from tests import ROOT

TOP_LEVEL = {
    "Dockerfile",
    "LICENSE",
    "README.md",
    "alembic",
    "alembic.ini",
    "app",
    "docker-compose.yml",
    "pyproject.toml",
    "requirements.lock",
    "tests",
}
MOST_LINES = 320


def modules() -> list[Path]:
    return sorted((ROOT / "app").rglob("*.py"))


def test_the_top_level_holds_what_it_should():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = {line.partition("/")[0] for line in tracked.splitlines()}

    assert {name for name in names if not name.startswith(".")} == TOP_LEVEL


def test_every_setting_is_described():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_short_and_says_what_it_is(path: Path):
    text = path.read_text()
    tree = ast.parse(text)

    assert len(text.splitlines()) <= MOST_LINES
    assert not text.strip() or ast.get_docstring(tree) or path.name == "__init__.py"
    assert list(undocumented(tree)) == []


def undocumented(tree: ast.Module) -> Iterator[str]:
    """Public functions and classes at the top of a module without a docstring."""
    for node in tree.body:
        definition = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if definition and not node.name.startswith("_") and not ast.get_docstring(node) and not is_overload(node):
            yield node.name


def is_overload(node: ast.stmt) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "overload" for each in getattr(node, "decorator_list", []))


def test_every_event_that_is_listened_to_is_emitted_somewhere():
    assert tasks.__all__
    sources = "".join(path.read_text() for path in modules())
    events = {task.on for task in TASKS.values() if task.on}

    assert {event for event in events if f'"{event}"' not in sources.replace(f'on="{event}"', "")} == set()


def test_codes_of_errors_are_unique():
    def descendants(kind: type[AppError]) -> Iterator[type[AppError]]:
        for child in kind.__subclasses__():
            yield child
            yield from descendants(child)

    codes: dict[str, type[AppError]] = {}
    for kind in descendants(AppError):
        assert codes.setdefault(kind.code(), kind) is kind
