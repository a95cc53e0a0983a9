"""The API is what its OpenAPI document says, whatever is sent to it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import Stack

pytestmark = pytest.mark.slow
EXAMPLES = os.environ.get("LIFEVAULT_TEST_EXAMPLES", "8")


def test_no_generated_request_breaks_the_contract(stack: Stack, tmp_path: Path):
    person = stack.person()
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{stack.url}/openapi.json"),
        *("--checks", "all", "--max-examples", EXAMPLES, "--continue-on-failure", "--request-timeout", "30"),
        *("--suppress-health-check", "all", "--no-color", "--warnings", "off"),
    ]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.system.schemathesis_hooks",
        "PYTHONPATH": str(Path(__file__).parent.parent.parent),
        "LIFEVAULT_TEST_URL": stack.url,
        "LIFEVAULT_TEST_EMAIL": person.email,
        "LIFEVAULT_TEST_PASSWORD": person.password,
    }

    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=540)

    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr[-5_000:]
