"""Reading an import into its vault: the job, and what becomes of the file at its end."""

import asyncio
import io
from typing import Any, BinaryIO, Final, cast

from sqlalchemy import select

from app.audit import service as audit
from app.core.blobs import BlobMissing
from app.core.crypto import SealBroken
from app.core.streams import SealedReader
from app.db.keys import KeysDestroyed
from app.db.runtime import current
from app.jobs.errors import JobFailed
from app.jobs.service import JobRun
from app.vault.cells import ring_of
from app.vault.errors import LimitReached, RoleTooLow, VaultNotFound
from app.vault.importing.entries import ImportProblem
from app.vault.importing.opening import parse
from app.vault.models.files import imports
from app.vault.service.import_pass import Importing, limits_of, person_of
from app.vault.service.imports import Source, end_import, opened_source

PIECE_BYTES: Final = 256 * 1024
DAMAGED: Final = ImportProblem("damaged", "What is stored of the file is damaged. Send it again.")


async def run_import(run: JobRun) -> None:
    """Put what the file holds into the vault; at the end, also a bad one, the file is destroyed. Raises `JobFailed`."""
    async with run.scope() as session:
        row = (await session.execute(select(imports).where(imports.c.id == run.subject_id))).mappings().one_or_none()
        if row is None or row["blob_name"] is None:
            raise JobFailed("file-gone", "The file was destroyed before it was read. Send it again.")
        source = opened_source(await ring_of(session, row["vault_id"], row["body"]), row)
    reader = _reader(source)
    try:
        parsed = await asyncio.to_thread(parse, reader, source.asked, limits_of(current().settings))
        await Importing(run, row, parsed, reader).all()
    except (SealBroken, BlobMissing):
        await _give_up(run, row, DAMAGED)
    except ImportProblem as problem:
        await _give_up(run, row, problem)
    except LimitReached:
        await _give_up(run, row, ImportProblem("limit-reached", "The vault has as many record types as it may."))
    except (VaultNotFound, RoleTooLow, KeysDestroyed):
        await _give_up(run, row, ImportProblem("not-allowed", "You may not write to this vault any more."))
    async with run.scope() as session:
        await end_import(session, row)
        ids: dict[str, str | int] = {"format": parsed.format, "entries": len(parsed.entries)}
        await audit.record(session, person_of(row), row["vault_id"], "vault.import_finished", row["id"], **ids)
        await run.finish(session)


def _reader(source: Source) -> BinaryIO:
    def fetch(start: int, end: int) -> bytes:
        return current().blobs.get_now(source.blob_name, start, end)

    return cast(BinaryIO, io.BufferedReader(SealedReader(source.file, fetch), PIECE_BYTES))


async def _give_up(run: JobRun, row: Any, problem: ImportProblem) -> None:
    """Raises `JobFailed`."""
    async with run.scope() as session:
        await end_import(session, row)
    raise JobFailed(problem.code, problem.message)
