"""The OpenAPI document: stable operation ids, and the errors that every operation shares."""

from collections.abc import Sequence
from threading import Lock
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from app.api import idempotency
from app.api.faces import FACES, face_of
from app.api.generators import suit_generators
from app.api.limits import BodyTooLarge
from app.api.problems import COMMON, SIGNED_IN, Problem, problems
from app.auth.errors import SessionNeeded
from app.core.errors import AppError, Forbidden
from app.core.schemas import ResponseModel

TAGS = [
    {"name": "auth", "description": "Accounts, sign-in and sessions."},
    {"name": "vault", "description": "Vaults, members, records and documents."},
    {"name": "nominees", "description": "Legacy: who gets what, when its owner can't give it any more."},
    {"name": "rag", "description": "Search in your documents, and questions answered with exact citations."},
    {"name": "reminders", "description": "What is due, when you are told of it, and a calendar feed."},
    {"name": "agents", "description": "Assistants that answer from your papers, and act only when you approve."},
    {"name": "openai", "description": "What clients of OpenAI speak: agents as models, vaults as stores of documents."},
    {"name": "payments", "description": "Plans, seats, usage, credits, checkout, invoices and receipts."},
    {"name": "notifications", "description": "What you were told, how you want to be told, and your browsers."},
    {"name": "audit", "description": "Who did what: logs that show when they are changed."},
    {"name": "events", "description": "What changes, told at once: as server-sent events, or as a WebSocket."},
    {"name": "jobs", "description": "Progress of background work."},
    {"name": "health", "description": "Whether the service is well."},
]
DESCRIPTION = """Encrypted vaults for the papers of a family's life.

Register, *Authorize* with your e-mail address and password, create a vault, upload a document, follow its job, and ask.
Every error is a problem (RFC 9457): `type` and `code` are stable, nothing that you sent is repeated.
"""


ACCOUNT = "OAuth2PasswordBearer"
API_KEY = "ApiKey"
API_KEY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "lv_<prefix>_<secret>",
    "description": "An API key of `POST /v1/auth/api-keys`, for programs.",
}


def event_stream(**events: dict[str, Any]) -> dict[str, Any]:
    """The `content` of an answer that is server-sent events, from the schema of the data of each kind of event.

    OpenAPI 3.1 has no word for the items of a stream: as is usual, the schema describes one event.
    """
    kinds = [
        {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "event": {"const": name},
                "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": data},
            },
            "required": ["event", "data"],
        }
        for name, data in events.items()
    ]
    return {"text/event-stream": {"schema": {"oneOf": kinds}}}


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` return the whole document; it is made once, whichever thread asks first."""
    making = Lock()

    def openapi() -> dict[str, Any]:
        with making:
            if not app.openapi_schema:
                app.openapi_schema = _document(app)
            return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    routes = app.state.rooms.all_routes()
    document = get_openapi(
        title=app.title, version=app.version, description=DESCRIPTION, routes=routes, tags=TAGS, summary=app.summary
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    errors: list[type[ResponseModel]] = [Problem, *(face.model for face in FACES)]
    for model in errors:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    document["components"].setdefault("securitySchemes", {})[API_KEY] = API_KEY_SCHEME
    for path in document["paths"].values():
        for operation in path.values():
            _complete(operation)
            _offer_api_key(operation)
    _offer_idempotency(routes, document)
    for name, path in document["paths"].items():
        if face := face_of(name):
            for operation in path.values():
                face.describe(operation)
    _name_bounds(document)
    suit_generators(document)
    return document


def _name_bounds(part: Any) -> None:
    """Say the bounds of numbers in the words of JSON Schema: pydantic leaves them as they are behind a validator."""
    if isinstance(part, dict):
        for ours, word in (("ge", "minimum"), ("le", "maximum")):
            if isinstance(part.get(ours), int | float):
                part[word] = part.pop(ours)
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    for each in list(inner):
        _name_bounds(each)


def _offer_idempotency(routes: Sequence[BaseRoute], document: dict[str, Any]) -> None:
    """Describe the header where an endpoint honours it."""
    for route in routes:
        required = getattr(getattr(route, "endpoint", None), "idempotency_required", None)
        if required is not None and isinstance(route, APIRoute):
            for method in route.methods or ():
                idempotency.document(document["paths"][route.path_format][method.lower()], required=required)


def _offer_api_key(operation: dict[str, Any]) -> None:
    """Name the second way to sign in, unless the operation wants the person, or somebody without an account."""
    by_account = any(ACCOUNT in each for each in operation.get("security", []))
    if by_account and SessionNeeded.code() not in str(operation["responses"]["403"]):
        scopes = [name for each in operation["security"] for names in each.values() for name in names]
        operation["security"].append({API_KEY: scopes})


def _complete(operation: dict[str, Any]) -> None:
    shared: list[type[AppError]] = [*COMMON]
    if "requestBody" in operation:
        shared.append(BodyTooLarge)
    if operation.get("security"):
        shared += [*SIGNED_IN, Forbidden]
    for status, response in problems(*shared).items():
        known = operation["responses"].get(str(status))
        documented = {key: value for key, value in response.items() if key != "model"}
        if known is None or "HTTPValidationError" in str(known):
            operation["responses"][str(status)] = documented
        else:
            _merge(known, documented)
    for response in operation["responses"].values():
        content = response.get("content", {})
        if "application/problem+json" in content and "Problem" in str(content.get("application/json", "")):
            del content["application/json"]


def _merge(known: dict[str, Any], shared: dict[str, Any]) -> None:
    """Add the shared errors of a status to those that the route documents itself."""
    for media_type, content in shared["content"].items():
        own = known.setdefault("content", {}).setdefault(media_type, content)
        own["examples"] = {**content["examples"], **own.get("examples", {})}
