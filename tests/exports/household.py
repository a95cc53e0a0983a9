"""Somebody on a running LifeVault who has one of everything, and the ids of it by the names of path parameters."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from app.notifications.schemas import BROWSER_KEY
from tests.exports.calls import TEXT, Json
from tests.stack import Person, Stack, upload, wait_for_job

AHEAD = "2031-05-31"


def household(stack: Stack, wait: Callable[[Person, str], object] = wait_for_job) -> tuple[Person, Json]:
    """A new one, with a document that was read; `wait` comes back when a job has ended."""
    owner = stack.person()
    vault = {"name": "Papers of the house", "kind": "family", "tier": "assisted"}
    owner.vault_id = _post(owner, "/v1/vault/vaults", vault)["id"]
    ids: Json = {"vault_id": owner.vault_id, "page": 1, "revision": 1, "number": 1, "provider": "sim"}
    document = upload(owner, "policy.txt", TEXT)
    ids |= {"document_id": document["id"], "job_id": document["job_id"], "version_id": document["version_id"]}
    for name, path, body in _wanted():
        answer = _post(owner, path.format_map(ids), {key: _known(each, ids) for key, each in body.items()})
        ids[name] = answer["id"]
    ids |= _transfers(owner, wait) | _known_as(owner, ids)
    wait(owner, ids["job_id"])
    intake = owner.client.get("/v1/agents/intake").raise_for_status().json()["items"]
    return owner, ids | ({"intake_id": intake[0]["id"]} if intake else {})


def _wanted() -> list[tuple[str, str, Json]]:
    note = {"type": "secure_note", "title": "Note", "notes": "Spare key at number 4", "fields": {}}
    field = {"name": "range", "label": "Range", "type": "number"}
    item, document = {"item_id": "{item_id}"}, {"document_id": "{document_id}"}
    vault = {"vault_id": "{vault_id}"}
    push = {"endpoint": "https://push.example.net/1", "name": "Browser"}
    keys = {"p256dh": BROWSER_KEY, "auth": "BTBZMqHH6r4Tts7J_aSIgg"}
    said = {"agent_id": "{agent_id}", "message": "What ends?", "time": "08:30", "zone": "Europe/Berlin"}
    return [
        ("item_id", "/v1/vault/items", {**vault, **note}),
        ("type_id", "/v1/vault/types", {**vault, "label": "Drone", "fields": [field]}),
        ("link_id", "/v1/vault/links", {"source": item, "target": document}),
        ("share_id", "/v1/vault/shares", {"subject": item}),
        (
            "invitation_id",
            "/v1/vault/vaults/{vault_id}/invitations",
            {"email": f"{uuid4().hex}@example.com", "role": "viewer"},
        ),
        ("reminder_id", "/v1/reminders", {**vault, "title": "Permit", "due_on": AHEAD, "rrule": "FREQ=YEARLY"}),
        ("api_key_id", "/v1/auth/api-keys", {"name": "Script", "scopes": ["vault:read"]}),
        ("nominee_id", "/v1/nominees/people", {"name": "Grace Hopper", "email": "grace@example.org"}),
        ("plan_id", "/v1/nominees/plans", {"title": "For Grace"}),
        ("subscription_id", "/v1/notifications/push/subscriptions", {**push, "keys": keys}),
        ("webhook_id", "/v1/notifications/webhooks", {"url": "https://example.com/hook", "events": ["reminders.due"]}),
        ("agent_id", "/v1/agents", {"name": "Clerk"}),
        ("memory_id", "/v1/agents/memories", {"text": "We live in Oslo"}),
        ("schedule_id", "/v1/agents/schedules", said),
        ("run_id", "/v1/agents/{agent_id}/runs", {"message": "When does the policy end?"}),
    ]


def _known(value: Any, ids: Json) -> Any:
    if isinstance(value, dict):
        return {key: _known(each, ids) for key, each in value.items()}
    return value.format_map(ids) if isinstance(value, str) else value


def _post(owner: Person, path: str, body: Json) -> Json:
    response = owner.client.post(path, json=body)
    assert response.is_success, (path, response.text)
    answer: Json = response.json()
    return answer


def _transfers(owner: Person, wait: Callable[[Person, str], object]) -> Json:
    """An upload that is not finished, an import and an export."""
    said = f"vault_id {b64encode(owner.vault_id.encode()).decode()}"
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "99", "Upload-Metadata": said}
    place = owner.client.post("/v1/vault/uploads", headers=tus).raise_for_status().headers["Location"]
    table = {"file": ("a.csv", "name,url,username,password\nMail,,ann,secret\n")}
    imported = owner.client.post("/v1/vault/imports", data={"vault_id": owner.vault_id}, files=table)
    exported = _post(owner, "/v1/vault/exports", {})
    wait(owner, exported["job_id"])
    sent = {"upload-length": 60, "upload-offset": 0, "upload-metadata": said}
    made = {"upload_id": place.rpartition("/")[2], "import_id": imported.raise_for_status().json()["id"]}
    return {**made, "export_id": exported["id"], **sent}


def _known_as(owner: Person, ids: Json) -> Json:
    """What has come about with the rest, and what the face of OpenAI calls things."""
    run = owner.client.get(f"/v1/agents/runs/{ids['run_id']}").raise_for_status().json()
    sessions = owner.client.get("/v1/auth/sessions").raise_for_status().json()["items"]
    me = owner.client.get("/v1/auth/me").raise_for_status().json()["id"]
    theirs = {"vector_store_id": ids["vault_id"], "file_id": ids["document_id"], "model_name": ids["agent_id"]}
    own = {"conversation_id": run["conversation_id"], "session_id": sessions[0]["id"], "user_id": me, "member_id": me}
    return {**theirs, **own, "response_id": f"resp_{ids['run_id'].replace('-', '')}"}
