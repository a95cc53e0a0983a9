"""Legacy keys in sealed vaults: they read every epoch like a viewer, and the sheets open an export of the vault."""

import base64
import io
import json
import os
from pathlib import Path
from uuid import uuid4

import pytest

from app.nominees.archive import open_export
from app.nominees.shamir import share_among_three
from app.sealed.http import Refused
from app.sealed.legacy import legacy_keys
from app.sealed.members import Role
from tests.factories import auth
from tests.vault.sealed.conftest import People
from tests.vault.sealed.home import in_thread, let_in, rows

NOMINEES = "/v1/nominees"


async def test_the_same_sheets_open_a_sealed_vault_that_lets_them_read_after_the_key_was_changed(
    people: People, tmp_path: Path
):
    client, alice, bob = people.client, people.alice, people.bob
    headers = auth(alice.user)
    nominee = {"name": "Grace", "email": f"{uuid4().hex}@example.org"}
    grace = (await client.post(f"{NOMINEES}/people", json=nominee, headers=headers)).json()
    set_id, secret = uuid4(), os.urandom(32)
    parts, public = share_among_three(secret, 1, 1), legacy_keys(set_id, secret).identity.public
    key = {"id": str(set_id), "public_key": base64.b64encode(public.to_bytes()).decode(), "nominee_ids": [grace["id"]]}
    vault = await in_thread(alice.sealed.create_vault)
    await in_thread(vault.items.put, {"title": "Where the will is"})
    with pytest.raises(Refused, match="409 not-waiting"):
        await in_thread(vault.add_legacy, public)
    made = await client.post(
        f"{NOMINEES}/legacy-keys/register", json=key | {"server_sheet": parts.server}, headers=headers
    )
    assert made.status_code == 201, made.text

    await in_thread(vault.add_legacy, public)
    await let_in(client, alice, bob, vault, "viewer")
    await client.post(f"/v1/vault/vaults/{vault.id}/leave", headers=auth(bob.user))
    await in_thread(vault.remove_member, bob.id)
    await in_thread(vault.renew_key)

    with pytest.raises(Refused, match="422 sealed-invalid"):
        await in_thread(vault.change_role, set_id, Role.EDITOR)
    assert await rows("SELECT user_id FROM vault_members WHERE vault_id = :id", id=vault.id) == [(alice.id,)]
    export = await client.get(f"{NOMINEES}/export", headers=headers)
    opened = tmp_path / "opened"
    open_export(io.BytesIO(export.content), [parts.owner, parts.nominees[0]], opened, alice.sealed.fingerprint)
    items = json.loads((opened / f"sealed vault {vault.id}" / "items.json").read_text())
    assert [each["fields"] for each in items] == [{"title": "Where the will is"}]

    await in_thread(vault.remove_member, set_id)
    assert await rows("SELECT account_id FROM vault_sealed_wraps WHERE vault_id = :id", id=vault.id) == [(alice.id,)]
