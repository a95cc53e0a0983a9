"""Clients that others generate from our document call every operation of a running LifeVault."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.exports import typescript
from tests.exports.calls import Call, Json, calls
from tests.exports.household import household
from tests.exports.node import NODE, npm_install, run_node
from tests.stack import Person, Stack

pytestmark = pytest.mark.slow
HEY_API, COMPILER, TYPES = "@hey-api/openapi-ts@0.95.0", "typescript@5.9.3", "@types/node@20"
STRICT = ["--strict", "--target", "es2022", "--module", "commonjs", "--moduleResolution", "node10", "--types", "node"]
LEAST_DONE = 0.6


@pytest.fixture(scope="module")
def stack(make_stack: Callable[..., Stack]) -> Stack:
    return make_stack(LIFEVAULT_RATE_LIMIT_PER_MINUTE="0", LIFEVAULT_ANONYMOUS_RATE_LIMIT_PER_MINUTE="0")


@pytest.fixture(scope="module")
def document(stack: Stack) -> Json:
    found: Json = stack.person().client.get("/openapi.json").raise_for_status().json()
    return found


def node(folder: Path, program: str, *arguments: str) -> None:
    done = subprocess.run(
        [str(NODE), f"node_modules/{program}", *arguments], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-5_000:]


def token(person: Person) -> str:
    return str(person.client.headers["Authorization"]).removeprefix("Bearer ")


def judge(made: list[Call], statuses: dict[str, int]) -> None:
    """Every operation was called, answered as documented, and most did what they were asked."""
    assert statuses.keys() == {call.operation for call in made}
    wrong = {
        call.operation: statuses[call.operation] for call in made if statuses[call.operation] not in call.statuses
    }
    assert wrong == {}
    done = [name for name, status in statuses.items() if status < 400]
    assert len(done) > LEAST_DONE * len(made), sorted(statuses.items())


def test_the_typescript_client_calls_every_operation(stack: Stack, document: Json, tmp_path: Path):
    npm_install(tmp_path, HEY_API, COMPILER, TYPES)
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    node(tmp_path, "@hey-api/openapi-ts/bin/run.js", "-i", "openapi.json", "-o", "src/client")
    owner, ids = household(stack)
    made = calls(document, ids)
    sdk = (tmp_path / "src/client/sdk.gen.ts").read_text()
    (tmp_path / "src/every.ts").write_text(typescript.program(made, sdk))
    node(tmp_path, "typescript/bin/tsc", *STRICT, "--outDir", "out", "src/every.ts")
    (tmp_path / "out/package.json").write_text('{"type": "commonjs"}')

    printed = run_node(tmp_path, "import './out/every.js';", stack.url, token(owner))

    judge(made, json.loads(printed))
