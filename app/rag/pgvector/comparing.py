"""Vectors compared in the database: each of the documents in scope, exactly, as in memory up to half precision."""

from typing import Final
from uuid import UUID

import numpy as np
import orjson
from sqlalchemy import ARRAY, Text, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.rag.asked import NOWHERE, Asked, Products
from app.rag.pgvector.table import SCHEMA, TABLE
from app.rag.shelf import Floats32, Shelf

# One row a document; each of its vectors is its number and two products, unordered, as sorting costs more than that.
_COMPARE: Final = text(
    f"""SELECT v.revision, string_agg(
        int4send(v.number)
        || float4send({SCHEMA}.product(v.vector, (SELECT {SCHEMA}.as_vector(:question))))
        || float4send({SCHEMA}.product(v.vector, (SELECT {SCHEMA}.as_vector(:residual)))), '')
    FROM {TABLE} v WHERE v.revision = ANY(:revisions) GROUP BY v.revision"""  # noqa: S608  names of ours
).bindparams(
    bindparam("question", type_=Text), bindparam("residual", type_=Text), bindparam("revisions", type_=ARRAY(Uuid))
)
_ENTRY: Final = np.dtype([("number", ">i4"), ("products", ">f4", 2)])


async def compare(session: AsyncSession, asked: Asked | None) -> Products:
    """The products of the shelves that are bare. A vector that is gone since they were opened has none (NaN)."""
    bare = [shelf for shelf in asked.scope.shelves if shelf.is_bare and asked.compares(shelf)] if asked else []
    if asked is None or asked.queries is None or not bare:
        return NOWHERE
    question, residual = (orjson.dumps(query, option=orjson.OPT_SERIALIZE_NUMPY).decode() for query in asked.queries)
    revisions = [UUID(bytes=revision) for shelf in bare for revision in shelf.revisions]
    rows = await session.execute(_COMPARE, {"question": question, "residual": residual, "revisions": revisions})
    found = {revision.bytes: np.frombuffer(products, _ENTRY) for revision, products in rows.all()}
    compared: dict[Shelf, Floats32] = {}
    for shelf in bare:
        products = np.full((len(asked.queries), shelf.rows), np.nan, np.float32)
        for revision, begin in zip(shelf.revisions, shelf.vectors_at.tolist(), strict=True):
            if revision in found:
                entries = found[revision]
                products[:, begin + entries["number"]] = entries["products"].T
        compared[shelf] = products
    return compared
