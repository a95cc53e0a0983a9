"""Which requests are answered by replicas of the database, and what is noted of those that change something.

Only reads of what people keep, by routes that write nothing. If a replica fails in the middle of one, or is asked to
write after all, it is answered by the primary from the beginning.
"""

import re
from typing import Final

from sqlalchemy.exc import DBAPIError
from starlette.requests import HTTPConnection

from app.core.logging import get_log
from app.core.redis_calls import RedisAway
from app.core.routing import SAFE_METHODS
from app.db.replicas import FAILURES, position_of, reads
from app.db.runtime import current
from app.db.session import LazySession

READ: Final = re.compile(
    r"/v1/vault/(vaults|items|documents|types|changes|links|relations|transfers)(/.*)?"
    r"|/v1/reminders(/[0-9a-f-]{36})?|/v1/notifications(/unread)?|/v1/jobs/[^/]+|/v1/rag/documents/.*"
)
SEARCHES: Final = frozenset({"/v1/vault/search", "/v1/rag/search"})
REPEATABLE: Final = "lifevault.repeatable"  # in the scope of a request that can be answered from the beginning again
READS: Final = "lifevault.reads"  # in the scope of a request that a replica may answer: its session

log = get_log(__name__)


def prepare(session: LazySession, request: HTTPConnection) -> None:
    """Let a replica answer, if there is one and the request only reads."""
    replicas = current().replicas
    if replicas is not None and is_read(request) and request.scope.get(REPEATABLE):
        session.may_read_from(replicas)
        request.scope[READS] = session


def is_read(request: HTTPConnection) -> bool:
    """Whether a request only reads what people keep."""
    path: str = request.scope["path"]
    method = request.scope.get("method", "")
    return (method == "GET" and READ.fullmatch(path) is not None) or (method == "POST" and path in SEARCHES)


async def note_change(session: LazySession, request: HTTPConnection) -> None:
    """Note, after the commit, that whoever asked has changed something: they read it from now on."""
    replicas = current().replicas
    if replicas is None or request.scope.get("method") in SAFE_METHODS or is_read(request):
        return
    actor = session.info.get("actor")
    if actor is None or actor.person is None:
        return
    try:
        await replicas.pins.pin(actor.setting, await position_of(current().engine))
    except (RedisAway, *FAILURES) as error:  # what was changed is changed
        log.warning("change not pinned", error=type(error).__name__)


def may_ask_again(request: HTTPConnection, error: Exception) -> bool:
    """Whether an error is that of a replica, so that the primary is to be asked from the beginning; once."""
    session: LazySession | None = request.scope.pop(READS, None)
    if session is None or not session.is_on_replica or not isinstance(error, DBAPIError | OSError):
        return False
    request.scope[REPEATABLE] = False
    reads.labels("failed").inc()
    log.warning("replica failed", error=type(error).__name__)
    return True
