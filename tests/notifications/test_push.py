"""Push messages reach browsers, which alone can read them, and nothing else in our network."""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import orjson
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey, derive_private_key
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import text

from app.core import outside
from app.core.config import Settings
from app.core.outside import AddressRefused, NotReached, is_public, post, resolve
from app.db.runtime import Runtime, current
from app.db.session import session_scope
from app.notifications import tasks
from app.notifications.errors import PushUnavailable
from app.notifications.push.encryption import MOST_BYTES, encrypt
from app.notifications.push.sending import MOST_ATTEMPTS, queue_push, send_push
from app.notifications.push.vapid import from_unpadded, make_key, public_key, unpadded
from tests.conftest import drain_jobs
from tests.factories import TestUser, auth, make_user
from tests.notifications.push_service import Browser, Delivery, PushService, new_browser, push_service
from tests.notifications.smtp import changed_settings
from tests.notifications.test_inbox import NOON, tell
from tests.vault.conftest import rows_of

pytestmark = pytest.mark.anyio
SUBSCRIPTIONS = "/v1/notifications/push/subscriptions"


@pytest.fixture(scope="module")
def browser() -> Browser:
    return new_browser()


@pytest.fixture
def service(runtime: Runtime) -> Iterator[PushService]:
    """A push service on this machine, which the settings of tests allow."""
    with push_service() as service, changed_settings(push_private_addresses=True):
        yield service


async def subscribe(
    client: httpx.AsyncClient, user: TestUser, service: PushService, browser: Browser, name: str = ""
) -> str:
    """Let a browser get what a person is told; returns its name at the service."""
    name = name or uuid4().hex
    body = {"endpoint": service.endpoint(name), "keys": browser.public, "name": "Firefox"}
    made = await client.post(SUBSCRIPTIONS, json=body, headers=auth(user))
    assert made.status_code == 201, made.text
    return name


async def send(user: TestUser, **payload: object) -> None:
    async with session_scope() as session:
        await queue_push(session, user.id, payload or {"title": "Passport expires"})


async def waiting(user: TestUser) -> list:
    columns = "id, attempts, extract(epoch FROM due_at - now()) AS seconds"
    return await rows_of(f"SELECT {columns} FROM notifications_pushes WHERE user_id = :user", user=user.id)


async def make_due(user: TestUser) -> None:
    async with session_scope() as session:
        due = "UPDATE notifications_pushes SET due_at = now() - interval '1 s', created_at = now() - interval '1 h'"
        await session.execute(text(f"{due} WHERE user_id = :user"), {"user": user.id})


def claims_of(delivery: Delivery) -> dict:
    """What a VAPID header says, its signature checked as a push service does (RFC 8292)."""
    scheme, _, values = delivery.headers["authorization"].partition(" ")
    parts = dict(each.strip().split("=", 1) for each in values.split(","))
    signed, _, signature = parts["t"].rpartition(".")
    raw = from_unpadded(signature)
    key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), from_unpadded(parts["k"]))
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key.verify(der, signed.encode(), ECDSA(SHA256()))
    header, claims = (orjson.loads(from_unpadded(each)) for each in signed.split("."))
    assert (scheme, header["alg"], parts["k"]) == ("vapid", "ES256", public_key())
    return claims


async def test_a_browser_reads_what_its_person_is_told(
    client: httpx.AsyncClient, settings: Settings, service: PushService, browser: Browser
):
    user = await make_user()
    name = await subscribe(client, user, service, browser)
    await tell(user, title="Astrids Reisepass läuft ab", subject_id=uuid4())
    await tasks.deliver_due(NOON + timedelta(minutes=1))
    await drain_jobs(settings)
    await drain_jobs(settings)

    [delivery] = service.to(name)
    read = browser.read(delivery.body)
    assert (read["title"], read["kind"]) == ("Astrids Reisepass läuft ab", "reminder")
    assert (delivery.headers["content-encoding"], delivery.headers["ttl"]) == ("aes128gcm", "259200")
    claims = claims_of(delivery)
    assert claims["aud"] == f"http://127.0.0.1:{service.port}"
    assert claims["sub"].startswith("mailto:")
    assert 0 < claims["exp"] - datetime.now(UTC).timestamp() <= 24 * 3_600
    assert await waiting(user) == []
    [row] = (await client.get(SUBSCRIPTIONS, headers=auth(user))).json()["items"]
    assert row["last_used_at"] is not None
    assert b"Reisepass" not in delivery.body


