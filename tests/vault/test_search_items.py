"""Search of items: what is found, in which order, by whom; and what is never looked at."""

from typing import Any

import pytest

from app.db.runtime import current
from app.vault.folding import fold, joined, words
from app.vault.service.entries import entry_cache
from tests.factories import make_member
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import rows_of
from tests.vault.home import Home, home

__all__ = ["home"]


async def search(home: Home, query: str = "", *, who: Any = None, **filters: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await home.call("POST", "search", {"query": query, **filters}, who=who, status=200)
    return answer


async def titles(home: Home, query: str = "", **filters: Any) -> list[str]:
    return [hit["item"]["title"] for hit in (await search(home, query, **filters))["hits"]]


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Straße", "strasse"),
        ("ÅNGSTRÖM", "angstrom"),
        ("Łódź, Ørsted & Þór", "lodz orsted thor"),
        ("Ἀθῆναι ΑΘΗΝΑ", "αθηναι αθηνα"),
        ("Чайковский", "чаиковскии"),
        ("ﬁle №5", "file no5"),
        ("  a_b-c.d  ", "a b c d"),
        ("İstanbul ISPARTA ırmak", "istanbul isparta irmak"),
        ("日本 東京", "日本 東京"),
        ("", ""),
    ],
)
def test_words_are_folded_to_what_people_type(written: str, folded: str):
    assert fold(written).strip() == folded


def test_numbers_in_groups_are_also_one_word():
    assert joined("DE89 3704 0044") == "DE8937040044"
    assert joined("+44 (0)20 7946-0000") == "4402079460000"
    assert joined("no digits here") == joined("K01234567") == joined("5 " * 64) == ""
    assert words("The the THE end") == ["the", "end"]


async def test_the_best_come_first(home: Home):
    await home.item(title="Notes", type="secure_note", notes="The passport is in the desk")
    await home.item(title="Copy", fields={"Kept with": "passport"})
    await home.item(title="Anna", tags=("passport",), type="secure_note")
    await home.item(title="Anna", type="passport")
    await home.item(title="My passports", type="secure_note")
    await home.item(title="My passport", type="secure_note")
    await home.item(title="Passport of Anna", type="secure_note")
    await home.item(title="passport", type="secure_note")
    await home.item(title="Nothing", type="secure_note")

    found = await search(home, "Passport")

    assert [(hit["item"]["title"], hit["score"]) for hit in found["hits"]] == [
        ("passport", 1000),
        ("Passport of Anna", 950),
        ("My passport", 800),
        ("My passports", 700),
        ("Anna", 600),
        ("Anna", 500),
        ("Copy", 500),
        ("Notes", 250),
    ]
    assert (found["total"], found["next_cursor"]) == (8, None)
    assert [hit["matches"] for hit in found["hits"][4:]] == [
        [{"part": "tag", "name": "passport"}],
        [{"part": "type", "name": None}],
        [{"part": "type", "name": None}, {"part": "field", "name": "Kept with"}],
        [{"part": "notes", "name": None}],
    ]


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("CAFÉ", True),
        ("cafe zurich", True),
        ("zürich café", True),
        ("züri", True),
        ("cafe berlin", False),
        ("de8937040044", True),
        ("DE89 3704", True),
        ("0044", True),
        ("704", True),
        ("70", False),
        ("ada@example.org", True),
        ("12.50 eur", True),
        ("2031-05", True),
        ("true", False),
        ("'; DROP TABLE", False),
        ("%", True),
        ("", True),
    ],
)
async def test_every_word_must_be_found_by_its_beginning_or_within_another(home: Home, query, is_found):
    fields = {
        "iban": "DE89 3704 0044",
        "mail": "ada@example.org",
        "cost": {"amount": "12.50", "currency": "EUR"},
        "until": "2031-05-31",
        "lost": True,
    }
    await home.item(title="Café in Zürich", type="secure_note", fields=fields)

    assert bool(await titles(home, query)) is is_found


async def test_values_of_secrets_are_never_found(home: Home):
    login = await home.item(title="Bank", type="login", fields={"username": "ada", "password": "hunter2zebra"})
    definition = [
        {"name": "code", "label": "Code", "type": "secret"},
        {"name": "place", "label": "Place", "type": "text"},
    ]
    made = await home.call("POST", "types", {"vault_id": str(home.vault.id), "label": "Gate", "fields": definition})
    await home.item(title="Garden", type=made["name"], fields={"code": "zebra77", "place": "north wall"})

    for query in ("hunter2zebra", "zebra", "zebra77", "hunter2"):
        assert await titles(home, query) == []
    assert await titles(home, "ada") == ["Bank"]
    assert await titles(home, "north") == ["Garden"]
    assert await titles(home, "gate") == ["Garden"]
    (hit,) = (await search(home, "bank"))["hits"]
    assert (hit["item"]["id"], hit["item"]["fields"]["password"]) == (str(login.id), "hunter2zebra")
    open_now = [{**definition[0], "type": "text"}, {**definition[1], "type": "secret"}]
    await home.call("PATCH", f"types/{made['id']}", {"fields": open_now})
    assert await titles(home, "zebra77") == ["Garden"]
    assert await titles(home, "north") == [], "what is a secret from now on is not found any more"


