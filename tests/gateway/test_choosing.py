"""Who answers: the older service or this application, by shares, by features, and as the table changes."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from app.core.features import Feature, is_on, is_within
from app.core.routing import Route, RoutingTable, TableError, TableFile, read_table
from app.gateway.middleware import Gateway
from app.gateway.shadow import differences
from tests.factories import auth, make_user, make_vault
from tests.gateway.conftest import QUICK, Process, Serve

pytestmark = pytest.mark.anyio
ME = {"prefix": "/old/me", "service": "papers", "service_prefix": "/echo", "local_prefix": "/v1/auth/me"}


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


def test_a_share_is_sticky_grows_and_is_as_large_as_it_says():
    people = [str(uuid4()) for _ in range(4_000)]
    shares = [{who for who in people if is_within(share, "route", who)} for share in (0, 5, 25, 100)]
    other = {who for who in people if is_within(25, "another", who)}

    assert shares[0] == set()
    assert shares[3] == set(people)
    assert shares[0] < shares[1] < shares[2] < shares[3]
    assert 800 < len(shares[2]) < 1_200
    assert 100 < len(shares[2] & other) < 400
    assert all(is_within(25, "route", who) for who in shares[2])


def test_a_feature_is_for_those_who_are_named_and_a_share_of_the_rest():
    ada, bob = uuid4(), uuid4()
    features = {
        "new": Feature(percent=0, people=frozenset({ada})),
        "all": Feature(percent=100, held_back=frozenset({bob})),
    }

    assert [is_on(features, "new", who) for who in (ada, bob, None)] == [True, False, False]
    assert [is_on(features, "all", who) for who in (ada, bob, None)] == [True, False, True]
    assert not is_on(features, "unknown", ada)


@pytest.mark.parametrize(
    "table",
    [
        {"services": {"a": {"url": "ftp://host"}}},
        {"services": {"a": {"url": "http://name:secret@host"}}},
        {"services": {"a": {"url": "http://host?x=1"}}},
        {"routes": [{"prefix": "/x", "service": "a"}]},
        {"services": {"a": {"url": "http://host", "retrys": 2}}},
        {"services": {"a": {"url": "http://host"}}, "routes": [{"prefix": "x", "service": "a"}]},
    ],
)
def test_a_table_that_is_wrong_is_refused_without_repeating_it(table: dict[str, Any]):
    with pytest.raises(TableError) as refused:
        read_table(json.dumps(table))

    assert "secret" not in str(refused.value)


def test_the_longest_prefix_wins_and_a_prefix_ends_at_a_slash():
    routes = [
        Route(prefix="/old", service="a"),
        Route(prefix="/old/bills", service="a", methods=frozenset({"GET"})),
        Route(prefix="/old/bills", service="b"),
    ]
    table = RoutingTable.model_validate({"services": {"a": {"url": "http://a"}, "b": {"url": "http://b"}}})
    known = table.model_copy(update={"routes": tuple(routes)}).all_routes

    def found(method: str, path: str) -> str | None:
        route = next((each for each in known if each.fits(method, path)), None)
        return route and f"{route.prefix} {route.service}"

    assert found("GET", "/old/bills/1") == "/old/bills a"
    assert found("POST", "/old/bills/1") == "/old/bills b"
    assert found("POST", "/old/billsandmore") == "/old a"
    assert found("GET", "/older") is None
    assert found("GET", "/v1/gateway/b/x") == "/v1/gateway/b b"


async def test_a_share_of_people_is_answered_here_always_the_same_ones(serve: Serve, papers: Process):
    people = [await make_user() for _ in range(12)]
    here = {person.id for person in people if is_within(50, "/old/me", str(person.id))}
    table = {"services": {"papers": {"url": papers.url}}, "routes": [{**ME, "local_percent": 50}]}
    async with serve(table) as client:
        for _ in range(2):
            answers = {person.id: (await client.get("/old/me", headers=auth(person))).json() for person in people}
            assert {who for who, answer in answers.items() if "email" in answer} == here


async def test_a_feature_moves_single_people(serve: Serve, papers: Process):
    ada, bob = await make_user(), await make_user()
    table = {
        "services": {"papers": {"url": papers.url}},
        "routes": [{**ME, "flag": "new-me"}],
        "features": {"new-me": {"people": [str(ada.id)]}},
    }
    async with serve(table) as client:
        answers = [(await client.get("/old/me", headers=auth(person))).json() for person in (ada, bob)]

    assert answers[0]["email"] == ada.email
    assert answers[1]["service"] == "papers"


async def test_a_table_in_a_file_is_followed_at_once_and_a_broken_one_changes_nothing(
    serve: Serve, papers: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.core.routing.STAT_SECONDS", 0)
    person = await make_user()
    file = tmp_path / "table.json"
    table = {"services": {"papers": {"url": papers.url, **QUICK}}, "routes": [{**ME, "local_percent": 0}]}

    def write(text: str) -> None:
        file.with_suffix(".new").write_text(text)
        os.replace(file.with_suffix(".new"), file)

    write(json.dumps(table))
    here = []
    async with serve(table, gateway_table=None, gateway_file=file) as client:
        for percent in (0, 100, "wrong", 0):
            write(json.dumps({**table, "routes": [{**ME, "local_percent": percent}]}))
            here.append("email" in (await client.get("/old/me", headers=auth(person))).json())

    assert here == [False, True, True, False]


def test_a_file_that_is_not_there_is_an_error_at_the_start(tmp_path: Path):
    with pytest.raises(TableError):
        TableFile(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        ({"a": 1, "b": "x"}, {"a": 2.5, "b": "y"}, 0),
        ({"a": 1}, {"a": "1"}, 1),
        ({"a": None}, {"a": {"b": 1}}, 0),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 1}, "d": 1}, 2),
        ([{"a": 1}], [{"a": 1}, {"a": 2}], 0),
        ([{"a": 1}], [{"a": "1"}], 1),
        ([], [1], 0),
        (True, 1, 1),
    ],
)
def test_shapes_are_compared_and_not_values(one: Any, other: Any, count: int):
    assert differences(one, other) == count


@pytest.fixture
def gateways(monkeypatch: pytest.MonkeyPatch) -> list[Gateway]:
    """The gateways that are made from here on."""
    made: list[Gateway] = []
    make = Gateway.__init__

    def noted(self: Gateway, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        made.append(self)

    monkeypatch.setattr(Gateway, "__init__", noted)
    return made


async def settled(gateways: list[Gateway], until: Callable[[], bool]) -> None:
    """A client has its answer before the copy is sent."""
    for _ in range(1_000):
        await gateways[-1].shadows.settle()
        if until():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not every copy was compared")


@pytest.mark.parametrize("here", [0, 100])
async def test_the_other_side_gets_a_copy_and_what_differs_is_counted_not_logged(
    serve: Serve, papers: Process, gateways: list[Gateway], capfd: pytest.CaptureFixture[str], here: int
):
    person = await make_user(name="kestrelmarble")
    vault = await make_vault(person)
    both = {"shadow_percent": 100, "local_percent": here, "service": "papers"}
    routes = [
        {**both, "prefix": f"/old{here}/me", "service_prefix": "/json", "local_prefix": "/v1/auth/me"},
        {**both, "prefix": f"/old{here}/none", "service_prefix": "/status/404", "local_prefix": "/v1/none"},
        {**both, "prefix": f"/old{here}/vaults", "service_prefix": "/status/500", "local_prefix": "/v1/vault/vaults"},
    ]
    name = "lifevault_gateway_comparisons_total"
    async with serve({"services": {"papers": {"url": papers.url}}, "routes": routes}) as client:
        first = await client.get(f"/old{here}/me", headers=auth(person))
        for path in ("none", f"vaults/{vault.id}"):
            await client.get(f"/old{here}/{path}", headers=auth(person))
        await client.post(f"/old{here}/me", headers=auth(person))

        def outcomes() -> dict[str, str]:
            kinds = ("same", "shape", "status", "type", "failed", "uncompared", "skipped")
            return {
                path: outcome
                for path in ("me", "none", "vaults")
                for outcome in kinds
                if counted(name, route=f"/old{here}/{path}", outcome=outcome) == 1
            }

        await settled(gateways, lambda: len(outcomes()) == 3)

    assert ("email" in first.json()) == (here == 100)
    assert outcomes() == {"me": "shape", "none": "type", "vaults": "status"}
    assert "kestrelmarble" not in capfd.readouterr().err
