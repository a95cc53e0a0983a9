"""Which files of the blob store some row names: the others are left behind by a crash and are swept away.

Packages above that keep files there say so by `names_blobs`.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import TypeAlias

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.vault.models import document_versions

Question: TypeAlias = Callable[[AsyncSession, Collection[str]], Awaitable[set[str]]]

_questions: list[Question] = []


def names_blobs(question: Question) -> Question:
    """Register a function that tells which of some names stand in rows of a package; it is asked as the system."""
    _questions.append(question)
    return question


@names_blobs
async def of_documents(session: AsyncSession, names: Collection[str]) -> set[str]:
    """Those that versions of documents name."""
    statement = select(document_versions.c.blob_name).where(document_versions.c.blob_name.in_(names))
    return set(await session.scalars(statement))


async def named_blobs(session: AsyncSession, names: Collection[str]) -> set[str]:
    """Those that any package names."""
    return {name for question in _questions for name in await question(session, names)}
