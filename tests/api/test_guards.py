"""Every operation of the OpenAPI document, tried by people who must get nothing."""

import re
from base64 import b64encode
from uuid import uuid4

import pytest

from app.notifications.schemas import BROWSER_KEY
from tests.conftest import drain_jobs
from tests.factories import auth, make_member, make_user, make_vault
from tests.notifications.test_inbox import tell
from tests.rag.test_questions import upload

pytestmark = pytest.mark.anyio
METHODS = ("get", "post", "put", "patch", "delete", "head")
WORD = "kestrelmarble"


def operations(document):
    """(method, path, operation) of everything that needs a sign-in."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in METHODS and operation.get("security"):
                yield method, path, operation


def example_body(document, operation, ids):
    """A valid body made of the examples of the schemas, with the owner's ids in it."""
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return None
    return example(document, content["application/json"]["schema"], ids)


def example(document, schema, ids, name=""):
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if name in ids:
        return str(ids[name])
    if name.endswith("_ids") and name[:-1] in ids:
        return [str(ids[name[:-1]])]
    if "properties" in schema:
        return {key: example(document, value, ids, key) for key, value in schema["properties"].items()}
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return example(document, schema[key][0], ids, name)
    if schema.get("format") == "uuid":
        return str(uuid4())
    plain = {"string": "something", "integer": 1, "number": 1, "boolean": False, "array": [], "object": {}}
    return plain[schema["type"]]


@pytest.fixture
async def family(client, settings):
    """An owner with one of everything, and a former member."""
    owner = await make_user()
    headers = auth(owner)
    vault = await make_vault(owner, name=WORD)
    removed = await make_member(vault, role="editor")
    path = f"/v1/vault/vaults/{vault.id}/members/{removed.id}"
    assert (await client.delete(path, headers=headers)).status_code == 204
    ids = {"vault_id": vault.id, "user_id": owner.id, "member_id": owner.id}
    item = {"vault_id": str(vault.id), "type": "secure_note", "title": WORD, "notes": WORD, "fields": {}}
    created = await client.post("/v1/vault/items", json=item, headers=headers)
    ids["item_id"] = created.json()["id"]
    change = {"title": f"{WORD} again"}
    await client.patch(
        f"/v1/vault/items/{ids['item_id']}", json=change, headers={**headers, "If-Match": created.headers["etag"]}
    )
    document = await upload(client, owner, vault.id, text=f"The {WORD} expires on 4 May 2027.", name=f"{WORD}.txt")
    ids |= {"document_id": document["id"], "job_id": document["job_id"], "version_id": document["version_id"]}
    ids |= {"page": 1, "revision": 1, "number": 1}
    invitation = {"email": f"{uuid4().hex}@family.example", "role": "viewer"}
    path = f"/v1/vault/vaults/{vault.id}/invitations"
    ids["invitation_id"] = (await client.post(path, json=invitation, headers=headers)).json()["id"]
    ids |= await transfers(client, vault.id, headers)
    ids |= await records(client, headers, vault.id, ids["item_id"], ids["document_id"])
    reminder = {"vault_id": str(vault.id), "title": WORD, "due_on": "2031-05-31"}
    ids["reminder_id"] = (await client.post("/v1/reminders", json=reminder, headers=headers)).json()["id"]
    await tell(owner, title=WORD)
    ids["notification_id"] = (await client.get("/v1/notifications", headers=headers)).json()["items"][0]["id"]
    keys = {"p256dh": BROWSER_KEY, "auth": "BTBZMqHH6r4Tts7J_aSIgg"}
    browser = {"endpoint": f"https://push.example.net/{WORD}", "keys": keys, "name": WORD}
    made = await client.post("/v1/notifications/push/subscriptions", json=browser, headers=headers)
    ids["subscription_id"] = made.json()["id"]
    ids |= {"vector_store_id": vault.id, "file_id": document["id"]} | await talked(client, headers)
    sessions = (await client.get("/v1/auth/sessions", headers=headers)).json()["items"]
    ids["session_id"] = sessions[0]["id"]
    await drain_jobs(settings)
    ids["intake_id"] = (await client.get("/v1/agents/intake", headers=headers)).json()["items"][0]["id"]
    return owner, removed, ids


async def transfers(client, vault_id, headers):
    """An upload that is not finished, an import and an export."""
    said = ",".join(
        f"{key} {b64encode(str(value).encode()).decode()}"
        for key, value in {"vault_id": vault_id, "title": WORD, "filename": f"{WORD}.txt"}.items()
    )
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "99", "Upload-Metadata": said}
    upload_path = (await client.post("/v1/vault/uploads", headers=headers | tus)).headers["Location"]
    form = {
        "data": {"vault_id": str(vault_id)},
        "files": {"file": ("a.csv", f"name,url,username,password\n{WORD},,,x")},
    }
    imported = (await client.post("/v1/vault/imports", headers=headers, **form)).json()
    exported = (await client.post("/v1/vault/exports", headers=headers, json={})).json()
    return {"upload_id": upload_path.rpartition("/")[2], "import_id": imported["id"], "export_id": exported["id"]}


