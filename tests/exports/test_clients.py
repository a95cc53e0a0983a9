"""Clients that others generate from our document call every operation of a running LifeVault."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from app.cli import app as commands
from tests import ROOT
from tests.exports import pythonic, typescript
from tests.exports.calls import TEXT, Call, Json, calls
from tests.exports.household import household
from tests.exports.node import NODE, npm_install, run_node
from tests.stack import Person, Stack

pytestmark = pytest.mark.slow
HEY_API, COMPILER, TYPES = "@hey-api/openapi-ts@0.95.0", "typescript@5.9.3", "@types/node@20"
STRICT = ["--strict", "--target", "es2022", "--module", "commonjs", "--moduleResolution", "node10", "--types", "node"]
LEAST_DONE = 0.5  # the rest is about what a person has not got, or wants another person: 401, 404, 409, 422
GENERATOR = "openapi-python-client==0.29.1"  # MIT; apart from us, as it wants an older typer than ours
AS_BYTES = ("*/*", "application/pdf", "image/png", "application/offset+octet-stream")
MYPY = "[mypy]\nstrict = True\nwarn_redundant_casts = False\n"
MAIN_JOB = """
import * as sdk from './client';
import { client } from './client/client.gen';
const [url, email, text] = process.argv.slice(2) as [string, string, string];
const b64 = (words: string): string => Buffer.from(words).toString('base64');
let bearer: string | undefined;
client.setConfig({ baseUrl: url, auth: () => bearer, throwOnError: true });

async function main(): Promise<void> {
  const password = 'seven green kettles';
  await sdk.authRegister({ body: { email, password, name: 'Ana Lund' }, throwOnError: true });
  const signedIn = await sdk.authCreateToken({ body: { username: email, password }, throwOnError: true });
  if (!('access_token' in signedIn.data)) throw new Error('a second factor is asked for');
  bearer = signedIn.data.access_token;
  const vault = await sdk.vaultCreateVault({ body: { name: 'Papers', kind: 'personal' }, throwOnError: true });
  const vault_id = vault.data.id;
  const file = new File([text], 'policy.txt');
  const made = await sdk.vaultCreateDocument({ body: { vault_id, file }, throwOnError: true });
  const { stream } = await sdk.jobsStreamJob({ path: { job_id: made.data.job_id } });
  let events = 0;
  for await (const event of stream) if (event) events += 1;
  const job = await sdk.jobsReadJob({ path: { job_id: made.data.job_id }, throwOnError: true });
  const answer = await sdk.ragAsk({ body: { question: 'What is the excess of the policy?' }, throwOnError: true });
  const path = { document_id: made.data.id };
  const content = await sdk.vaultReadContent({ path, parseAs: 'text', throwOnError: true });
  const tus = { 'Tus-Resumable': '1.0.0' } as const;
  const metadata = `vault_id ${b64(vault_id)},filename ${b64('a.txt')}`;
  const said = { 'upload-length': text.length, 'upload-metadata': metadata };
  const begun = await sdk.vaultCreateUpload({ headers: { ...tus, ...said }, throwOnError: true });
  const upload_id = begun.response.headers.get('Location')?.split('/').pop() ?? '';
  const sent = await sdk.vaultAppendToUpload({
    path: { upload_id }, headers: { ...tus, 'upload-offset': 0 }, body: new Blob([text]), throwOnError: true,
  });
  const missing = await sdk.vaultReadItem({ path: { item_id: vault_id }, throwOnError: false });
  console.log(JSON.stringify({
    events: events > 0, state: job.data.state, found: answer.data.found, quote: answer.data.citations[0]?.quote,
    content: content.data, offset: sent.response.headers.get('Upload-Offset'), code: missing.error?.code,
  }));
}
main().catch((error) => { console.error(error); process.exit(1); });
"""


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
    wrong = {call.operation: statuses[call.operation] for call in made if statuses[call.operation] not in call.statuses}
    assert wrong == {}
    done = [name for name, status in statuses.items() if status < 400]
    assert len(done) > LEAST_DONE * len(made), sorted(statuses.items())


@pytest.fixture(scope="module")
def sdk(stack: Stack, document: Json, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated SDK."""
    folder = npm_install(tmp_path_factory.mktemp("sdk"), HEY_API, COMPILER, TYPES)
    (folder / "openapi.json").write_text(json.dumps(document))
    node(folder, "@hey-api/openapi-ts/bin/run.js", "-i", "openapi.json", "-o", "src/client")
    (folder / "src/main.ts").write_text(MAIN_JOB)
    return folder


def test_the_typescript_client_calls_every_operation_and_does_the_main_job(stack: Stack, document: Json, sdk: Path):
    owner, ids = household(stack)
    made = calls(document, ids)
    (sdk / "src/every.ts").write_text(typescript.program(made, (sdk / "src/client/sdk.gen.ts").read_text()))
    node(sdk, "typescript/bin/tsc", *STRICT, "--outDir", "out", "src/every.ts", "src/main.ts")
    (sdk / "out/package.json").write_text('{"type": "commonjs"}')

    printed = run_node(sdk, "import './out/every.js';", stack.url, token(owner))
    done = json.loads(run_node(sdk, "import './out/main.js';", stack.url, f"{uuid4().hex}@example.com", TEXT.decode()))

    judge(made, json.loads(printed))
    assert done.pop("quote") in TEXT.decode()
    expected = {"events": True, "state": "succeeded", "found": True, "content": TEXT.decode()}
    assert done == {**expected, "offset": str(len(TEXT)), "code": "item-not-found"}


def python_client(folder: Path) -> None:
    """Generate the package `client` from the document that we export for it; skipped where there is no registry."""
    uv = shutil.which("uv") or os.environ.get("UV") or str(ROOT / ".uv/bin/uv")
    if not Path(uv).exists():
        pytest.skip("uv is not installed")
    install = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", "tool", GENERATOR]
    if subprocess.run(install, cwd=folder, capture_output=True, timeout=300).returncode:
        pytest.skip("uv reaches no registry")
    (folder / "settings.yml").write_text(
        json.dumps({"content_type_overrides": dict.fromkeys(AS_BYTES, "application/octet-stream"), "post_hooks": []})
    )
    exported = CliRunner().invoke(commands, ["export", "openapi", "--target", "python", "-o", str(folder / "api.json")])
    assert exported.exit_code == 0, exported.output
    command = ["-m", "openapi_python_client", "generate", "--path", "api.json", "--output-path", "client"]
    printed = run_python(folder, *command, "--meta", "none", "--config", "settings.yml", PYTHONPATH="tool")
    assert "WARNING" not in printed
    assert "Unable" not in printed


def run_python(folder: Path, *arguments: str, **environment: str) -> str:
    own = {**os.environ, "PYTHONPATH": "", **environment}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, env=own
    )
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-5_000:]
    return done.stdout


def test_the_python_client_calls_every_operation(
    stack: Stack, document: Json, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    python_client(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    owner, ids = household(stack)
    made = calls(document, ids)
    (tmp_path / "every.py").write_text(pythonic.program(made))
    (tmp_path / "mypy.ini").write_text(MYPY)

    run_python(tmp_path, "-m", "mypy", "every.py")
    printed = run_python(tmp_path, "every.py", stack.url, token(owner))

    judge(made, json.loads(printed))
