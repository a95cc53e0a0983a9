"""`.env.example`: every setting with what it means and its default."""

from collections.abc import Iterator
from textwrap import wrap
from typing import Any, Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from app.core.config import Settings

HEAD: Final = (
    "# Settings of LifeVault, written by `lifevault export env`. Copy to .env and take away the # where you differ.\n"
)
WIDTH: Final = 110


def env_example() -> str:
    """The whole file."""
    return HEAD + "".join(f"\n{part}" for part in _parts())


def _parts() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        words = "".join(f"# {line}\n" for line in wrap(field.description or "", WIDTH))
        yield f"{words}#LIFEVAULT_{name.upper()}={_shown(field)}\n"


def _shown(field: FieldInfo) -> str:
    value: Any = field.get_default()
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