async def test_many_at_once_become_one_message(
    client: httpx.AsyncClient, settings: Settings, service: PushService, browser: Browser
):
    user = await make_user()
    name = await subscribe(client, user, service, browser)
    for _ in range(4):
        await tell(user)
    await tasks.deliver_due(NOON + timedelta(minutes=1))
    await drain_jobs(settings)

    [delivery] = service.to(name)
    assert browser.read(delivery.body)["title"] == "4 things need your attention"


async def test_every_browser_gets_it_and_one_that_is_gone_is_forgotten(
    client: httpx.AsyncClient, settings: Settings, service: PushService, browser: Browser
):
    user = await make_user()
    names = [await subscribe(client, user, service, browser) for _ in range(2)]
    await send(user)
    await drain_jobs(settings)
    assert [len(service.to(name)) for name in names] == [1, 1]

    for status in (404, 410):
        service.status = status
        name = await subscribe(client, user, service, browser)
        await send(user)
        await drain_jobs(settings)
        assert len(service.to(name)) == 1
        assert (await client.get(SUBSCRIPTIONS, headers=auth(user))).json()["items"] == []
        assert await waiting(user) == []


async def test_a_service_that_can_not_take_it_now_is_asked_again(
    client: httpx.AsyncClient, settings: Settings, service: PushService, browser: Browser
):
    user = await make_user()
    name = await subscribe(client, user, service, browser)
    service.status, service.answer_headers = 429, {"Retry-After": "900"}
    await send(user)
    await drain_jobs(settings)
    [row] = await waiting(user)
    assert row.attempts == 1
    assert 800 < row.seconds <= 900
    await drain_jobs(settings)
    assert len(service.to(name)) == 1

    service.status, service.answer_headers = 503, {}
    await make_due(user)
    assert await tasks.queue_due_pushes() >= 1
    await drain_jobs(settings)
    service.status = 201
    await make_due(user)
    await tasks.queue_due_pushes()
    await drain_jobs(settings)
    assert len(service.to(name)) == 3
    assert len({each.headers["topic"] for each in service.to(name)}) == 1  # the last takes the place of the first
    assert await waiting(user) == []


@pytest.mark.parametrize("status", [302, 400, 403, 413])
async def test_a_refusal_ends_it_and_nobody_is_followed_elsewhere(
    client: httpx.AsyncClient, settings: Settings, service: PushService, browser: Browser, status: int
):
    user = await make_user()
    await subscribe(client, user, service, browser)
    service.status, service.answer_headers = status, {"Location": service.endpoint("elsewhere")}
    await send(user)
    await drain_jobs(settings)

    assert await waiting(user) == []
    assert service.to("elsewhere") == []
    assert len((await client.get(SUBSCRIPTIONS, headers=auth(user))).json()["items"]) == 1


async def test_a_service_that_is_away_is_given_up_in_the_end(
    client: httpx.AsyncClient, settings: Settings, service: PushService, browser: Browser
):
    user = await make_user()
    await subscribe(client, user, service, browser)
    service.status = 500
    await send(user)
    for attempt in range(MOST_ATTEMPTS):
        [row] = await waiting(user)
        assert row.attempts == attempt
        await make_due(user)
        await send_push(row.id)
    assert await waiting(user) == []


async def test_it_is_sent_once_however_many_take_it(
    client: httpx.AsyncClient, settings: Settings, service: PushService, browser: Browser
):
    import asyncio

    user = await make_user()
    name = await subscribe(client, user, service, browser)
    await send(user)
    [row] = await waiting(user)
    await asyncio.gather(*(send_push(row.id) for _ in range(5)))

    assert len(service.to(name)) == 1


async def test_a_browser_is_one_persons_at_a_time(
    client: httpx.AsyncClient, settings: Settings, service: PushService, browser: Browser
):
    first, second = await make_user(), await make_user()
    name = await subscribe(client, first, service, browser)
    await subscribe(client, first, service, browser, name)
    assert len((await client.get(SUBSCRIPTIONS, headers=auth(first))).json()["items"]) == 1
    await subscribe(client, second, service, browser, name)
    await send(first)
    await send(second)
    await drain_jobs(settings)

    assert (await client.get(SUBSCRIPTIONS, headers=auth(first))).json()["items"] == []
    assert len(service.to(name)) == 1


