"""Statements that are the same on every request: compiled once, run on the connection of the session's transaction.

What a session does for any statement (find out what it is, look up its compiled form, switch to a greenlet and back,
wrap the rows) costs several times what the driver does. The transaction, its principal and its errors stay the same.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import BindParameter, Dialect
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import SelectBase

from app.db.driver import ERRORS, as_database_error
from app.db.session import transaction_of
from app.db.slow import slow_log

Row: TypeAlias = Mapping[str, Any]
Processor: TypeAlias = Callable[[Any], Any]

_DIALECT: Dialect = dialect()  # type: ignore[no-untyped-call]
_PARAMETER = re.compile(r"\$(\d+)")


@dataclass(frozen=True, slots=True)
class Compiled:
    """What the driver is given, and what is done with its rows."""

    sql: str
    required: frozenset[str]
    constants: Mapping[str, Any]
    arguments: Sequence[tuple[str, Processor | None]]
    results: Sequence[Processor | None] | None

    def filled(self, values: Mapping[str, Any]) -> list[Any]:
        """The arguments in their order. Raises `TypeError` for other names than those of the statement."""
        if values.keys() != self.required:
            raise TypeError(f"the statement takes {sorted(self.required)}")
        known = {**self.constants, **values}
        return [known[name] if process is None else process(known[name]) for name, process in self.arguments]


class Statement:
    """A constant SELECT, INSERT, UPDATE or DELETE whose values are all named parameters (`bindparam`)."""

    def __init__(self, statement: SelectBase | UpdateBase) -> None:
        self._statement = statement

    @cached_property
    def _compiled(self) -> Compiled:
        return _compile(self._statement)

    async def fetch(self, session: AsyncSession, **values: Any) -> Sequence[Row]:
        """All rows. The session begins its transaction if it has not. Raises `DBAPIError`, `IntegrityError`."""
        compiled = self._compiled
        arguments = compiled.filled(values)
        driver = await transaction_of(session).driver()
        started = time.perf_counter()
        try:
            rows: Sequence[Row] = await driver.fetch(compiled.sql, *arguments)
        except ERRORS as error:
            raise as_database_error(error) from error
        finally:
            slow_log.note(compiled.sql, started)
        results = compiled.results
        return rows if results is None else [_read(row, results) for row in rows]

    async def first(self, session: AsyncSession, **values: Any) -> Row | None:
        """The first row, if there is any; like `fetch`."""
        rows = await self.fetch(session, **values)
        return rows[0] if rows else None

    async def scalar(self, session: AsyncSession, **values: Any) -> Any:
        """The first column of the first row, or None; like `fetch`."""
        row = await self.first(session, **values)
        return None if row is None else next(iter(row.values()))

    def with_ids(self, **ids: UUID) -> str:
        """The statement with its parameters written into it, for `enter`: ids only, as nothing is escaped."""
        arguments = [str(UUID(int=value.int)) for value in self._compiled.filled(ids)]
        return _PARAMETER.sub(lambda match: f"'{arguments[int(match[1]) - 1]}'", self._compiled.sql)


def _compile(statement: SelectBase | UpdateBase) -> Compiled:
    required = set[str]()

    def without_value(bind: BindParameter[Any]) -> None:
        if bind.required:
            required.add(bind.key)
            bind.required = False

    settled = visitors.cloned_traverse(statement, {}, {"bindparam": without_value})
    compiled = settled.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    assert isinstance(compiled, SQLCompiler)  # noqa: S101
    constants = {name: value for name, value in compiled.params.items() if name not in required}
    arguments = [(name, _to_database(compiled, name)) for name in compiled.positiontup or []]
    results = [column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, None) for column in _columns(statement)]
    return Compiled(compiled.string, frozenset(required), constants, arguments, results if any(results) else None)


def _read(row: Row, processors: Sequence[Processor | None]) -> Row:
    pairs = zip(row.items(), processors, strict=True)
    return {name: value if process is None else process(value) for (name, value), process in pairs}


def _to_database(compiled: SQLCompiler, name: str) -> Processor | None:
    bind = compiled.binds.get(name)  # none for the elements of a list: they are as they are
    return bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT) if bind is not None else None


def _columns(statement: SelectBase | UpdateBase) -> Sequence[Any]:
    return list(statement.exported_columns)
