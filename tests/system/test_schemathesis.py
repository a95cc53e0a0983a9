"""The API is what its OpenAPI document says, whatever is sent to it.

schemathesis.toml says what runs. `LIFEVAULT_TEST_EXAMPLES` is the number of examples for each operation,
`LIFEVAULT_TEST_SEED` the seed that they are drawn from, `LIFEVAULT_TEST_PATHS` a pattern of the paths
to try: `^/` for all, which takes longer than the whole suite may.
"""

import json
import os
import secrets
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stack import Person, Stack, upload, wait_for_job

pytestmark = pytest.mark.slow
EXAMPLES = os.environ.get("LIFEVAULT_TEST_EXAMPLES", "3")
SEED = os.environ.get("LIFEVAULT_TEST_SEED", "1")
PATHS = os.environ.get("LIFEVAULT_TEST_PATHS", r"^/(v1/(auth|jobs|payments|rag|reminders)|health|metrics)")
SECONDS = int(os.environ.get("LIFEVAULT_TEST_SECONDS", "540"))
CONFIG = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
VAULTS = 6
KINDS = (
    "homes",
    "vaults",
    "items",
    "documents",
    "jobs",
    "members",
    "invitations",
    "api_keys",
    "types",
    "links",
    "shares",
    "reminders",
    "uploads",
    "imports",
    "exports",
)


def test_no_generated_request_breaks_the_contract(make_stack: Callable[..., Stack], tmp_path: Path):
    stack = make_stack(LIFEVAULT_SIGN_IN_ATTEMPTS="1000000")  # a thousand wrong passwords must not lock the owner out
    owner, stranger, leaver = stack.person(), stack.person(), stack.person()
    for name, ids in stored(stack, owner).items():
        (tmp_path / f"{name}.txt").write_text("".join(f'"{each}"\n' for each in ids))
    people = {"auth": [sign_in("owner", owner), sign_in("stranger", stranger)]}
    (tmp_path / "people.json").write_text(json.dumps(people))
    amount = f"seed = {SEED}\ngeneration.max-examples = {EXAMPLES}\n"
    (tmp_path / "schemathesis.toml").write_text(amount + CONFIG.read_text())
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", "schemathesis.toml", "run"),
        *(f"{stack.url}/openapi.json", "--checks", "all", "--no-color", "--include-path-regex", PATHS),
    ]

    owner.client.get("/openapi.json").raise_for_status()  # to make it takes longer than schemathesis waits
    own = {"LEAVER": leaver.client.headers["Authorization"], "SCHEMATHESIS_HOOKS": str(HOOKS)}
    environment = {**os.environ, **own}
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=SECONDS, env=environment)

    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr[-5_000:]


def stored(stack: Stack, owner: Person) -> dict[str, list[str]]:
    """The ids of what the owner has, by kind."""
    ids: dict[str, list[str]] = {name: [] for name in KINDS}
    for number in range(VAULTS):
        vault = create(owner, "/v1/vault/vaults", name=f"Papers {number}", kind="family")
        owner.vault_id = vault["id"]
        ids["homes" if number % 2 else "vaults"].append(vault["id"])
        item = {"type": "passport", "title": "Passport", "fields": {"expires_on": "2031-05-31"}, "tags": ["travel"]}
        ids["items"].append(create(owner, "/v1/vault/items", vault_id=vault["id"], **item)["id"])
        fields = [{"name": "range", "label": "Range", "type": "number"}]
        ids["types"].append(create(owner, "/v1/vault/types", vault_id=vault["id"], label="Drone", fields=fields)["id"])
        subject = {"item_id": ids["items"][-1]}
        ids["shares"].append(create(owner, "/v1/vault/shares", subject=subject)["id"])
        document = upload(owner, "policy.txt", f"Policy {number}: the excess is 450 EUR.".encode())
        ids["documents"].append(document["id"])
        ids["jobs"].append(document["job_id"])
        ends = {"source": {"document_id": document["id"]}, "target": subject}
        ids["links"].append(create(owner, "/v1/vault/links", **ends)["id"])
        ids["api_keys"].append(create(owner, "/v1/auth/api-keys", name=f"Key {number}", scopes=["profile"])["id"])
        reminder = {"title": "Renew the permit", "due_on": "2031-05-31", "rrule": "FREQ=YEARLY"}
        ids["reminders"].append(create(owner, "/v1/reminders", vault_id=vault["id"], **reminder)["id"])
        invitations = f"/v1/vault/vaults/{vault['id']}/invitations"
        ids["invitations"].append(create(owner, invitations, email=f"{secrets.token_hex(6)}@family.example")["id"])
    ids |= transfers(owner)
    for job_id in ids["jobs"]:
        wait_for_job(owner, job_id)
    ids["members"].append(owner.client.get("/v1/auth/me").raise_for_status().json()["id"])
    return ids


def transfers(owner: Person) -> dict[str, list[str]]:
    """Uploads that go on, an import and an export."""
    ids: dict[str, list[str]] = {"uploads": [], "imports": [], "exports": []}
    for number in range(3):
        said = f"vault_id {b64encode(owner.vault_id.encode()).decode()}"
        headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(10 + number), "Upload-Metadata": said}
        made = owner.client.post("/v1/vault/uploads", headers=headers).raise_for_status()
        ids["uploads"].append(made.headers["Location"].rpartition("/")[2])
    table = {"file": ("passwords.csv", b"name,url,username,password\nMail,,ann,secret\n")}
    form = {"data": {"vault_id": owner.vault_id}, "files": table}
    imported = owner.client.post("/v1/vault/imports", **form).raise_for_status().json()
    exported = create(owner, "/v1/vault/exports")
    for started in (imported, exported):
        wait_for_job(owner, started["job_id"])
    return {**ids, "imports": [imported["id"]], "exports": [exported["id"]]}


def create(owner: Person, path: str, **data: object) -> dict[str, str]:
    created: dict[str, str] = owner.client.post(path, json=data).raise_for_status().json()
    return created


def sign_in(name: str, person: Person) -> dict[str, object]:
    """How schemathesis signs somebody in, in the format of Web Fuzzing Commons."""
    login = {
        "endpoint": "/v1/auth/login",
        "verb": "POST",
        "contentType": "application/json",
        "payloadRaw": json.dumps({"email": person.email, "password": person.password}),
        "token": {
            "extractFrom": "body",
            "extractSelector": "/access_token",
            "sendIn": "header",
            "sendName": "Authorization",
            "sendTemplate": "Bearer {token}",
        },
    }
    return {"name": name, "loginEndpointAuth": login}
