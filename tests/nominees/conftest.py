"""A family with a plan, its letters, and time that is moved by the argument that says what time it is."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.core.config import Settings
from app.db.runtime import Runtime
from app.db.session import session_scope
from app.main import create_app
from app.nominees import tasks
from app.vault.schemas.documents import DocumentAccepted
from app.vault.schemas.items import ItemRead
from app.vault.schemas.vaults import VaultRead
from tests.auth.conftest import mailbox, some_address
from tests.conftest import drain_jobs
from tests.factories import TestUser, auth, make_document, make_item, make_user, make_vault
from tests.notifications.smtp import Mailbox, text_of

__all__ = ["mailbox", "tasks"]

START = datetime(2031, 1, 1, 12, tzinfo=UTC)
ROOT = "/v1/nominees"


@dataclass
class Nominee:
    """Somebody named, with what was mailed to them."""

    id: str
    name: str
    email: str
    token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers of their requests, once they have signed in."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class Legacy:
    """An owner with two vaults, and what they arrange."""

    client: httpx.AsyncClient
    settings: Settings
    mailbox: Mailbox
    owner: TestUser
    vault: VaultRead
    other: VaultRead
    item: ItemRead
    document: DocumentAccepted
    now: datetime = START
    people: dict[str, Nominee] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        return auth(self.owner)

    async def post(self, path: str, body: Any = None, *, by: Nominee | None = None, expect: int = 200) -> Any:
        headers = by.headers if by else self.headers
        response = await self.client.post(f"{ROOT}{path}", json=body, headers=headers)
        assert response.status_code == expect, response.text
        return response.json() if response.content and expect != 204 else None

    async def get(self, path: str, *, by: Nominee | None = None, expect: int = 200) -> Any:
        response = await self.client.get(f"{ROOT}{path}", headers=by.headers if by else self.headers)
        assert response.status_code == expect, response.text
        return response.json()

    async def name(self, name: str, *, accept: bool = True) -> Nominee:
        """Name somebody, who accepts by the link in the letter."""
        email = f"{name.lower()}.{uuid4().hex}@example.org"
        made = await self.post("/people", {"name": name, "email": email, "relation": "friend"}, expect=201)
        nominee = self.people[name] = Nominee(made["id"], name, email)
        if accept:
            token = await self.link_of(nominee.email, "invitation")
            await self.post("/invitations/answer", {"token": token, "accept": True}, expect=204)
        return nominee

    async def plan(self, *nominees: Nominee, arm: bool = True, **values: Any) -> str:
        """A plan that gives the whole vault to each of these, in force."""
        gifts = [{"kind": "vault", "nominee_id": each.id, "vault_id": str(self.vault.id)} for each in nominees]
        body = {"title": "For my friends", "stages": [{"after_days": 0, "gifts": gifts}], **values}
        plan_id: str = (await self.post("/plans", body, expect=201))["id"]
        if arm:
            await self.post(f"/plans/{plan_id}/arm")
        return plan_id

    async def letters(self, email: str) -> list[EmailMessage]:
        """What was sent to an address, after all that waits has gone out."""
        await drain_jobs(self.settings)
        return self.mailbox.sent_to(email)

    async def subjects(self, email: str) -> list[str]:
        return [str(each["Subject"]) for each in await self.letters(email)]

    async def link_of(self, email: str, kind: str) -> str:
        """The token of the newest link of a kind that an address got."""
        for letter in reversed(await self.letters(email)):
            if found := re.search(rf"/links/{kind}\?token=([\w-]+)", text_of(letter)):
                return found[1]
        raise AssertionError(f"no letter with a link to {kind}")

    async def sign_in(self, nominee: Nominee) -> Nominee:
        """Sign in by the newest link and the code that is mailed for it."""
        token = await self.link_of(nominee.email, "sign-in")
        await self.post("/sign-in/code", {"token": token}, expect=202)
        letter = (await self.letters(nominee.email))[-1]
        code = re.search(r"\b(\d{6})\b", str(letter["Subject"]))
        assert code
        answer = await self.post("/token", {"token": token, "code": code[1]})
        nominee.token = answer["access_token"]
        return nominee

    async def seen(self, at: datetime | None = None) -> None:
        """Let the owner have been there at a time, and not later."""
        async with session_scope() as session:
            for statement in (
                "UPDATE auth_users SET last_seen_at = :at WHERE id = :id",
                "UPDATE auth_sessions SET last_seen_at = :at WHERE user_id = :id",
            ):
                await session.execute(text(statement), {"at": at or self.now, "id": self.owner.id})

    async def later(self, *, days: float = 0, steps: int = 1) -> None:
        """Let time pass, and let the schedule do what is due, as often as said; letters go out meanwhile."""
        self.now += timedelta(days=days)
        for _ in range(steps):
            await drain_jobs(self.settings)
            await tasks.advance_cases(self.now)
            await tasks.suspect_inactive(self.now)
            await tasks.advance_drills(self.now)
        await drain_jobs(self.settings)

    async def until(self, case_id: str, state: str) -> dict[str, Any]:
        """Let the case go on by itself until it is in a state."""
        for _ in range(20):
            case = await self.case(case_id)
            if case["state"] == state:
                return case
            due = datetime.fromisoformat(case["due_at"])
            self.now = max(self.now, due)
            await self.later()
        raise AssertionError(f"never {state}: {case}")

    async def case(self, case_id: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.get(f"/cases/{case_id}")
        return found

    async def ask(self, nominee: Nominee, plan_id: str) -> str:
        """Let a nominee who is signed in ask; the case."""
        visit = await self.post(f"/visit/plans/{plan_id}/ask", by=nominee)
        [plan] = [each for each in visit["plans"] if each["id"] == plan_id]
        case: str = plan["case"]["id"]
        self.now = max(self.now, datetime.fromisoformat(plan["case"]["due_at"]) - timedelta(days=1))
        return case


@pytest.fixture(scope="session")
def application(settings: Settings) -> FastAPI:
    """Made once: finding its routes takes a second."""
    return create_app(settings)


@pytest.fixture
async def visitor(application: FastAPI, runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP from an address that nobody else comes from."""
    transport = httpx.ASGITransport(application, client=(some_address(), 1234), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
        yield client


@pytest.fixture
async def legacy(visitor: httpx.AsyncClient, settings: Settings, mailbox: Mailbox, runtime: Runtime) -> Legacy:
    owner = await make_user(name="Ada Lovelace")
    vault = await make_vault(owner, name="Family papers")
    other = await make_vault(owner, name="Diaries")
    item = await make_item(owner, vault, title="Ada's passport", fields={"number": "K01234567"})
    await make_item(owner, other, type="secure_note", title="Dear diary")
    document = await make_document(owner, vault, content=b"The excess is 250 euros.\n")
    return Legacy(visitor, settings, mailbox, owner, vault, other, item, document, datetime.now(UTC))


async def rows_of(statement: str, **values: object) -> list[Any]:
    """What the database holds, as the system sees it."""
    async with session_scope() as session:
        return list((await session.execute(text(statement), values)).all())


async def count(table: str, owner: UUID) -> int:
    return int((await rows_of(f"SELECT count(*) FROM {table} WHERE user_id = :owner", owner=owner))[0][0])
