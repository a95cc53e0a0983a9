"""LifeVault and the simulator as processes, and families that buy, change, cancel and dispute at random."""

import asyncio
import random
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from app.cli.embedded.files import read_json
from app.cli.embedded.secrets import load_or_create_secrets
from tests.payments.simulator import Simulator
from tests.stack import Person, Stack

CARDS = ("pm_card_visa", "pm_card_mastercard", "pm_card_chargeDeclined", "pm_card_threeDSecure2Required")
PLANS = (("plus", "month"), ("plus", "year"), ("family", "month"), ("family", "year"))
TRIES = 4
PAYMENTS = "/v1/payments"
Json = dict[str, Any]


def database_url(stack: Stack) -> str:
    """The embedded database as its superuser sees it."""
    port = read_json(stack.folder / "ports.json")["postgres"]
    superuser = load_or_create_secrets(stack.folder).postgres.superuser
    return f"postgresql://postgres:{superuser}@127.0.0.1:{port}/lifevault"


async def ask(stack: Stack, statement: str, *values: Any) -> list[asyncpg.Record]:
    """Rows of the database, whatever the security of rows."""
    connection = await asyncpg.connect(database_url(stack))
    try:
        return list(await connection.fetch(statement, *values))
    finally:
        await connection.close()


@dataclass
class World:
    """What the random histories are played in."""

    stack: Stack
    simulator: Simulator
    operator: Person
    packs: list[str]
    people: list[Person] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    async def post(
        self, person: Person, path: str, body: Json | None = None, seconds: float = 40
    ) -> httpx.Response | None:
        """Send a command until it is answered; a lost answer, an outage, and a try that still runs are asked again."""
        headers = {"Authorization": person.client.headers["Authorization"], "Idempotency-Key": str(uuid4())}
        answer = None
        for number in range(TRIES):
            try:
                async with httpx.AsyncClient(base_url=self.stack.url, timeout=seconds) as client:
                    answer = await client.post(PAYMENTS + path, json=body or {}, headers=headers)
            except httpx.TransportError:
                answer = None
            if answer is not None and (answer.status_code < 500 and answer.status_code != 409):
                break
            await asyncio.sleep(0.3 * (number + 1))
        return answer

    async def get(self, person: Person, path: str) -> Json | None:
        try:
            headers = {"Authorization": person.client.headers["Authorization"]}
            async with httpx.AsyncClient(base_url=self.stack.url, timeout=40) as client:
                answer = await client.get(PAYMENTS + path, headers=headers)
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == 200 else None

    async def tell(self, path: str, body: Json) -> Json | None:
        """Do something on the provider's side; what is not possible there now is passed over."""
        async with httpx.AsyncClient(base_url=self.simulator.url, headers=self.simulator.headers, timeout=60) as client:
            try:
                answer = await client.post(f"/_sim{path}", json=body)
            except httpx.TransportError:
                return None
        return answer.json() if answer.status_code == 200 else None

    async def act(self, person: Person, chance: random.Random) -> None:
        """One random act of a person, or of the world."""
        acts = [self._buy] * 4 + [self._buy_credits, self._change, self._cancel, self._resume, self._refund]
        acts += [self._dispute, self._decline, self._settle]
        act = chance.choice(acts)
        self.done[act.__name__] += 1
        await act(person, chance)

    async def _buy(self, person: Person, chance: random.Random) -> None:
        plan, interval = chance.choice(PLANS)
        await self._check_out(person, chance, {"plan": plan, "interval": interval})

    async def _buy_credits(self, person: Person, chance: random.Random) -> None:
        await self._check_out(person, chance, {"price_id": chance.choice(self.packs)})

    async def _check_out(self, person: Person, chance: random.Random, body: Json) -> None:
        made = await self.post(person, "/checkout", body)
        if made is None or made.status_code != 201:
            return
        found = await ask(self.stack, "SELECT provider_id FROM payments_checkouts WHERE id = $1", made.json()["id"])
        if found and found[0]["provider_id"] and chance.random() < 0.85:
            card = chance.choice(CARDS)
            await self.tell(f"/checkout/{found[0]['provider_id']}/complete", {"payment_method": card})

    async def _change(self, person: Person, chance: random.Random) -> None:
        plan, interval = chance.choice(PLANS)
        seats = chance.randrange(3) if plan == "family" else 0
        await self.post(person, "/subscription/change", {"plan": plan, "interval": interval, "seats": seats})

    async def _cancel(self, person: Person, chance: random.Random) -> None:
        await self.post(person, "/subscription/cancel", {"at_period_end": chance.random() < 0.7})

    async def _resume(self, person: Person, _: random.Random) -> None:
        await self.post(person, "/subscription/resume")

    async def _refund(self, person: Person, chance: random.Random) -> None:
        payment = await self._payment(person)
        if payment:
            left = payment["received_cents"] - payment["refunded_cents"]
            amount = chance.randrange(1, left + 1) if left > 0 else 1
            await self.post(self.operator, "/admin/refunds", {"payment_id": str(payment["id"]), "amount_cents": amount})

    async def _dispute(self, person: Person, chance: random.Random) -> None:
        payment = await self._payment(person)
        left = payment["received_cents"] - payment["refunded_cents"] if payment else 0
        if payment and left > 0 and chance.random() < 0.6:
            await self.tell("/disputes", {"charge": payment["charge_id"], "amount": left})

    async def _settle(self, person: Person, chance: random.Random) -> None:
        mine = (
            "SELECT d.provider_id FROM payments_disputes d JOIN payments_families f ON f.id = d.family_id "
            "JOIN auth_users u ON u.id = f.owner_id WHERE u.id = $1 AND d.closed_at IS NULL"
        )
        for row in await ask(self.stack, mine, person.vault_id):
            await self.tell(f"/disputes/{row['provider_id']}/settle", {"outcome": chance.choice(("won", "lost"))})

    async def _decline(self, person: Person, chance: random.Random) -> None:
        mine = (
            "SELECT c.provider_id FROM payments_customers c JOIN payments_families f ON f.id = c.family_id "
            "WHERE f.owner_id = $1"
        )
        for row in await ask(self.stack, mine, person.vault_id):
            times = chance.randrange(1, 5)
            await self.tell(f"/customers/{row['provider_id']}/decline_next", {"times": times})

    async def _payment(self, person: Person) -> asyncpg.Record | None:
        mine = (
            "SELECT p.* FROM payments_payments p JOIN payments_families f ON f.id = p.family_id "
            "WHERE f.owner_id = $1 AND p.received_cents > 0 ORDER BY random() LIMIT 1"
        )
        found = await ask(self.stack, mine, person.vault_id)
        return found[0] if found else None


def new_person(stack: Stack, email: str | None = None) -> Person:
    """Somebody with an account; `vault_id` is their own id, as nothing is stored here."""
    client = httpx.Client(base_url=stack.url, timeout=60)
    stack.clients.append(client)
    person = Person(client, email or f"{secrets.token_hex(6)}@family.example", secrets.token_urlsafe(12))
    account = {"email": person.email, "password": person.password, "name": "Robin Varga"}
    client.post("/v1/auth/register", json=account).raise_for_status()
    stack.sign_in(person)
    person.vault_id = client.get("/v1/auth/me").raise_for_status().json()["id"]
    return person
