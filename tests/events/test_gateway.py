"""Events of this application behind its gateway, for people who have moved over already."""

import pytest
from websockets.exceptions import ConnectionClosed

from tests.events.conftest import EVENTS, following
from tests.factories import make_item, make_user, make_vault
from tests.gateway.conftest import Serve, serve

__all__ = ["serve"]
pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("by", ["header", "first message"])
async def test_who_has_moved_over_follows_events_here(serve: Serve, by: str):
    person = await make_user()
    vault = await make_vault(person)
    route = {"prefix": EVENTS, "service": "old", "local_prefix": EVENTS, "flag": "events"}
    table = {
        "services": {"old": {"url": "http://127.0.0.1:1"}},
        "routes": [route],
        "features": {"events": {"people": [str(person.id)]}},
    }
    token = person.access_token if by == "first message" else ""

    async with serve(table) as client:
        url = str(client.base_url).rstrip("/")
        async with following(url, person, token=token) as listening:
            item = await make_item(person, vault)
            await listening.told_of(item.id)
        async with following(url, await make_user()) as other:
            with pytest.raises(ConnectionClosed):
                await other.next()

    assert listening.messages[0]["type"] == "ready"
    assert other.socket.close_code == 4502
