"""What may go wrong on the way means the same with both providers: done, not done, or unknown."""

import socket
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.core.clock import new_id, utc_now
from app.payments.providers.port import (
    Declined,
    Line,
    Missing,
    NotReached,
    Operation,
    OutcomeUnknown,
    Provider,
    ProviderError,
    Refused,
)
from tests.payments.contract.opening import NAMES, open_provider
from tests.payments.contract.scripted import Drop, Hang, Said, Scripted, refused, said, scripted_server

FAMILY = UUID(int=7)
CUSTOMER = said(200, id="cus_1", object="customer", livemode=False)


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted_server() as server:
        yield server


@pytest.fixture(params=NAMES)
async def provider(request: pytest.FixtureRequest, server: Scripted) -> AsyncIterator[Provider]:
    provider = open_provider(request.param, server.url)
    yield provider
    await provider.close()


@pytest.fixture(params=NAMES)
async def hasty(request: pytest.FixtureRequest, server: Scripted) -> AsyncIterator[Provider]:
    """A provider that waits for an answer as short as can be."""
    provider = open_provider(request.param, server.url, payment_timeout_seconds=0.1)
    yield provider
    await provider.close()


def create(provider: Provider, operation: Operation | None = None) -> Any:
    return provider.create_customer(operation or Operation(new_id()), family_id=FAMILY, email="a@b.test", name="Ana")


async def command_fails(provider: Provider, server: Scripted, *script: Said) -> ProviderError:
    server.say(*script)
    with pytest.raises(ProviderError) as caught:
        await create(provider)
    return caught.value


async def read_fails(provider: Provider, server: Scripted, *script: Said) -> ProviderError:
    server.say(*script)
    with pytest.raises(ProviderError) as caught:
        await provider.fetch_refund("re_1")
    return caught.value


def is_error(error: ProviderError, kind: type[ProviderError], code: str) -> bool:
    return type(error) is kind and error.code == code


async def test_a_declined_card_gives_the_decline_code(provider, server):
    error = await command_fails(
        provider, server, refused(402, "card_error", code="card_declined", decline_code="insufficient_funds")
    )

    assert is_error(error, Declined, "insufficient_funds")


async def test_a_declined_card_without_a_decline_code_gives_the_code(provider, server):
    error = await command_fails(provider, server, refused(402, "card_error", code="expired_card"))

    assert is_error(error, Declined, "expired_card")


async def test_a_payment_that_is_required_is_a_decline_whatever_its_type(provider, server):
    code = "subscription_payment_intent_requires_action"
    error = await command_fails(provider, server, refused(402, "invalid_request_error", code=code))

    assert is_error(error, Declined, code)


async def test_an_invalid_request_is_refused_with_its_code(provider, server):
    error = await command_fails(provider, server, refused(400, "invalid_request_error", code="parameter_missing"))

    assert is_error(error, Refused, "parameter_missing")


async def test_an_invalid_request_without_a_code_is_refused_with_its_type(provider, server):
    error = await command_fails(provider, server, refused(400, "invalid_request_error"))

    assert is_error(error, Refused, "invalid_request_error")


async def test_an_object_that_is_not_there_is_missing(provider, server):
    error = await read_fails(provider, server, refused(404, "invalid_request_error", code="resource_missing"))

    assert is_error(error, Missing, "resource_missing")


async def test_a_page_that_is_not_there_is_no_missing_object(provider, server):
    error = await read_fails(provider, server, (404, b"<html>not here</html>"))

    assert is_error(error, ProviderError, "unexpected-answer")


async def test_a_key_used_for_something_else_is_refused(provider, server):
    error = await command_fails(provider, server, refused(400, "idempotency_error"))

    assert is_error(error, Refused, "idempotency-mismatch")


async def test_a_key_that_is_at_work_elsewhere_leaves_the_outcome_open(provider, server):
    error = await command_fails(provider, server, refused(409, "idempotency_error", code="idempotency_key_in_use"))

    assert is_error(error, OutcomeUnknown, "in-progress")


