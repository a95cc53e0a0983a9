"""Everything around the database: Redis, files, mail, the disk, tesseract, and services behind the gateway."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from app.cli.checking.finding import Finding
from app.core.config import Settings
from app.core.routing import TableError
from app.db.runtime import current
from app.notifications import gateway as mail

LEAST_FREE_BYTES: Final = 1024**3
LEAST_FREE_SHARE: Final = 0.05
PROBE: Final = "doctor/"


async def check_redis() -> list[Finding]:
    """Whether Redis answers, and keeps what is queued."""
    redis = current().redis
    if redis is None:
        return [Finding("redis", "failed", "LIFEVAULT_REDIS_URL is not set")]
    server, memory = await redis.info("server"), await redis.info("memory")
    policy, version = memory.get("maxmemory_policy", "unknown"), server.get("redis_version", "?")
    if policy not in ("noeviction", "unknown"):
        return [Finding("redis", "warning", f"version {version}; maxmemory-policy {policy} may drop the queue")]
    persistence = await redis.info("persistence")
    if not persistence.get("aof_enabled"):
        return [Finding("redis", "warning", f"version {version}; without appendonly jobs start again after a crash")]
    return [Finding("redis", "ok", f"version {version}")]


async def check_blobs() -> list[Finding]:
    """Whether a blob can be written, read and deleted."""
    blobs, name, content = current().blobs, PROBE + os.urandom(16).hex(), os.urandom(64)

    async def parts() -> AsyncIterator[bytes]:
        yield content

    await blobs.put(name, parts())
    try:
        same = await blobs.get(name, 0, len(content)) == content
    finally:
        await blobs.delete(name)
    return [Finding("blobs", "ok" if same else "failed", "written, read and deleted" if same else "read back wrong")]


async def check_mail(settings: Settings) -> list[Finding]:
    """Whether the mail server lets us in."""
    if not settings.smtp_url.get_secret_value():
        detail = "LIFEVAULT_SMTP_URL is not set: nobody gets e-mail"
        return [Finding("smtp", "failed" if settings.environment == "production" else "warning", detail)]
    try:
        await mail.check(settings)
    except mail.MailDelayed as error:
        return [Finding("smtp", "failed", f"no way in: {error}")]
    return [Finding("smtp", "ok", "connected and signed in")]


async def check_disk(settings: Settings) -> list[Finding]:
    """Whether there is room where files and databases grow."""
    blobs = urlsplit(settings.blob_url)
    folders = {"temporary files": Path(tempfile.gettempdir())}
    if settings.data_dir:
        folders["data"] = settings.data_dir
    if blobs.scheme == "file":
        folders["blobs"] = Path(unquote(blobs.path))
    findings = []
    for name, folder in folders.items():
        usage = shutil.disk_usage(folder)
        enough = usage.free > LEAST_FREE_BYTES and usage.free > LEAST_FREE_SHARE * usage.total
        detail = f"{name}: {usage.free / 1024**3:.1f} GiB free"
        findings.append(Finding("disk", "ok" if enough else "warning", detail))
    return findings


async def check_tesseract(settings: Settings) -> list[Finding]:
    """Whether scans can be read in the languages that are set."""
    program = shutil.which("tesseract")
    if program is None:
        return [Finding("tesseract", "warning", "not installed: scans are kept, but not read")]
    listed = subprocess.run([program, "--list-langs"], capture_output=True, text=True, check=False, timeout=30)  # noqa: ASYNC221, S603
    installed = set(listed.stdout.split("\n")[1:])
    if missing := [each for each in settings.ocr_languages.split("+") if each not in installed]:
        return [Finding("tesseract", "warning", f"without the languages {', '.join(missing)}")]
    return [Finding("tesseract", "ok", f"reads {settings.ocr_languages}")]


async def check_gateway(settings: Settings) -> list[Finding]:
    """Whether the services behind the gateway answer."""
    if not settings.has_gateway:
        return [Finding("gateway", "ok", "off")]
    from app.gateway.smoke import check_all, table_of  # noqa: PLC0415  only where there is a table

    try:
        checks = await check_all(settings, table_of(settings))
    except TableError as error:
        return [Finding("gateway", "failed", "; ".join(error.problems))]
    bad = [check.name for check in checks if not check.ok]
    detail = f"failing: {', '.join(bad)}" if bad else f"{len(checks)} checks of services and routes passed"
    return [Finding("gateway", "warning" if bad else "ok", detail)]
