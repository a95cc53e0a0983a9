"""What a function of AWS Lambda is made of fits into a ZIP archive."""

import re
from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement

from tests import ROOT

MOST_BYTES = 250_000_000  # unzipped: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html


def needed(name: str, extras: frozenset[str], found: dict[tuple[str, frozenset[str]], Distribution]) -> None:
    """Gather a distribution and all that it needs, by name and extras."""
    key = re.sub(r"[-_.]+", "-", name).lower(), extras
    if key in found:
        return
    found[key] = distribution(name)
    for line in found[key].requires or []:
        wanted = Requirement(line)
        marked = wanted.marker is None or any(wanted.marker.evaluate({"extra": each}) for each in extras | {""})
        if marked:
            needed(wanted.name, frozenset(wanted.extras), found)


def test_a_function_and_what_it_needs_stay_below_the_limit():
    found: dict[tuple[str, frozenset[str]], Distribution] = {}
    needed("lifevault", frozenset({"lambda"}), found)
    libraries = {name: each for (name, _), each in found.items() if name != "lifevault"}

    files = [library.locate_file(file) for library in libraries.values() for file in library.files or []]
    paths = {str(file) for file in files} | {str(path) for path in (ROOT / "app").rglob("*")}
    sizes = [path.stat().st_size for path in map(type(ROOT), paths) if path.is_file() and path.suffix != ".pyc"]

    assert "mangum" in libraries
    assert "awslambdaric" in libraries
    assert "onnxruntime" not in libraries
    assert 50_000_000 < sum(sizes) < MOST_BYTES
    lock = (ROOT / "requirements.lock").read_text()
    assert [name for name in libraries if not re.search(rf"^{name}==", lock, re.MULTILINE)] == []