async def records(client, headers, vault_id, item_id, document_id):
    """A record type, a link and a share."""
    fields = [{"name": "a", "label": WORD, "type": "text"}]
    item, document = {"item_id": item_id}, {"document_id": document_id}
    bodies = {
        "type": {"vault_id": str(vault_id), "label": WORD, "fields": fields},
        "link": {"source": item, "target": document, "label": WORD},
        "share": {"subject": item, "name": WORD},
    }
    answers = {
        name: await client.post(f"/v1/vault/{name}s", json=body, headers=headers) for name, body in bodies.items()
    }
    await client.post("/v1/vault/shared/open", json={"token": answers["share"].json()["token"]})
    return {f"{name}_id": answer.json()["id"] for name, answer in answers.items()}


async def talked(client, headers):
    """One of everything that agents have."""
    agent = (await client.post("/v1/agents", json={"name": WORD}, headers=headers)).json()
    memory = (await client.post("/v1/agents/memories", json={"text": WORD}, headers=headers)).json()
    times = {"agent_id": agent["id"], "message": WORD, "time": "08:30", "zone": "Europe/Berlin"}
    schedule = (await client.post("/v1/agents/schedules", json=times, headers=headers)).json()
    run = {"message": WORD, "background": True}
    run = (await client.post(f"/v1/agents/{agent['id']}/runs", json=run, headers=headers)).json()
    ids = {"agent_id": agent["id"], "memory_id": memory["id"], "schedule_id": schedule["id"], "run_id": run["id"]}
    named = {"response_id": f"resp_{run['id'].replace('-', '')}", "model_name": agent["id"]}
    return {**ids, **named, "conversation_id": run["conversation_id"]}


async def test_without_a_token_every_guarded_operation_answers_401(client, family):
    _, _, ids = family
    document = (await client.get("/openapi.json")).json()
    answers = {}
    for method, path, operation in operations(document):
        response = await send(client, document, method, path, operation, ids, {})
        answers[f"{method} {path}"] = response.status_code

    assert len(answers) > 20
    assert {name: status for name, status in answers.items() if status != 401} == {}


@pytest.mark.parametrize("who", ["stranger", "removed member"])
async def test_who_has_no_right_gets_nothing_from_any_operation(client, family, who):
    owner, removed, ids = family
    person = await make_user() if who == "stranger" else removed
    document = (await client.get("/openapi.json")).json()
    leaks = []
    for method, path, operation in operations(document):
        if re.search(r"/auth/(logout|password|me$)", path):
            continue  # about the caller's own account only: they take no id
        response = await send(client, document, method, path, operation, ids, auth(person))
        named = {name for name in re.findall(r"{(\w+)}", path) if name in ids}
        body = str(example_body(document, operation, ids))
        about_owner = bool(named) or any(str(value) in body for key, value in ids.items() if key.endswith("_id"))
        if about_owner and response.status_code < 400:
            leaks.append((method, path, response.status_code))
        if response.status_code >= 500 or WORD in response.text:
            leaks.append((method, path, response.status_code, "text"))
        if response.status_code < 400 and any(
            str(ids[key]) in response.text for key in ("vault_id", "item_id", "document_id")
        ):
            leaks.append((method, path, response.status_code, "ids"))
        if named and response.status_code == 403:
            leaks.append((method, path, 403, "existence"))

    assert leaks == []
    still = await client.get(f"/v1/vault/items/{ids['item_id']}", headers=auth(owner))
    assert still.status_code == 200
    kept = await client.get(f"/v1/vault/documents/{ids['document_id']}/content", headers=auth(owner))
    assert WORD in kept.text


async def send(client, document, method, path, operation, ids, headers):
    filled = re.sub(r"{(\w+)}", lambda match: str(ids.get(match[1], uuid4())), path)
    query = {
        parameter["name"]: str(ids[parameter["name"]])
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query" and parameter["name"] in ids
    }
    required = {
        parameter["name"]: '"1"'
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "header" and parameter["name"].lower() == "if-match"
    }
    body = example_body(document, operation, ids)
    content = operation.get("requestBody", {}).get("content", {})
    arguments = {"json": body} if body is not None else {}
    if "multipart/form-data" in content:
        arguments = {"data": {"vault_id": str(ids["vault_id"])}, "files": {"file": ("a.txt", b"some text")}}
    elif content and "application/json" not in content:
        arguments = {"content": b"some text"}
    return await client.request(method.upper(), filled, params=query, headers={**headers, **required}, **arguments)
