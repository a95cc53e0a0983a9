"""JWTs of foreign issuers: a real server publishes keys and rotates them; what is not signed by them opens nothing."""

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from sqlalchemy import func, select

from app.auth.models import Identity, User
from app.core.issuers import ForeignIssuer
from app.db.session import Actor, session_scope
from tests.auth.test_accounts import new_email, sign_in
from tests.auth.test_api_keys import bearer, grow_old
from tests.factories import auth, make_user
from tests.notifications.smtp import changed_settings
from tests.serving import in_thread

pytestmark = pytest.mark.anyio
ISSUER, AUDIENCE = "https://accounts.example.com/", "lifevault"
ME, IDENTITIES = "/v1/auth/me", "/v1/auth/identities"
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8))


class SigningKey:
    """A private key of an issuer."""

    def __init__(self, algorithm: str = "RS256", private: Any = None) -> None:
        self.id, self.algorithm = uuid4().hex, algorithm
        made = {"RS256": lambda: RSA_KEY, "ES256": lambda: ec.generate_private_key(ec.SECP256R1())}
        self.private = private or made.get(algorithm, ed25519.Ed25519PrivateKey.generate)()

    def public(self) -> dict[str, str]:
        about = {"kid": self.id, "use": "sig", "alg": self.algorithm}
        key = self.private.public_key()
        if self.algorithm == "RS256":
            numbers = key.public_numbers()
            return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e), **about}
        if self.algorithm == "ES256":
            x, y = key.public_numbers().x, key.public_numbers().y
            return {"kty": "EC", "crv": "P-256", "x": b64(x.to_bytes(32)), "y": b64(y.to_bytes(32)), **about}
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_bytes_raw()), **about}

    def sign(self, content: bytes) -> bytes:
        if self.algorithm == "RS256":
            return bytes(self.private.sign(content, padding.PKCS1v15(), hashes.SHA256()))
        if self.algorithm == "ES256":
            r, s = decode_dss_signature(self.private.sign(content, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)
        return bytes(self.private.sign(content))

    def token(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A token with these claims; None takes one away."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": uuid4().hex, "iat": now, "exp": now + 600}
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        fields = {"alg": self.algorithm, "kid": self.id, "typ": "JWT"} | (header or {})
        fields = {name: value for name, value in fields.items() if value is not None}
        content = f"{b64(json.dumps(fields).encode())}.{b64(json.dumps(claims).encode())}"
        return f"{content}.{b64(self.sign(content.encode()))}"


class JwksServer:
    """Publishes the public halves of `keys`; counts how often it is asked."""

    def __init__(self) -> None:
        self.keys = [SigningKey()]
        self.asked, self.status, self.body, self.elsewhere = 0, 200, b"", 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != "/jwks.json":
                    outer.elsewhere += 1
                outer.asked += 1
                self.send_response(outer.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(outer.body or json.dumps({"keys": [key.public() for key in outer.keys]}).encode())

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks.json"
        in_thread(self.server)

    @property
    def key(self) -> SigningKey:
        return self.keys[0]

    def issuer(self, **changes: Any) -> ForeignIssuer:
        values = {"issuer": ISSUER, "jwks_url": self.url, "audience": AUDIENCE, "create_accounts": True}
        algorithms = ("RS256", "ES256", "EdDSA")
        return ForeignIssuer.model_validate({"algorithms": algorithms, **values, **changes})


@pytest.fixture
def jwks(runtime) -> Iterator[JwksServer]:
    server = JwksServer()
    with changed_settings(foreign_issuers=(server.issuer(),), issuer_pause_seconds=0):
        yield server
    server.server.shutdown()
    server.server.server_close()


def somebody(**changes: Any) -> dict[str, Any]:
    return {"email": new_email(), "email_verified": True, "name": "Ada  Lovelace", "sub": uuid4().hex, **changes}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_somebody_new_with_a_verified_address_gets_an_account(visitor, jwks, algorithm):
    jwks.keys = [SigningKey(algorithm)]
    claims = somebody()

    first = await visitor.get(ME, headers=bearer(jwks.key.token(**claims)))
    later = await visitor.get(ME, headers=bearer(jwks.key.token(**claims, aud=["other", AUDIENCE], nbf=1)))

    assert first.status_code == 200, first.text
    assert (first.json()["email"], first.json()["name"]) == (claims["email"], "Ada Lovelace")
    assert first.json()["email_verified"] is True
    assert later.json() == first.json()


async def test_the_account_is_the_one_of_issuer_and_subject_whatever_the_address_says(visitor, jwks):
    claims, other = somebody(), somebody()
    mine = (await visitor.get(ME, headers=bearer(jwks.key.token(**claims)))).json()
    other_id = (await visitor.get(ME, headers=bearer(jwks.key.token(**other)))).json()["id"]

    renamed = await visitor.get(ME, headers=bearer(jwks.key.token(**claims | {"email": other["email"]})))
    without = await visitor.get(ME, headers=bearer(jwks.key.token(sub=claims["sub"])))

    assert renamed.json() == without.json() == mine
    assert other_id != mine["id"]


async def test_many_first_requests_at_once_make_one_account(visitor, jwks):
    claims = somebody()

    answers = await asyncio.gather(*(visitor.get(ME, headers=bearer(jwks.key.token(**claims))) for _ in range(5)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1


@pytest.mark.parametrize(
    "changes", [{"email_verified": False}, {"email_verified": "true"}, {"email": "x"}, {"email": None}]
)
async def test_nobody_gets_an_account_by_an_address_that_is_not_verified(visitor, jwks, changes):
    answer = await visitor.get(ME, headers=bearer(jwks.key.token(**somebody(**changes))))

    assert (answer.status_code, answer.json()["code"]) == (401, "unknown-identity")


async def test_nobody_gets_an_account_unless_the_settings_allow_it(visitor, jwks):
    with changed_settings(foreign_issuers=(jwks.issuer(create_accounts=False),)):
        answer = await visitor.get(ME, headers=bearer(jwks.key.token(**somebody())))

    assert (answer.status_code, answer.json()["code"]) == (401, "unknown-identity")


async def test_an_address_that_has_an_account_is_not_taken_over_but_linked_by_its_owner(visitor, jwks):
    user, stranger = await make_user(), await make_user()
    token = jwks.key.token(**somebody(email=user.email))

    before = await visitor.get(ME, headers=bearer(token))
    linked = await visitor.post(IDENTITIES, json={"token": token}, headers=auth(user))
    again = await visitor.post(IDENTITIES, json={"token": token}, headers=auth(stranger))
    after = await visitor.get(ME, headers=bearer(token))
    listed = (await visitor.get(IDENTITIES, headers=auth(user))).json()["items"]
    path = f"{IDENTITIES}/{linked.json()['id']}"
    by_stranger = await visitor.delete(path, headers=auth(stranger))
    unlinked = await visitor.delete(path, headers=auth(user))
    gone = await visitor.get(ME, headers=bearer(token))

    assert before.status_code == gone.status_code == 401
    assert (linked.status_code, again.status_code, again.json()["code"]) == (201, 409, "identity-taken")
    assert after.json()["id"] == str(user.id)
    assert [item["issuer"] for item in listed] == [ISSUER]
    assert (by_stranger.status_code, by_stranger.json()["code"], unlinked.status_code) == (
        404,
        "identity-not-found",
        204,
    )
    async with session_scope() as session:
        assert await session.scalar(select(func.count()).where(Identity.user_id == user.id)) == 0


FAULTS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example/"},
    "nearly the issuer": {"iss": ISSUER.rstrip("/")},
    "another audience": {"aud": "somebody else"},
    "no audience": {"aud": None},
    "an empty list of audiences": {"aud": []},
    "an audience within another": {"aud": AUDIENCE + "x"},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is a number": {"sub": 7},
    "a long subject": {"sub": "x" * 256},
    "no end": {"exp": None},
    "an end that is past": {"exp": 1},
    "an end that is text": {"exp": "9999999999"},
    "an end that is huge": {"exp": 10**30},
    "an end that is true": {"exp": True},
    "an end in a year": {"exp": int(time.time()) + 31_536_000},
    "a fractional end": {"exp": time.time() + 600},
    "no beginning": {"iat": None},
    "a beginning to come": {"iat": int(time.time()) + 3_600},
    "not valid yet": {"nbf": int(time.time()) + 3_600},
    "a negative time": {"nbf": -1},
}


@pytest.mark.parametrize("changes", FAULTS.values(), ids=FAULTS.keys())
async def test_a_signed_token_with_a_wrong_claim_is_refused(visitor, jwks, changes):
    answer = await visitor.get(ME, headers=bearer(jwks.key.token(**somebody(**changes))))

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid-token")


HEADERS: dict[str, dict[str, Any]] = {
    "no algorithm": {"alg": None},
    "alg none": {"alg": "none"},
    "alg HS256": {"alg": "HS256"},
    "an algorithm of another key": {"alg": "ES256"},
    "RS512": {"alg": "RS512"},
    "a list": {"alg": ["RS256"]},
    "no key": {"kid": None},
    "an unknown key": {"kid": "x"},
    "a key that is a path": {"kid": "../../etc/passwd"},
    "a key that is a number": {"kid": 1},
    "another type": {"typ": "dpop+jwt"},
    "a type that is a number": {"typ": 1},
    "critical extensions": {"crit": ["exp"]},
    "an address of keys": {"jku": "http://127.0.0.1:1/jwks.json"},
    "a key of its own": {"jwk": {}},
    "a certificate address": {"x5u": "http://127.0.0.1:1/"},
    "a long header": {"x5t": "x" * 600},
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
async def test_a_token_with_a_wrong_header_is_refused_and_no_other_address_is_asked(visitor, jwks, header):
    answer = await visitor.get(ME, headers=bearer(jwks.key.token(header, **somebody())))

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid-token")
    assert jwks.elsewhere == 0


async def test_a_token_signed_by_another_key_is_refused(visitor, jwks):
    forger = SigningKey("ES256")
    forger.id = jwks.key.id
    small = SigningKey(private=rsa.generate_private_key(public_exponent=65_537, key_size=1_024))
    jwks.keys += [small, SigningKey("ES256")]
    token = jwks.key.token(**somebody())
    head, claims, signature = token.split(".")
    other_claims = jwks.key.token(**somebody()).split(".")[1]

    tokens = [
        forger.token(**somebody()),
        forger.token({"alg": "RS256"}, **somebody()),
        small.token(**somebody()),
        f"{head}.{other_claims}.{signature}",
        f"{head}.{claims}.",
        f"{head}.{claims}.AAAA",
        f"{head}.{claims}.{signature}=",
        f"{head}.{claims}",
        f"{head}.{claims}.{signature}.x",
        f"{head}.{b64(b'[' * 5_000)}.{signature}",
        f"{b64(b'[1]')}.{claims}.{signature}",
        "x" * 9_000,
    ]
    for each in tokens:
        assert (await visitor.get(ME, headers=bearer(each))).status_code == 401


async def test_an_algorithm_that_is_not_configured_is_refused(visitor, jwks):
    jwks.keys = [SigningKey("ES256")]
    with changed_settings(foreign_issuers=(jwks.issuer(algorithms=["RS256"]),)):
        assert (await visitor.get(ME, headers=bearer(jwks.key.token(**somebody())))).status_code == 401
        assert jwks.asked == 0


async def test_new_keys_are_found_and_old_ones_are_forgotten(visitor, jwks):
    old = jwks.key
    assert (await visitor.get(ME, headers=bearer(old.token(**somebody())))).status_code == 200

    jwks.keys = [SigningKey("EdDSA")]
    by_new = await visitor.get(ME, headers=bearer(jwks.key.token(**somebody())))
    by_old = await visitor.get(ME, headers=bearer(old.token(**somebody())))

    assert (by_new.status_code, by_old.status_code) == (200, 401)


async def test_unknown_keys_do_not_make_us_ask_the_issuer_again_and_again(visitor, jwks):
    with changed_settings(issuer_pause_seconds=60):
        answers = await asyncio.gather(
            *(visitor.get(ME, headers=bearer(SigningKey("EdDSA").token(**somebody()))) for _ in range(20))
        )
        known = await visitor.get(ME, headers=bearer(jwks.key.token(**somebody())))

    assert {answer.status_code for answer in answers} == {401}
    assert known.status_code == 200
    assert jwks.asked == 1


@pytest.mark.parametrize(
    ("status", "body"), [(500, b""), (302, b""), (200, b"<html>"), (200, b"[" + b"0," * 200_000 + b"0]")]
)
async def test_an_issuer_that_does_not_answer_as_it_should_is_unavailable(visitor, jwks, status, body):
    jwks.status, jwks.body = status, body

    answer = await visitor.get(ME, headers=bearer(jwks.key.token(**somebody())))

    assert (answer.status_code, answer.json()["code"]) == (503, "issuer-unavailable")
    assert jwks.elsewhere == 0  # a redirect is not followed


async def test_known_keys_are_good_for_a_while_when_the_issuer_is_away(visitor, jwks):
    claims = somebody()
    assert (await visitor.get(ME, headers=bearer(jwks.key.token(**claims)))).status_code == 200
    jwks.status = 500

    assert (await visitor.get(ME, headers=bearer(jwks.key.token(**claims)))).status_code == 200
    assert (await visitor.get(ME, headers=bearer(SigningKey("EdDSA").token(**claims)))).status_code == 401


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'{"keys": 1}', b'{"keys": [1, {}, {"kid": 1}, {"kty": "RSA", "kid": "x"}]}']
)
async def test_a_strange_list_of_keys_is_an_empty_one(visitor, jwks, body):
    jwks.body = body

    assert (await visitor.get(ME, headers=bearer(jwks.key.token(**somebody())))).status_code == 401


async def test_foreign_tokens_have_the_scopes_of_their_issuer_and_no_session(visitor, jwks):
    with changed_settings(foreign_issuers=(jwks.issuer(scope="profile"),)):
        headers = bearer(jwks.key.token(**somebody()))

        assert (await visitor.get(ME, headers=headers)).status_code == 200
        assert (await visitor.get("/v1/vault/vaults", headers=headers)).json()["code"] == "forbidden"
        assert (await visitor.delete(ME, headers=headers)).json()["code"] == "session-needed"


async def test_without_issuers_in_the_settings_nothing_foreign_is_looked_at(visitor, runtime):
    assert (await visitor.get(ME, headers=bearer(SigningKey().token()))).json()["code"] == "invalid-token"


async def test_an_account_without_a_password_is_not_opened_by_one(visitor, jwks):
    claims = somebody()
    await visitor.get(ME, headers=bearer(jwks.key.token(**claims)))

    for password in ("", "x", "correct horse battery"):
        assert (await sign_in(visitor, claims["email"], password)).status_code in (401, 422)
    async with session_scope() as session:
        ids = select(Identity.user_id)
        assert await session.scalar(select(func.count()).where(User.id.in_(ids), User.password_hash.is_not(None))) == 0


async def test_linking_needs_a_fresh_proof_a_session_the_scope_and_a_good_token(visitor, jwks):
    user, narrow = await make_user(), await make_user(scope="vault:read")
    foreign = bearer(jwks.key.token(**somebody()))
    body = {"token": jwks.key.token(**somebody())}
    bad = {"token": SigningKey("EdDSA").token(**somebody())}

    forged = await visitor.post(IDENTITIES, json=bad, headers=auth(user))
    by_foreign = await visitor.post(IDENTITIES, json=body, headers=foreign)
    without_scope = await visitor.post(IDENTITIES, json=body, headers=auth(narrow))
    without_token = await visitor.get(IDENTITIES)
    wrong = [
        await visitor.post(IDENTITIES, json=each, headers=auth(user)) for each in ({}, {"token": "ä"}, {"token": 1})
    ]
    await grow_old(user)
    stale = await visitor.post(IDENTITIES, json=body, headers=auth(user))

    assert (forged.status_code, forged.json()["code"]) == (401, "invalid-token")
    assert by_foreign.json()["code"] == "session-needed"
    assert (without_scope.status_code, without_token.status_code) == (403, 401)
    assert [each.status_code for each in wrong] == [422] * 3
    assert stale.json()["code"] == "step-up-required"


async def test_issuer_and_subject_stand_sealed_and_nobody_else_sees_the_row(visitor, jwks):
    user, claims = await make_user(), somebody(sub="the-subject-of-the-token")
    mine = (await visitor.get(ME, headers=bearer(jwks.key.token(**claims)))).json()

    async with session_scope() as session:
        row = (await session.execute(select(Identity.__table__).where(Identity.user_id == mine["id"]))).one()
    async with session_scope(Actor.user(user.id)) as session:
        assert await session.scalar(select(func.count()).select_from(Identity)) == 0

    stored = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
    assert b"the-subject" not in stored
    assert b"accounts.example" not in stored
