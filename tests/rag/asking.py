"""A paper, and the steps of a person who stores it and asks about it."""

from typing import Any

import orjson

POLICY = """MOTOR INSURANCE POLICY

Policy number: TQ-4471-93. Insured car: Skoda Octavia. Policyholder: Ana Brandt.
The policy runs from 1 March 2026 to 28 February 2027.

EXCESS

For each claim under comprehensive cover you bear an excess of 350 euros yourself.
For glass damage the excess is 150 euros.

CANCELLATION

Either side may cancel with one month's notice to the end of the insurance year.
"""
EXCESS = "What is the excess for a comprehensive claim on the car insurance?"


def auth(user):
    return {"Authorization": f"Bearer {user.access_token}"}


async def upload(client, user, vault_id, text=POLICY, name="Car insurance 2026.txt") -> dict[str, Any]:
    response = await client.post(
        "/v1/vault/documents",
        data={"vault_id": str(vault_id)},
        files={"file": (name, text if isinstance(text, bytes) else text.encode(), "text/plain")},
        headers=auth(user),
    )
    assert response.status_code == 202, response.text
    return response.json()


async def ask(client, user, question=EXCESS, **more) -> dict[str, Any]:
    response = await client.post("/v1/rag/ask", json={"question": question, **more}, headers=auth(user))
    assert response.status_code == 200, response.text
    return response.json()


async def ask_streamed(client, user, question=EXCESS) -> tuple[list[str], dict[str, Any]]:
    """The texts of the `delta` events and the `answer`, which comes last."""
    response = await client.post("/v1/rag/ask", json={"question": question, "stream": True}, headers=auth(user))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    events = parsed(response.text)
    assert [name for name, _ in events[:-1]] == ["delta"] * (len(events) - 1)
    assert events[-1][0] == "answer"
    return [data["text"] for _, data in events[:-1]], events[-1][1]


def parsed(stream: str) -> list[tuple[str, Any]]:
    """Names and data of server-sent events; comments are left out."""
    blocks = [block.split("\n") for block in stream.strip().split("\n\n") if not block.startswith(":")]
    return [(name.removeprefix("event: "), orjson.loads(data.removeprefix("data: "))) for name, data in blocks]
