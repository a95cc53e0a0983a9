"""What must hold when all is quiet, whatever happened before: looked up in our database and in the provider's books."""

from typing import Any

import httpx

from tests.payments.faults.world import World, ask

PROVIDER = "sim"


async def theirs(world: World, path: str, **query: Any) -> list[dict[str, Any]]:
    """All objects of a list of the provider."""
    found: list[dict[str, Any]] = []
    async with httpx.AsyncClient(base_url=world.simulator.url, headers=world.simulator.headers, timeout=60) as client:
        while True:
            after = {"starting_after": found[-1]["id"]} if found else {}
            answer = await client.get(f"/v1/{path}", params={"limit": 100, **query, **after})
            page = answer.raise_for_status().json()
            found += page["data"]
            if not page["has_more"]:
                return found


async def violations(world: World) -> list[str]:
    """Every invariant that does not hold, in words."""
    checks = (
        _balanced,
        _cash,
        _clearing,
        _subscriptions,
        _invoices,
        _credits,
        _receipts,
        _events,
        _operations,
        _objects,
    )
    return [f"{check.__name__}: {line}" for check in checks for line in await check(world)]


async def _balanced(world: World) -> list[str]:
    rows = await ask(
        world.stack,
        "SELECT transaction_id, currency, sum(amount_cents) AS cents FROM payments_ledger_legs "
        "GROUP BY 1, 2 HAVING sum(amount_cents) <> 0",
    )
    return [f"{row['transaction_id']} is off by {row['cents']}" for row in rows]


async def _cash(world: World) -> list[str]:
    """M2: what each movement did to our cash is what the provider says."""
    rows = await ask(
        world.stack,
        "SELECT t.reference, sum(l.amount_cents)::bigint AS cents FROM payments_ledger_transactions t "
        "JOIN payments_ledger_legs l ON l.transaction_id = t.id "
        "WHERE l.account = 'cash' AND l.subject = $1 GROUP BY 1",
        PROVIDER,
    )
    ours = {row["reference"]: row["cents"] for row in rows}
    provider = {entry["id"]: entry["net"] for entry in await theirs(world, "balance_transactions")}
    return [
        f"{key}: {ours.get(key)} here, {provider.get(key)} there"
        for key in ours.keys() | provider.keys()
        if ours.get(key) != provider.get(key)
    ]


async def _clearing(world: World) -> list[str]:
    """M4: nothing is left on the way."""
    rows = await ask(
        world.stack,
        "SELECT subject, sum(amount_cents) AS cents FROM payments_ledger_legs WHERE account = 'clearing' "
        "GROUP BY 1 HAVING sum(amount_cents) <> 0",
    )
    return [f"{row['subject']} has {row['cents']}" for row in rows]


async def _subscriptions(world: World) -> list[str]:
    """S1, S2: one row for each subscription, equal to the provider's; one that lives for each family."""
    rows = await ask(world.stack, "SELECT * FROM payments_subscriptions")
    ours = {row["provider_id"]: row for row in rows}
    provider = {each["id"]: each for each in await theirs(world, "subscriptions", status="all")}
    wrong = [f"{key} is on one side only" for key in ours.keys() ^ provider.keys()]
    for key in ours.keys() & provider.keys():
        here, there = ours[key], provider[key]
        if here["provider_status"] != there["status"]:
            wrong.append(f"{key} is {here['provider_status']} here, {there['status']} there")
        if here["cancel_at_period_end"] != there["cancel_at_period_end"]:
            wrong.append(f"{key} differs in cancel_at_period_end")
    living = [row["family_id"] for row in rows if row["state"] not in ("ended", "pending")]
    return wrong + [f"family {each} has two subscriptions" for each in set(living) if living.count(each) > 1]


async def _invoices(world: World) -> list[str]:
    rows = await ask(world.stack, "SELECT provider_id, status, total_cents, paid_cents FROM payments_invoices")
    ours = {row["provider_id"]: (row["status"], row["total_cents"], row["paid_cents"]) for row in rows}
    found = await theirs(world, "invoices")
    provider = {each["id"]: (each["status"], each["total"], each["amount_paid"]) for each in found}
    return [
        f"{key}: {ours.get(key)} here, {provider.get(key)} there"
        for key in ours.keys() | provider.keys()
        if ours.get(key) != provider.get(key)
    ]


async def _credits(world: World) -> list[str]:
    """C1, C2: granted once; used + held + expired + left + taken back = granted."""
    rows = await ask(
        world.stack,
        "SELECT p.id, count(l.id) AS lots FROM payments_payments p LEFT JOIN payments_credit_lots l "
        "ON l.source_kind = 'payment' AND l.source_reference = p.id::text "
        "WHERE p.credits_price_id IS NOT NULL GROUP BY 1 HAVING count(l.id) <> 1",
    )
    wrong = [f"payment {row['id']} has {row['lots']} lots" for row in rows]
    audit = await ask(world.stack, "SELECT * FROM payments_credit_audit")
    off = ("off_account", "off_uses", "off_settled", "off_holds")
    return wrong + [f"{dict(row)}" for row in audit if any(row[name] for name in off)]


async def _receipts(world: World) -> list[str]:
    """R1: without gaps, one for each paid invoice."""
    rows = await ask(world.stack, "SELECT series, count(*) AS n, max(number) AS last FROM payments_receipts GROUP BY 1")
    wrong = [f"{row['series']} has {row['n']} up to {row['last']}" for row in rows if row["n"] != row["last"]]
    missing = await ask(
        world.stack,
        "SELECT i.id FROM payments_invoices i LEFT JOIN payments_receipts r ON r.invoice_id = i.id "
        "WHERE (i.status = 'paid') <> (r.id IS NOT NULL)",
    )
    return wrong + [f"invoice {row['id']}" for row in missing]


async def _events(world: World) -> list[str]:
    """E1 to E3: every event is stored once and handled."""
    rows = await ask(
        world.stack,
        "SELECT event_id, type, last_error FROM payments_inbox WHERE handled_at IS NULL OR dead_at IS NOT NULL",
    )
    return [f"{row['event_id']} {row['type']} {row['last_error']}" for row in rows]


async def _operations(world: World) -> list[str]:
    rows = await ask(
        world.stack,
        "SELECT id, kind, state, error_code FROM payments_operations "
        "WHERE state NOT IN ('succeeded', 'failed') OR (state = 'succeeded' AND followed_at IS NULL)",
    )
    return [f"{row['id']} {row['kind']} is {row['state']} {row['error_code']}" for row in rows]


async def _objects(world: World) -> list[str]:
    """P1 to P3: nothing was made twice at the provider."""
    wrong = []
    families = await ask(world.stack, "SELECT count(*) AS n FROM payments_customers")
    customers = await theirs(world, "customers")
    if len(customers) > families[0]["n"]:
        wrong.append(f"{len(customers)} customers for {families[0]['n']} families")
    for path in ("customers", "checkout/sessions", "refunds"):
        marks = [each["metadata"].get("lv_op") for each in await theirs(world, path)]
        wrong += [f"{path}: operation {mark} was done twice" for mark in set(marks) if mark and marks.count(mark) > 1]
    return wrong
