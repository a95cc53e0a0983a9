"""Which rows of reading serve a published index, as conditions of statements."""

from sqlalchemy import exists, or_

from app.rag.models import FIELDS, PAGE, Artifact, ShardRow
from app.rag.pipelines import FIELDS_PIPELINE, PIPELINE

CONTENTS = 0
"""The ordinal, below that of the first page, of a sheet that tells about all pages."""

IS_PAGE = (Artifact.stage == PAGE) & (Artifact.pipeline == ShardRow.pipeline)
IS_FIELDS = (Artifact.stage == FIELDS) & (Artifact.pipeline == FIELDS_PIPELINE) & (ShardRow.pipeline == PIPELINE)
SERVES = exists().where(ShardRow.id == Artifact.version_id, or_(IS_PAGE, IS_FIELDS)).correlate(Artifact)
"""Whether a row is a page that a published index refers to, or the fields of one."""
HAS_FIELDS = (
    exists().where(Artifact.version_id == ShardRow.id, Artifact.ordinal == CONTENTS, IS_FIELDS).correlate(ShardRow)
)
"""Whether a document of the published index has been gone through for fields."""
