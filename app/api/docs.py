"""`/docs`, `/redoc` and the document that they show, without any other host.

The pages' files come from the installed package fastapi-offline.
"""

import asyncio
import hashlib
from functools import cache, lru_cache
from importlib.resources import files

import orjson
from fastapi import FastAPI, Request
from starlette.responses import Response

from app.api.conditional import IfNoneMatch
from app.api.routes import Router
from app.core.errors import NotFound
from app.core.etags import etag, matches

FILES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "redoc.standalone.js": "text/javascript",
    "favicon.png": "image/png",
}
REDOC_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
)
SWAGGER_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>LifeVault API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="docs/files/favicon.png"><link rel="stylesheet" href="docs/files/swagger-ui.css"></head>
<body><div id="swagger-ui"></div><script src="docs/files/swagger-ui-bundle.js"></script>
<script src="docs/files/start.js"></script></body></html>"""
SWAGGER_START = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, persistAuthorization: false, filter: true,
  displayRequestDuration: true, tryItOutEnabled: true, validatorUrl: null,
  docExpansion: "none", defaultModelsExpandDepth: 0,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset], layout: "BaseLayout"
});"""
REDOC_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>LifeVault API reference</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="docs/files/favicon.png"></head>
<body><redoc spec-url="openapi.json" disable-google-font="true"></redoc>
<script src="docs/files/redoc.standalone.js"></script></body></html>"""

router = Router(include_in_schema=False)


class FileNotFoundHere(NotFound):
    """Not one of the files of the documentation pages."""


@router.get("/docs")
async def swagger() -> Response:
    """Show the API to try it out."""
    return _page(SWAGGER_PAGE)


@router.get("/redoc")
async def redoc() -> Response:
    """Show the API to read it."""
    return _page(REDOC_PAGE)


@router.get("/openapi.json")
async def document(request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """Serve the OpenAPI document. To make it takes seconds, so nobody else waits for the first who asks."""
    content, tag = await asyncio.to_thread(_document, request.app, request.scope.get("root_path", "").rstrip("/"))
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if if_none_match is not None and matches(if_none_match, tag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


@router.get("/docs/files/{name}")
async def file(name: str) -> Response:
    """Serve one of the pages' files."""
    if name == "start.js":
        return _file(SWAGGER_START.encode(), "text/javascript")
    if name not in FILES:
        raise FileNotFoundHere
    return _file(_content(name), FILES[name])


@lru_cache(maxsize=4)
def _document(app: FastAPI, root_path: str) -> tuple[bytes, str]:
    """The document and its tag."""
    servers = {"servers": [{"url": root_path}]} if root_path else {}  # where it is mounted, as FastAPI says it
    content = orjson.dumps(app.openapi() | servers)
    return content, etag(hashlib.sha256(content).hexdigest()[:32])


@cache
def _content(name: str) -> bytes:
    content = files("fastapi_offline").joinpath("static", name).read_bytes()
    return content.replace(REDOC_LOGO, b"docs/files/favicon.png")


def _page(html: str) -> Response:
    return Response(html, media_type="text/html", headers={"Content-Security-Policy": POLICY})


def _file(content: bytes, media_type: str) -> Response:
    return Response(content, media_type=media_type, headers={"Cache-Control": "public, max-age=86400"})