async def test_filters_narrow_what_is_found(home: Home):
    old = await home.item(title="Old passport", fields={"expires_on": "2021-05-31"}, tags=("Travel", "old"))
    new = await home.item(title="New passport", fields={"issued_on": "2021-05-31", "expires_on": "2031-05-31"})
    await home.item(home.other, title="Card", type="card", fields={"valid_until": "2031-05"}, tags=("travel",))
    await home.call("PUT", f"items/{new.id}/favourite")
    await home.call("DELETE", f"items/{(await home.item(title='Thrown away')).id}")

    assert await titles(home) == ["Card", "New passport", "Old passport"]
    assert await titles(home, vault_ids=[str(home.vault.id)]) == ["New passport", "Old passport"]
    assert await titles(home, types=["card", "visa"]) == ["Card"]
    assert await titles(home, tags=["TRAVEL"]) == ["Card", "Old passport"]
    assert await titles(home, tags=["travel", "old"]) == ["Old passport"]
    assert await titles(home, favourite=True) == ["New passport"]
    assert await titles(home, trashed=True) == ["Thrown away"]
    within = {"from_on": "2031-05-15", "to_on": "2031-05-20"}
    assert await titles(home, dates=within) == ["Card"]
    assert await titles(home, dates={"to_on": "2021-12-31"}) == ["New passport", "Old passport"]
    assert await titles(home, dates={"to_on": "2021-12-31", "role": "expires"}) == ["Old passport"]
    assert await titles(home, "new", dates={"from_on": "2031-05-31", "role": "expires"}) == ["New passport"]
    assert await titles(home, dates={"role": "renews"}) == []
    today = (await home.call("GET", f"items/{old.id}"))["updated_at"][:10]
    assert len(await titles(home, changed_from=today)) == 3
    assert await titles(home, changed_from="2999-01-01") == []


async def test_what_is_found_is_what_one_may_read_at_this_moment(home: Home):
    item = await home.item(title="Shared quokka")
    await home.item(home.other, title="Private quokka")

    assert await titles(home, "quokka") == ["Private quokka", "Shared quokka"]
    assert await titles(home, "quokka", who=home.bob) == ["Shared quokka"]
    assert await titles(home, "quokka", who=home.eve) == []
    one = {"query": "quokka", "vault_ids": [str(home.vault.id)]}
    assert (await home.call("POST", "search", one, who=home.eve, status=404))["code"] == "vault-not-found"
    both = {"vault_ids": [str(home.vault.id), str(home.other.id)]}
    await home.call("POST", "search", both, who=home.bob, status=404)
    await home.call("PATCH", f"items/{item.id}", {"title": "Shared wombat"})
    assert await titles(home, "quokka", who=home.bob) == []
    assert await titles(home, "wombat", who=home.bob) == ["Shared wombat"]
    await home.call("POST", f"items/{item.id}/move", {"vault_id": str(home.other.id)})
    assert await titles(home, "wombat", who=home.bob) == []
    assert await titles(home, "wombat") == ["Shared wombat"]
    await make_member(home.other, role="viewer", user=home.eve)
    assert await titles(home, "wombat", who=home.eve) == ["Shared wombat"]
    await home.call("DELETE", f"vaults/{home.other.id}")
    assert await titles(home, "wombat") == []


async def test_pages_follow_each_other_without_gaps(home: Home):
    for number in range(7):
        await home.item(title=f"Paper {number}" if number % 2 else f"The paper {number}", type="secure_note")

    found: list[str] = []
    cursor = None
    while True:
        page = await search(home, "paper", limit=3, **({"cursor": cursor} if cursor else {}))
        assert page["total"] == 7
        found += [hit["item"]["title"] for hit in page["hits"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert found == ["Paper 5", "Paper 3", "Paper 1", "The paper 6", "The paper 4", "The paper 2", "The paper 0"]


async def test_entries_are_kept_and_let_go(home: Home):
    item = await home.item(title="Quagga")
    cache = entry_cache(current().settings.search_cache_bytes)

    assert await titles(home, "quagga") == ["Quagga"]
    assert item.id in cache.get(home.vault.id)
    await home.call("DELETE", f"items/{item.id}")
    await home.call("POST", f"items/{item.id}/purge")
    other = await home.item(title="Zebra")
    assert await titles(home, "quagga") == []
    assert list(cache.get(home.vault.id)) == [other.id]
    stored = await rows_of("SELECT i::text AS row FROM vault_items i WHERE vault_id = :vault", vault=home.vault.id)
    assert "zebra" not in str(stored).lower()


async def test_more_than_can_be_searched_at_once_is_refused(home: Home):
    await home.item()
    await home.item(home.other)
    with changed_settings(search_items=1):
        problem = await home.call("POST", "search", {"query": "x"}, status=409)
        assert problem["code"] == "limit-reached"
        assert await titles(home, vault_ids=[str(home.other.id)]) == ["Ada's passport"]


@pytest.mark.parametrize(
    "body",
    [
        {"query": "x" * 201},
        {"query": "\x00"},
        {"limit": 0},
        {"limit": 101},
        {"limit": True},
        {"cursor": "x"},
        {"types": ["spaceship"]},
        {"vault_ids": ["x"]},
        {"dates": {"from_on": "31.05.2031"}},
        {"dates": {"from_on": 0}},
        {"dates": {"from_on": "2031-02-30"}},
        {"dates": {"role": "someday"}},
        {"changed_from": "2031-05-31T00:00:00"},
        {"order": "title"},
    ],
)
async def test_a_malformed_search_is_refused(home: Home, body):
    await home.call("POST", "search", body, status=422)
