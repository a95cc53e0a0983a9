"""Log lines are JSON, name their request or job, and never hold what a library was given."""

import logging
from typing import Any

import orjson
import pytest

from app.core.logging import bound, configure_logging, get_log, write_line


@pytest.fixture(autouse=True)
def configured():
    configure_logging()


@pytest.fixture
def lines(capfdbinary: pytest.CaptureFixture[bytes]):
    def read() -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in capfdbinary.readouterr().err.splitlines()]

    return read


def test_a_line_has_its_values_its_level_its_time_and_what_is_bound(lines):
    with bound(request_id="r-1"), bound(job_id="j-1"):
        get_log("app.vault").warning("mail delayed", mail_id="m-1", kind="letter")
    get_log("app.vault").info("done")

    first, second = lines()
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "event": "mail delayed",
        "level": "warning",
        "mail_id": "m-1",
        "kind": "letter",
        "request_id": "r-1",
        "job_id": "j-1",
    }
    assert set(second) == {"event", "level", "timestamp"}


def test_we_speak_from_info_on_and_with_debug_from_debug_on(lines):
    get_log("app.vault").debug("small")
    configure_logging(debug=True)
    get_log("app.vault").debug("small")

    assert len(lines()) == 1


def test_a_library_speaks_from_warning_on_without_its_values(lines):
    logging.getLogger("some.library").info("quiet")
    try:
        raise ValueError("secret")
    except ValueError:
        logging.getLogger("some.library").exception("no answer from %s", "secret")

    [line] = lines()
    assert line.pop("timestamp")
    assert line == {"event": "no answer from %s", "level": "error", "logger": "some.library", "error": "ValueError"}


def test_the_line_of_a_request_looks_like_any_other(lines):
    write_line("request", status=200)
    get_log("app.api").info("request", status=200)

    direct, usual = lines()
    assert set(direct) == set(usual)
    assert direct.pop("timestamp") <= usual.pop("timestamp")
    assert direct == usual
