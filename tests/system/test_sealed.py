"""The reference client of sealed vaults over plain HTTP, as it stands in the README, against the running product."""

from uuid import UUID

import pytest

from app.sealed.client import SealedClient
from app.sealed.files import SMALLEST_CHUNK
from app.sealed.http import HttpTransport, over_http
from tests.stack import Stack

pytestmark = pytest.mark.slow


def test_a_sealed_vault_is_made_on_one_device_and_opened_on_another(stack: Stack):
    person = stack.person()
    token = person.client.headers["Authorization"].removeprefix("Bearer ")
    user_id = person.client.get("/v1/auth/me").json()["id"]

    def device() -> HttpTransport:
        return HttpTransport(over_http(stack.url, token))

    client, recovery_key = SealedClient.create_account(device(), "a long password", UUID(user_id))
    vault = client.create_vault()
    scan = vault.put_file([bytes(SMALLEST_CHUNK), b"end"], SMALLEST_CHUNK)
    passport = vault.items.put({"title": "Passport", "number": "X123", "scan": scan.to_text()})
    vault.renew_key()
    client.save()

    other = SealedClient.recover(device(), client.id, recovery_key, "another long password")
    opened = other.open_vault(vault.id)

    assert opened.items.open(passport)["number"] == "X123"
    assert b"".join(opened.open_file(scan)).endswith(b"end")
    listed = person.client.get("/v1/vault/vaults").json()["items"]
    assert ("sealed", "") in {(each["tier"], each["name"]) for each in listed}
