"""Units and shapes of settings."""

from typing import Annotated

from pydantic_settings import NoDecode

KIB = 1024
MIB = 1024 * KIB

CommaSeparated = Annotated[tuple[str, ...], NoDecode]