async def test_subscriptions_are_their_persons_sealed_and_limited(
    client: httpx.AsyncClient, service: PushService, browser: Browser
):
    user, stranger = await make_user(), await make_user()
    name = await subscribe(client, user, service, browser)
    [shown] = (await client.get(SUBSCRIPTIONS, headers=auth(user))).json()["items"]
    assert set(shown) == {"id", "name", "last_used_at", "created_at"}
    [row] = await rows_of("SELECT * FROM notifications_push_subscriptions WHERE user_id = :u", u=user.id)
    assert name.encode() not in bytes(row.body)
    path = f"{SUBSCRIPTIONS}/{shown['id']}"
    assert (await client.delete(path, headers=auth(stranger))).status_code == 404
    with changed_settings(push_private_addresses=True, push_subscriptions_per_user=1):
        body = {"endpoint": service.endpoint("another"), "keys": browser.public, "name": "Chrome"}
        assert (await client.post(SUBSCRIPTIONS, json=body, headers=auth(user))).status_code == 409
    assert (await client.delete(path, headers=auth(user))).status_code == 204
    assert (await client.delete(path, headers=auth(user))).status_code == 404


async def test_what_is_no_subscription_is_refused(client: httpx.AsyncClient, browser: Browser):
    user = await make_user()
    whole = {"endpoint": "https://push.example.net/x", "keys": browser.public, "name": "Firefox"}
    off_curve = unpadded(b"\x04" + bytes(63) + b"\x01")
    wrong = [
        whole | {"keys": browser.public | {"p256dh": off_curve}},
        whole | {"keys": browser.public | {"auth": "short"}},
        whole | {"endpoint": "http://push.example.net/x"},
        whole | {"endpoint": "https://user:password@push.example.net/x"},
        whole | {"endpoint": "file:///etc/passwd"},
    ]
    for body in wrong:
        assert (await client.post(SUBSCRIPTIONS, json=body, headers=auth(user))).status_code == 422, body
    assert (await client.post(SUBSCRIPTIONS, json=whole, headers=auth(user))).status_code == 201


async def test_a_private_address_is_never_asked(
    client: httpx.AsyncClient, settings: Settings, service: PushService, browser: Browser
):
    user = await make_user()
    name = await subscribe(client, user, service, browser)
    with changed_settings(push_private_addresses=False):
        await send(user)
        await drain_jobs(settings)

    assert service.to(name) == []
    assert await waiting(user) == []


PRIVATE = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
    *("255.255.255.255", "198.18.0.1", "192.0.2.1", "240.0.0.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:db8::1"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address: str):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "142.250.74.78", "2606:4700::1111", "64:ff9b::808:808"])
def test_addresses_that_are_public(address: str):
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("https://localhost/x", "https://127.0.0.1/x", "https://[::1]/x", "https://2130706433/x", "https://0x7f.1/x"),
        *("http://8.8.8.8/x", "ftp://8.8.8.8/x", "https:///x", "https://a@8.8.8.8/", "https://8.8.8.8:99999/"),
    ],
)
async def test_places_that_are_not_asked(url: str):
    with pytest.raises((AddressRefused, NotReached)):
        await resolve(url)


