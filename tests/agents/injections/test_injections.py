"""Every order in every disguise, against a model that obeys it: nothing is done, nothing leaves, nothing is foreign.

The whole product works: the application, PostgreSQL, and a model behind a real HTTP server. `LIFEVAULT_TEST_INJECTIONS`
is the number of orders that are tried of each document; 21 are all of them, so that 252 runs are made.
"""

import html
import os
import re
import unicodedata
from typing import Any

import httpx
import orjson
import pytest

from app.core.config import Settings
from tests.agents.core.model import Model
from tests.agents.core.people import RUNS, START
from tests.agents.injections.carriers import CARRIERS, Carrier
from tests.agents.injections.conftest import Papers
from tests.agents.injections.orders import ORDERS, QUESTION, Order, everything
from tests.agents.injections.witness import CHANGING, Collector, connections, done, rows, stored
from tests.agents.injections.world import FOREIGN, INVENTED, PASSWORD
from tests.conftest import PostgresUrls

TRIED = int(os.environ.get("LIFEVAULT_TEST_INJECTIONS", "5"))
ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*:[/\\]{2}|//\w|www\.\w|\]\(|<[a-z!/|]|evil|javascript:|mailto:|data:\w+/|\.\d+(:\d+)?[/?]",
    re.IGNORECASE,
)
"""What leads somewhere, looked for in a text whose disguises are taken off."""
CLAIMED = re.compile(rf"[\"“'][^\"“”']*{INVENTED}")
"""What stands nowhere, in quotation marks."""


def bared(text: str) -> str:
    """The text as the most helpful client would read it."""
    text = re.sub(r"[\w.]+@[\w.]+", "", html.unescape(html.unescape(text)))  # an address of a person sends nothing
    text = "".join(each for each in text if unicodedata.category(each) not in ("Cf", "Cc") or each == "\n")
    return unicodedata.normalize("NFKC", text)


def some_of(carrier: Carrier) -> list[Order]:
    """The orders that are tried of a document; all documents together try every order."""
    first = CARRIERS.index(carrier) * TRIED
    return [ORDERS[(first + index) % len(ORDERS)] for index in range(TRIED)]


async def tried(client: httpx.AsyncClient, papers: Papers, carrier: Carrier, order: Order) -> tuple[Any, list[Any]]:
    """One run, and what was told of it while it went on."""
    body = {"message": QUESTION, "vault_ids": [papers.vault_ids[carrier.name], str(papers.world.vault.id)]}
    started = await client.post(START, json=body, headers=papers.world.headers)
    assert started.status_code == 201, started.text
    run = started.json()
    sent = await client.get(f"{RUNS}/{run['id']}/events", headers=papers.world.headers)
    lines = [line.removeprefix("data: ") for line in sent.text.splitlines() if line.startswith("data: ")]
    return run, [orjson.loads(line) for line in lines]


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.name)
@pytest.mark.slow
async def test_a_model_that_obeys_what_a_document_says_does_nothing_and_sends_nothing_away(
    client: httpx.AsyncClient,
    settings: Settings,
    postgres: PostgresUrls,
    model: Model,
    papers: Papers,
    collector: Collector,
    carrier: Carrier,
):
    world, reached = papers.world, 0
    before, known, files = await rows(postgres.superuser), await done(postgres.superuser), stored(settings.blob_url)
    with connections() as seen:
        for order in some_of(carrier):
            model.script, model.requests[:] = order.script(world), []
            run, told = await tried(client, papers, carrier, order)

            case = f"{carrier.name}: {order.name}: {run['state']} {run['reason']}"
            assert [each["tool"] for each in run["approvals"]] == list(order.asks), case
            assert {each["state"] for each in run["approvals"]} <= {"pending"}, case
            assert run["state"] in ({"waiting"} if order.asks else {"succeeded", "failed"}), case
            heard = "\n".join(everything(request["messages"]) for request in model.requests)
            assert (FOREIGN in heard, PASSWORD in heard) == (False, False), case
            shown = orjson.dumps(
                [run["output"], run["citations"], [each for each in told if "approval_id" not in each]]
            )
            assert FOREIGN not in shown.decode(), case
            assert CLAIMED.findall(f"{run['output']} {run['citations']}") == [], case
            found = ADDRESS.findall(bared(f"{run['output']}\n{addresses(told)}"))
            assert found == [], case + f"{run['output'][:3000]}"
            reached += bool(carrier.mark) and carrier.mark in heard
    after, new = await rows(postgres.superuser), await done(postgres.superuser)
    assert {name for name in after if after[name] != before.get(name)} <= CHANGING
    assert {name: new[name] - known[name] for name in new} == {
        "allowed": set(),
        "changes": set(),
        "jobs": new["jobs"] & {"agents.run"} - known["jobs"],
        "events": new["events"] & {"agents.approval_asked"} - known["events"],
    }
    assert stored(settings.blob_url) == files
    assert collector.taken == []
    assert {peer for peer in map(str, seen) if "127.0.0.1" not in peer and "/" not in peer} == set()
    assert bool(reached) == bool(carrier.mark), "the model has read what it must not, or nothing of it"


def addresses(told: list[Any]) -> str:
    """What the events of a run show, but for what the person is asked for and proven quotes; they stand as they are."""
    shown = [each | {"citations": []} for each in told if "approval_id" not in each]
    return "\n".join(str(text) for each in shown for text in texts(each))


def texts(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        return [text for each in (value.values() if isinstance(value, dict) else value) for text in texts(each)]
    return [str(value)]
