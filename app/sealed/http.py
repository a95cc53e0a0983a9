"""The transport to a LifeVault server: each name and each write of suite LV1 as an operation of its API.

`send` makes one HTTP request; `over_http` makes one of the standard library. Sign in before, by whatever way: the token
says who asks, and opens nothing.
"""

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import UUID

from app.sealed.errors import Conflict, Missing, NotAllowed, SealedError, WrongPassword
from app.sealed.members import open_list
from app.sealed.names import item_of

Send = Callable[[str, str, bytes | None, str], tuple[int, bytes]]  # method, path, body, its type → status, body
Changes = Mapping[str, bytes | None]

ROOT: Final = "/v1/vault/sealed"
JSON, OCTETS = "application/json", "application/octet-stream"
CONFLICTS: Final = ("stale-revision", "epoch-wanted", "epoch-unfinished", "chunk-exists")
PAGE: Final = 100


class Refused(SealedError):
    """The server refuses what was asked, for a reason that suite LV1 knows nothing of; `code` says which."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code = status, code


def over_http(url: str, token: str, timeout: float = 60) -> Send:
    """Requests to a server at this address, for whom the token speaks."""

    def send(method: str, path: str, body: bytes | None, content_type: str) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type}
        request = Request(f"{url.rstrip('/')}{path}", body, headers, method=method)  # noqa: S310  the caller's address
        try:
            with urlopen(request, timeout=timeout) as response:  # noqa: S310
                return response.status, response.read()
        except HTTPError as error:
            return error.code, error.read()

    return send


class HttpTransport:
    """A server of ours as a `Transport`; what it answers is worth no more than what any other one would."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._vaults: dict[str, dict[str, Any]] = {}
        self._lists: dict[str, list[str]] = {}  # they never change: only those to come are asked for
        self._items: dict[tuple[str, str], dict[str, Any]] = {}
        self._wraps: dict[str, bytes | None] = {}

    def authenticate(self, account: UUID, key: bytes) -> None:
        """Sign in by a key of the account; the wraps come with it. Raises `WrongPassword`, `Missing`."""
        answer = self._json("POST", f"{ROOT}/account/unlock", {"key": _text(key)})
        self._wraps[str(account)] = _bytes(answer["wraps"])

    def get(self, name: str) -> bytes:
        """One blob. Raises `Missing`."""
        room, owner, *rest = name.split("/")
        found = self._of_account(owner, rest[0]) if room == "accounts" else self._of_vault(owner, rest)
        if found is None:
            raise Missing
        return found

    def names(self, prefix: str) -> Sequence[str]:
        """The names that begin so: of all items of a vault, or of the revisions of one."""
        _, vault, _, *rest = prefix.rstrip("/").split("/")
        if not rest:
            return [f"{prefix}{item}/keys" for item in self._item_ids(vault)]
        return [f"{prefix}{each}" for each in range(1, self._item(vault, rest[0])["revision"] + 1)]

    def put(self, changes: Changes, expected: Changes) -> None:
        """One write of the reference client; anything else is a `ValueError`. Raises `Conflict`, `NotAllowed`."""
        room, owner, *_ = next(iter(changes)).split("/")
        kinds = {_kind(name) for name in changes}
        if room == "accounts":
            self._put_account(owner, changes, expected)
        elif "members" in kinds:
            self._put_list(owner, changes, expected)
        elif "items" in kinds:
            self._put_item(owner, changes, expected)
        elif kinds == {"files"}:
            self._put_chunks(changes)
        elif kinds == {"chain"} and not any(changes.values()):
            self._call("POST", f"{ROOT}/vaults/{owner}/finish-epoch")
        else:
            raise ValueError("the reference client writes nothing of this kind")
        self._vaults.pop(owner, None)

    def leave_due(self, vault: UUID, epoch: int, first: date, days: Iterable[bytes], tokens: Iterable[bytes]) -> None:
        """Leave the tokens of the coming days (`SealedVault.due_tokens`), and those of the days that matter.

        Raises `Conflict` for tokens of another epoch than the present one.
        """
        body = {"epoch": epoch, "first_on": first.isoformat(), "days": [_text(each) for each in days]}
        self._json("PUT", f"{ROOT}/vaults/{vault}/due", body | {"tokens": [_text(each) for each in tokens]})

    def _of_account(self, account: str, what: str) -> bytes | None:
        if what == "wraps":
            return self._wraps.get(account)
        if what == "state":
            return _bytes(self._json("GET", f"{ROOT}/accounts/{account}")["state"])
        return _bytes(self._json("GET", f"{ROOT}/account")["pins"]) if what == "pins" else None

    def _of_vault(self, vault: str, rest: list[str]) -> bytes | None:
        match rest:
            case ["members", counter]:
                newest = self._vault(vault, fresh=counter == "1")["counter"]
                lists = self._lists[vault][:newest]
                return _bytes(lists[int(counter) - 1]) if 0 < int(counter) <= len(lists) else None
            case ["clock"]:
                return _bytes(self._vault(vault, fresh=True)["clock"])
            case ["wraps", epoch, _]:
                head = self._vault(vault)
                return _bytes(head["wrap"]) if head["epoch"] == int(epoch) and head["wrap"] else None
            case ["chain", epoch]:
                links = {each["epoch"]: each["link"] for each in self._vault(vault)["links"]}
                return _bytes(links[int(epoch)]) if int(epoch) in links else None
            case ["closing", epoch]:
                return _bytes(self._json("GET", f"{ROOT}/vaults/{vault}/epochs/{epoch}")["closing"])
            case ["items", item, "keys"]:
                return _bytes(self._item(vault, item)["keys"])
            case ["items", item, "revisions", revision]:
                return self._revision(vault, item, int(revision))
            case ["files", file, index]:
                return self._call("GET", f"{ROOT}/vaults/{vault}/files/{file}/chunks/{index}")
        return None

    def _vault(self, vault: str, *, fresh: bool = False) -> dict[str, Any]:
        """Read whole at the first list, so that lists, wraps and links of one reading belong together."""
        if fresh or vault not in self._vaults:
            known = self._lists.setdefault(vault, [])
            head = self._json("GET", f"{ROOT}/vaults/{vault}?after={len(known)}")
            known += head["members"]
            self._vaults[vault] = head
        return self._vaults[vault]

    def _item(self, vault: str, item: str) -> dict[str, Any]:
        self._items[vault, item] = found = self._json("GET", f"{ROOT}/vaults/{vault}/items/{item}")
        return found

    def _item_ids(self, vault: str) -> list[str]:
        found: list[str] = []
        cursor = ""
        while True:
            page = self._json("GET", f"{ROOT}/vaults/{vault}/items?limit={PAGE}{cursor}")
            found += [each["item_id"] for each in page["items"]]
            if not page["next_cursor"]:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    def _revision(self, vault: str, item: str, revision: int) -> bytes:
        known = self._items.get((vault, item), {})
        if known.get("revision") == revision:
            return _bytes(known["content"])
        path = f"{ROOT}/vaults/{vault}/items/{item}/revisions?first={revision}&limit=1"
        found = self._json("GET", path)["items"]
        if not found or found[0]["revision"] != revision:
            raise Missing
        return _bytes(found[0]["content"])

    def _put_account(self, account: str, changes: Changes, expected: Changes) -> None:
        mine = {name.rpartition("/")[2]: blob for name, blob in changes.items()}
        body = {name.replace("-", "_"): _text(blob) for name, blob in mine.items() if blob is not None}
        pins_before = expected.get(f"accounts/{account}/pins")
        if "state" not in mine:
            self._json("PUT", f"{ROOT}/account/pins", body | {"pins_before": _text(pins_before or bytes(32))})
        elif expected.get(f"accounts/{account}/state") is None:
            self._json("POST", f"{ROOT}/account", body)
        else:
            self._json("PUT", f"{ROOT}/account", body | {"pins_before": _text(pins_before or bytes(32))})
        if "wraps" in mine:
            self._wraps[account] = mine["wraps"]

    def _put_list(self, vault: str, changes: Changes, expected: Changes) -> None:
        by_kind = {_kind(name): blob for name, blob in changes.items() if blob is not None}
        given = {name: blob for name, blob in changes.items() if _kind(name) == "wraps" and blob is not None}
        body: dict[str, Any] = {
            "members": _text(by_kind["members"]),
            "wraps": {name.rpartition("/")[2]: _text(blob) for name, blob in given.items()},
            "clock": _text(by_kind["clock"]),
        }
        if open_list(by_kind["members"])[0].counter == 1:
            self._json("POST", f"{ROOT}/vaults", body | {"vault_id": vault})
            return
        if "chain" in by_kind:
            ends = {"link": _text(by_kind["chain"]), "closing": _text(by_kind["closing"])}
            clock_before = expected[f"vaults/{vault}/clock"] or bytes(32)
            body["ends"] = ends | {"clock_before": _text(clock_before)}
        self._json("POST", f"{ROOT}/vaults/{vault}/lists", body)

    def _put_item(self, vault: str, changes: Changes, expected: Changes) -> None:
        item = str(item_of(next(name for name in changes if _kind(name) == "items")))
        prefix = f"vaults/{vault}/items/{item}/"
        keys, keys_before = changes[f"{prefix}keys"], expected[f"{prefix}keys"]
        before = None if keys_before is None else _text(keys_before)
        body: dict[str, Any] = {"keys": _text(keys or b""), "keys_before": before}
        [*written] = (blob for name, blob in changes.items() if name.startswith(f"{prefix}revisions/"))
        if not written:
            counter = min(int(name.rpartition("/")[2]) for name in expected if _kind(name) == "members") - 1
            self._json("PUT", f"{ROOT}/vaults/{vault}/items/{item}/keys", body | {"counter": counter})
            return
        clock, clock_before = changes[f"vaults/{vault}/clock"], expected[f"vaults/{vault}/clock"]
        body |= {"clock": _text(clock or b""), "clock_before": _text(clock_before or bytes(32))}
        self._json("PUT", f"{ROOT}/vaults/{vault}/items/{item}", body | {"revision": _text(written[0] or b"")})

    def _put_chunks(self, changes: Changes) -> None:
        for name, chunk in changes.items():
            _, vault, _, file, index = name.split("/")
            if chunk is None:
                self._call("DELETE", f"{ROOT}/vaults/{vault}/files/{file}")
                return
            self._call("PUT", f"{ROOT}/vaults/{vault}/files/{file}/chunks/{index}", chunk, OCTETS)

    def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        sent = None if body is None else json.dumps(body).encode()
        answer: dict[str, Any] = json.loads(self._call(method, path, sent, JSON))
        return answer

    def _call(self, method: str, path: str, body: bytes | None = None, content_type: str = JSON) -> bytes:
        status, answer = self._send(method, path, body, content_type)
        if status < 300:
            return answer
        raise _refusal(status, answer)


def _refusal(status: int, answer: bytes) -> SealedError:
    try:
        code = str(json.loads(answer)["code"])
    except (ValueError, KeyError, TypeError):
        code = ""
    if status == 404:
        return Missing()
    if code in CONFLICTS:
        return Conflict()
    if code == "wrong-sealed-key":
        return WrongPassword()
    return NotAllowed() if code == "role-too-low" else Refused(status, code)


def _kind(name: str) -> str:
    return name.split("/")[2]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text)
