"""Errors of this face, and the form in which its clients expect every error."""

from collections.abc import Mapping
from typing import Any, Final

from app.api.faces import FACES, Face
from app.core.errors import Conflict, NotFound, Unavailable, Unprocessable
from app.core.schemas import ResponseModel

PREFIX: Final = "/openai/"
KINDS: Final = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class OpenAIFault(ResponseModel):
    """What went wrong: `code` is stable, `param` is the field that it is about."""

    message: str
    type: str
    param: str | None
    code: str


class OpenAIError(ResponseModel):
    """An error as clients of OpenAI read it."""

    error: OpenAIFault


class ModelNotFound(NotFound):
    """No such agent, or somebody else's."""

    title = "There is no such model"


class ResponseNotFound(NotFound):
    """No such response, or somebody else's, or one that was not kept."""

    title = "There is no such response"


class RunFailed(Unprocessable):
    """The agent did not come to an answer; `detail` says why."""

    title = "The agent did not come to an answer"


class EmbedderMissing(Unavailable):
    """No embedder is installed or configured, or it does not answer."""

    title = "There is no embedder at the moment"


class WrongDimensions(Unprocessable):
    """Vectors have one length here."""

    title = "Vectors of this length are not offered"


class FileElsewhere(Conflict):
    """The document lies in another vault: a vault is chosen by the upload."""

    title = "This file is in another vault: upload it with this vault_id"


class VaultNeeded(Unprocessable):
    """The person has several vaults, or none that they may write to."""

    title = "Say in which vault to put the file"


def shape(problem: Mapping[str, Any]) -> dict[str, Any]:
    """A problem in OpenAI's form."""
    status, fields = problem["status"], problem.get("errors") or []
    kind = KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    place = [str(part) for part in fields[0]["loc"] if part != "body"] if fields else []
    text = problem.get("detail") or problem["title"]
    message = f"{text}: {fields[0]['msg']}" if fields else text
    code = problem["code"].replace("-", "_")
    return {"error": {"message": message, "type": kind, "param": ".".join(place) or None, "code": code}}


FACES.append(Face(PREFIX, shape, OpenAIError, {422: 400}))