@pytest.mark.parametrize("status", [409, 429])
async def test_a_locked_object_was_not_touched(provider, server, status):
    error = await command_fails(provider, server, refused(status, "invalid_request_error", code="lock_timeout"))

    assert type(error) is NotReached


async def test_over_the_rate_limit_nothing_was_done(provider, server):
    error = await command_fails(provider, server, refused(429, "rate_limit_error", code="rate_limit"))

    assert is_error(error, NotReached, "rate-limited")


async def test_over_the_rate_limit_of_a_proxy_nothing_was_done(provider, server):
    error = await command_fails(provider, server, (429, b"slow down"))

    assert is_error(error, NotReached, "rate-limited")


async def test_a_provider_that_says_it_is_down_has_done_nothing(provider, server):
    error = await command_fails(provider, server, refused(503, "api_error"))

    assert is_error(error, NotReached, "down")


async def test_a_proxy_that_says_so_does_not_know(provider, server):
    error = await command_fails(provider, server, (503, b"<html>upstream</html>"))

    assert is_error(error, OutcomeUnknown, "server-error")


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_command_that_breaks_at_the_provider_may_be_done(provider, server, status):
    error = await command_fails(provider, server, refused(status, "api_error"))

    assert is_error(error, OutcomeUnknown, "server-error")


async def test_a_read_that_breaks_at_the_provider_may_be_repeated(provider, server):
    error = await read_fails(provider, server, refused(500, "api_error"))

    assert is_error(error, NotReached, "server-error")


@pytest.mark.parametrize("status", [401, 403])
async def test_a_bad_key_is_refused_and_logged_without_the_key(provider, server, status, caplog):
    error = await command_fails(provider, server, refused(status, "invalid_request_error"))

    assert is_error(error, Refused, "not-authorised")
    assert [line.values for line in caplog.records if line.levelname == "ERROR"] == [{"status": status}]
    assert "sk_test" not in caplog.text


async def test_a_proxy_that_lets_nobody_through_is_told_apart_and_logged(provider, server, caplog):
    error = await command_fails(provider, server, (403, b"<html>who are you?</html>"))

    assert is_error(error, Refused, "not-authorised")
    assert [line.levelname for line in caplog.records] == ["ERROR"]


async def test_a_command_without_an_answer_may_be_done(provider, server):
    error = await command_fails(provider, server, Drop())

    assert is_error(error, OutcomeUnknown, "no-answer")


async def test_a_command_that_times_out_may_be_done(hasty, server):
    error = await command_fails(hasty, server, Hang())

    assert is_error(error, OutcomeUnknown, "no-answer")


async def test_a_read_without_an_answer_was_not_done(provider, server):
    assert is_error(await read_fails(provider, server, Drop()), NotReached, "no-answer")


async def test_a_read_that_times_out_was_not_done(hasty, server):
    assert is_error(await read_fails(hasty, server, Hang()), NotReached, "no-answer")


async def test_a_preview_is_a_read_although_it_is_posted(provider, server):
    item = {"id": "si_1", "price": {"id": "price_1"}, "quantity": 1, "current_period_start": 1, "current_period_end": 2}
    subscription = said(
        200,
        id="sub_1",
        customer="cus_1",
        status="active",
        currency="eur",
        items={"data": [item]},
        cancel_at_period_end=False,
        created=1,
    )
    server.say(subscription, Drop())

    with pytest.raises(NotReached):
        await provider.preview_change("sub_1", [Line("price_2")], utc_now())


@pytest.mark.parametrize("name", NAMES)
async def test_nobody_at_the_address_means_that_nothing_was_done(name):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    provider = open_provider(name, url)

    with pytest.raises(NotReached) as caught:
        await create(provider)

    assert caught.value.code == "not-connected"
    await provider.close()


@pytest.mark.parametrize("body", [b"", b"ok", b"[]", b'"cus_1"', b"{", b"\xff\xfe", b"null"])
async def test_garbage_after_a_command_leaves_the_outcome_open(provider, server, body):
    assert is_error(await command_fails(provider, server, (200, body)), OutcomeUnknown, "unexpected-answer")