async def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch):
    import asyncio

    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("8.8.8.8", "10.0.0.1")]

    async def answer(*_: object, **__: object) -> list:
        return answers

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answer)
    with pytest.raises(AddressRefused):
        await resolve("https://push.example.net/x")
    answers.pop()
    assert await resolve("https://push.example.net/x") == "8.8.8.8"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for push.example.net, and its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "push.example.net")])
    names = x509.SubjectAlternativeName([x509.DNSName("push.example.net")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).add_extension(names, critical=False)
    builder = builder.not_valid_before(datetime.now(UTC) - timedelta(days=1))
    signed = builder.not_valid_after(datetime.now(UTC) + timedelta(days=1)).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    raw = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(signed.public_bytes(pem) + raw)
    return path


async def test_a_pinned_address_must_have_the_certificate_of_the_name(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    """Another name that leads to the same address is not believed, and an unknown certificate neither."""

    async def here(url: str, *, private: bool = False) -> str:
        return "127.0.0.1"

    monkeypatch.setattr(outside, "resolve", here)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with push_service(context, "push.example.net") as service:
        outside.tls.cache_clear()
        with pytest.raises(NotReached):
            await post(service.endpoint("a"), b"x", {}, seconds=30)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        outside.tls.cache_clear()
        answer = await post(service.endpoint("b"), b"x", {}, seconds=30)
        with pytest.raises(NotReached):
            await post(service.endpoint("c").replace("push.example", "other.example"), b"x", {}, seconds=30)
    outside.tls.cache_clear()

    assert answer.status_code == 201
    [delivery] = service.deliveries
    assert (delivery.path, delivery.headers["host"]) == ("/push/b", f"push.example.net:{service.port}")


def test_the_example_of_the_standard():
    """RFC 8291 §5 and appendix A."""
    sender = derive_private_key(
        int.from_bytes(from_unpadded("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), SECP256R1()
    )
    browser_key = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    message = encrypt(
        b"When I grow up, I want to be a watermelon",
        from_unpadded(browser_key),
        from_unpadded("BTBZMqHH6r4Tts7J_aSIgg"),
        sender=sender,
        salt=from_unpadded("DGv6ra1nlYgDCS1FRnbzlw"),
        padded=False,
    )

    assert unpadded(message) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
        "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_a_message_is_padded_and_fits(browser: Browser):
    keys = from_unpadded(browser.keys["p256dh"]), from_unpadded(browser.keys["auth"])
    sizes = {length: len(encrypt(b" " * length, *keys)) for length in (1, 100, 400, MOST_BYTES)}

    assert sizes[1] == sizes[100] == sizes[400]
    assert sizes[MOST_BYTES] == 4_096
    whole = orjson.dumps({"title": "x" * (MOST_BYTES - 12)})
    assert len(whole) == MOST_BYTES
    assert len(browser.read(encrypt(whole, *keys))["title"]) == MOST_BYTES - 12
    with pytest.raises(ValueError, match="bytes at most"):
        encrypt(b" " * (MOST_BYTES + 1), *keys)


async def test_a_long_text_is_cut_until_it_fits(
    client: httpx.AsyncClient, settings: Settings, service: PushService, browser: Browser
):
    user = await make_user()
    name = await subscribe(client, user, service, browser)
    await send(user, title="ä" * 200, text="\U0001f6c2" * 5_000, lines=["x" * 500] * 20)
    await drain_jobs(settings)

    [delivery] = service.to(name)
    assert browser.read(delivery.body)["title"] == "ä" * 200


async def test_the_signing_key_stays_for_as_long_as_the_lookup_key(client: httpx.AsyncClient):
    user = await make_user()
    shown = (await client.get("/v1/notifications/push/key", headers=auth(user))).json()["public_key"]

    assert shown == public_key()
    assert len(from_unpadded(shown)) == 65
    key = current().settings.lookup_key_bytes
    assert make_key(key).private_numbers() == make_key(key).private_numbers()
    assert make_key(key).private_numbers() != make_key(bytes(32)).private_numbers()
    with pytest.raises(PushUnavailable):
        make_key(b"")


async def test_a_changed_signature_would_be_noticed(
    client: httpx.AsyncClient, settings: Settings, service: PushService, browser: Browser
):
    user = await make_user()
    name = await subscribe(client, user, service, browser)
    await send(user)
    await drain_jobs(settings)
    [delivery] = service.to(name)
    token = delivery.headers["authorization"]
    delivery.headers["authorization"] = token.replace("t=eyJ0eXAi", "t=eyJ0eXBi")

    with pytest.raises((InvalidSignature, ValueError)):
        claims_of(delivery)


async def test_a_persons_new_key_seals_their_browsers_too(
    client: httpx.AsyncClient, settings: Settings, service: PushService, browser: Browser
):
    from app.cli.keys import _rotate_user

    user = await make_user()
    name = await subscribe(client, user, service, browser)
    await tell(user)
    await _rotate_user(user.id, settle_seconds=0)
    await tasks.deliver_due(NOON + timedelta(minutes=1))
    await drain_jobs(settings)

    [delivery] = service.to(name)
    assert browser.read(delivery.body)["title"] == "Passport expires"
