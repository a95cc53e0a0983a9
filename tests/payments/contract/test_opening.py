"""One provider for each event loop, opened by settings, closed with the runtime; neither SDK nor httpx to start."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from app.core.breaker import FAILURES, states
from app.core.config import SettingsError, load_settings
from app.db import runtime as runtimes
from app.db.runtime import Runtime, close_runtime, open_runtime
from app.db.session import new_session
from app.payments.errors import PaymentsOff
from app.payments.providers import registry
from app.payments.providers.port import NotReached, Operation, Provider, ProviderError
from app.payments.providers.registry import current_provider, needed_provider, provider_of
from tests.payments.contract.opening import NAMES, SECRET, open_provider, settings_of
from tests.payments.contract.scripted import refused, said, scripted_server

NOBODY = "http://127.0.0.1:1"
NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
def open_own(tmp_path: Path) -> Iterator[Callable[..., Runtime]]:
    """Opens the runtime with these settings; that of the other tests is put back."""
    before, bind = list(runtimes._current), new_session.kw.get("bind")

    def opened(name: str = "none", url: str = NOBODY) -> Runtime:
        places = {"database_url": NO_DATABASE, "blob_url": tmp_path.as_uri()}
        return open_runtime(settings_of(name, url, **places))

    yield opened
    runtimes._current[:] = before
    new_session.configure(bind=bind)


@pytest.mark.parametrize("name", NAMES)
async def test_settings_open_the_provider_that_they_name(name):
    provider = open_provider(name, NOBODY)

    assert provider.name == name
    assert provider.livemode is False
    await provider.close()


@pytest.mark.parametrize("key", ["sk_live_1", "rk_live_1"])
async def test_a_live_key_of_stripe_means_live_mode(key):
    provider = open_provider("stripe", NOBODY, key=key)

    assert provider.livemode is True
    await provider.close()


def test_without_a_provider_payments_are_off():
    with pytest.raises(PaymentsOff):
        provider_of(load_settings(environment="test"))


@pytest.mark.parametrize("key", ["sk_live_1", "rk_live_1"])
def test_the_simulator_refuses_to_be_opened_beside_a_live_key(key):
    settings = settings_of("sim", NOBODY).model_copy(update={"stripe_api_key": SecretStr(key)})

    with pytest.raises(PaymentsOff):
        provider_of(settings)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"payment_provider": "sim", "sim_url": NOBODY, "sim_key": "k", "stripe_api_key": "sk_live_1"}, "live key"),
        ({"payment_provider": "sim"}, "LIFEVAULT_SIM_URL"),
        ({"payment_provider": "stripe"}, "LIFEVAULT_STRIPE_API_KEY"),
        ({"payment_provider": "stripe", "stripe_api_key": "sk_test_1"}, "LIFEVAULT_PAYMENT_WEBHOOK_SECRETS"),
        ({"payment_provider": "sim", "environment": "production"}, "must not be sim"),
        ({"payment_provider": "stripe", "stripe_url": "http://a", "environment": "production"}, "must be https"),
    ],
)
def test_settings_that_can_not_work_say_why_and_show_no_secret(values, words):
    with pytest.raises(SettingsError, match=words) as caught:
        load_settings(**{"environment": "test", **values})

    assert "sk_" not in str(caught.value)


async def ask_for_customer(provider: Provider) -> str:
    operation = Operation(uuid4())
    return await provider.create_customer(operation, family_id=operation.id, email="a@b.test", name="Ana")


@pytest.mark.parametrize("name", NAMES)
def test_each_event_loop_has_a_provider_of_its_own(name, open_own):
    used = []

    async def ask() -> str:
        async with scripted_server() as server:
            server.say(said(200, id="cus_1"))
            open_own(name, server.url)
            provider = needed_provider()
            assert needed_provider() is provider
            used.append(provider)
            customer_id = await ask_for_customer(provider)
            await close_runtime()
            return customer_id

    assert [asyncio.run(ask()) for _ in range(3)] == ["cus_1"] * 3
    assert len({id(each) for each in used}) == 3


@pytest.mark.parametrize("name", NAMES)
def test_loops_at_the_same_time_do_not_share_connections(name, open_own):
    open_own(name)

    async def opened() -> Provider:
        return needed_provider()

    with asyncio.Runner() as first, asyncio.Runner() as second:
        providers = [first.run(opened()), second.run(opened()), first.run(opened())]
        assert providers[0] is providers[2]
        assert providers[0] is not providers[1]
        second.run(providers[1].close())
        first.run(close_runtime())


@pytest.mark.parametrize("name", NAMES)
async def test_another_runtime_means_another_provider(name, open_own):
    open_own(name)
    first = needed_provider()
    await close_runtime()
    open_own(name)

    assert needed_provider() is not first
    await close_runtime()


@pytest.mark.parametrize("name", NAMES)
async def test_a_closed_runtime_has_closed_its_provider(name, open_own):
    async with scripted_server() as server:
        server.say(said(200, id="cus_1"))
        open_own(name, server.url)
        provider = needed_provider()
        await ask_for_customer(provider)
        await close_runtime()

        with pytest.raises((RuntimeError, NotReached)):
            await ask_for_customer(provider)


@pytest.mark.parametrize("name", NAMES)
def test_the_provider_of_a_loop_that_is_gone_does_not_disturb_closing(name, open_own):
    open_own(name)

    async def opened() -> Provider:
        return needed_provider()

    gone = asyncio.run(opened())
    with asyncio.Runner() as runner:
        last = runner.run(opened())
        runner.run(close_runtime())
        with pytest.raises(RuntimeError):
            runner.run(ask_for_customer(last))

    assert gone is not last


@pytest.mark.parametrize("name", NAMES)
async def test_a_provider_that_fails_again_and_again_is_left_alone_for_a_while(name, open_own):
    async with scripted_server() as server:
        server.say(refused(503, "api_error"))
        open_own(name, server.url)
        codes = []
        for _ in range(FAILURES + 1):
            with pytest.raises(NotReached) as caught:
                await ask_for_customer(needed_provider())
            codes.append(caught.value.code)
        await close_runtime()

        assert codes == ["down"] * FAILURES + ["held-back"]
        assert len(server.asked) == FAILURES
        assert states()["payments"] is False
        forget(server.url)


@pytest.mark.parametrize("name", NAMES)
async def test_refusals_and_limits_hold_nothing_back(name, open_own):
    async with scripted_server() as server:
        answers = [refused(402, "card_error"), refused(429, "rate_limit_error"), refused(400, "invalid_request_error")]
        server.say(*answers * 3, said(200, id="cus_1"))
        open_own(name, server.url)
        for _ in range(len(answers) * 3):
            with pytest.raises(ProviderError):
                await ask_for_customer(needed_provider())

        assert await ask_for_customer(needed_provider()) == "cus_1"
        await close_runtime()
        forget(server.url)


def forget(url: str) -> None:
    """A breaker lives as long as its process, and so would what it says of a server that is gone."""
    registry._breakers.pop(url).succeeded()


async def test_payments_that_are_off_have_no_provider(open_own):
    open_own()

    assert current_provider() is None
    with pytest.raises(PaymentsOff):
        needed_provider()
    await close_runtime()


BLOCKED = """
import sys
from uuid import uuid4
sys.modules["stripe"] = None
from app.payments.providers import port, registry, shaped, wire
assert "httpx" not in sys.modules, "httpx was imported"
from app.core.config import load_settings
import asyncio
async def main():
    provider = registry.provider_of(load_settings(environment="test", payment_provider="sim", sim_url="http://127.0.0.1:1",
        sim_key="k", payment_webhook_secrets="SECRET"))
    assert provider.name == "sim"
    await provider.close()
asyncio.run(main())
""".replace("SECRET", SECRET)


def test_without_the_sdk_the_simulator_works_and_nothing_heavy_is_imported_to_start():
    done = subprocess.run([sys.executable, "-W", "error", "-c", BLOCKED], capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