@pytest.mark.parametrize("body", [b"", b"ok", b"[]", b'"re_1"', b"{", b"\xff\xfe", b"null"])
async def test_garbage_after_a_read_is_an_unexpected_answer(provider, server, body):
    assert is_error(await read_fails(provider, server, (200, body)), ProviderError, "unexpected-answer")


async def test_an_object_of_another_shape_is_an_unexpected_answer(provider, server):
    error = await read_fails(provider, server, said(200, id="re_1", amount="12"))

    assert is_error(error, ProviderError, "unexpected-answer")


async def test_a_redirect_is_not_followed(provider, server):
    error = await read_fails(provider, server, (302, b""))

    assert is_error(error, ProviderError, "unexpected-answer")
    assert len(server.asked) == 1


async def test_an_object_of_the_live_mode_is_refused_in_the_test_mode(provider, server):
    error = await command_fails(provider, server, said(200, id="cus_1", livemode=True))

    assert is_error(error, ProviderError, "unexpected-answer")


async def test_free_text_of_the_provider_never_becomes_a_code(provider, server):
    error = await command_fails(provider, server, refused(400, "invalid request of Ana", code="card of Ana <b>"))

    assert is_error(error, Refused, "invalid-request")
    assert "Ana" not in repr(error) + str(error.detail)


async def test_no_error_drags_the_answer_along(provider, server):
    error = await command_fails(provider, server, refused(402, "card_error", code="card_declined"))

    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    assert "words that stay there" not in str(error)


async def test_each_command_carries_key_version_and_idempotency_key(provider, server):
    server.say(CUSTOMER)
    operation = Operation(uuid4())

    assert await create(provider, operation) == "cus_1"

    headers = server.asked[0].headers
    assert headers["authorization"] == "Bearer sk_test_contract"
    assert headers["stripe-version"] == "2026-10-28.endive"
    assert headers["idempotency-key"] == f"lv:{operation.id}"


async def test_the_provider_learns_nothing_about_our_machine(provider, server):
    server.say(CUSTOMER)
    await create(provider)
    await create(provider)

    said_of_us = repr([asked.headers for asked in server.asked])
    assert "telemetry" not in said_of_us.lower()
    assert "platform" not in said_of_us.lower()


@pytest.mark.parametrize("name", NAMES)
class TestTries:
    """With one further try, which is the default."""

    async def run(self, name: str, *script: Said) -> tuple[object, list[str]]:
        async with scripted_server() as server:
            server.say(*script)
            provider = open_provider(name, server.url, payment_retries=1)
            try:
                outcome: object = await create(provider)
            except ProviderError as error:
                outcome = error
            await provider.close()
            return outcome, [asked.headers["idempotency-key"] for asked in server.asked]

    async def test_a_dropped_answer_is_asked_for_again_with_the_same_key(self, name):
        outcome, keys = await self.run(name, Drop(), CUSTOMER)

        assert outcome == "cus_1"
        assert len(keys) == 2
        assert len(set(keys)) == 1

    async def test_once_unknown_stays_unknown_although_the_next_try_was_not_made(self, name):
        outcome, keys = await self.run(name, Drop(), refused(429, "rate_limit_error"))

        assert isinstance(outcome, OutcomeUnknown)
        assert len(keys) == 2

    async def test_an_answer_ends_the_doubt(self, name):
        outcome, _ = await self.run(name, Drop(), refused(402, "card_error", code="card_declined"))

        assert isinstance(outcome, Declined)

    async def test_a_lock_that_goes_away_is_not_noticed(self, name):
        outcome, _ = await self.run(name, refused(429, "invalid_request_error", code="lock_timeout"), CUSTOMER)

        assert outcome == "cus_1"

    async def test_a_refusal_is_not_asked_again(self, name):
        outcome, keys = await self.run(name, refused(400, "invalid_request_error", code="email_invalid"), CUSTOMER)

        assert isinstance(outcome, Refused)
        assert len(keys) == 1
