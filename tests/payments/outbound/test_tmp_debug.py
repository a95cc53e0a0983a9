import random, pytest
from sqlalchemy import text
from app.db.session import session_scope
from tests.payments.outbound.test_subscription import change_at_random
from tests.payments.outbound.people import make_payer
pytestmark = pytest.mark.anyio
async def test_x(shop):
    try:
        for seed in range(1000, 1012):
            rng, person = random.Random(seed), (await make_payer())[1]
            await shop.buy(person, plan=rng.choice(["plus", "family"]), interval=rng.choice(["month", "year"]))
            for _ in range(4): await change_at_random(shop, person, rng)
    except AssertionError as e:
        async with session_scope() as s:
            rows = (await s.execute(text("select type, object_id, attempts, last_error, handled_at is not null, next_try_at - now() from payments_inbox where handled_at is null"))).all()
            jobs = (await s.execute(text("select kind, state, attempts, error_code, count(*) from jobs group by 1,2,3,4"))).all()
            n = (await s.execute(text("select count(*) from payments_inbox"))).scalar()
        print("INBOX", n, rows); print("JOBS", jobs)
        raise
