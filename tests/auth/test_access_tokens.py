"""Only tokens of ours are believed, whatever is sent; none makes the service fail."""

import base64
import json
import os
import time
from uuid import uuid4

import pytest
from jose import jwt

from app.auth.parts import access_tokens
from app.core.security import LONGEST_TOKEN, AccessTokens, InvalidToken
from app.db.runtime import current
from tests.factories import make_user

pytestmark = pytest.mark.anyio

KEY = os.urandom(32)
HEADER = {"kid": "k1"}


def b64(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def tokens(seconds: int = 900) -> AccessTokens:
    return AccessTokens({"k1": KEY}, "issuer", "audience", seconds)


def claims(**changes: object) -> dict[str, object]:
    now = int(time.time())
    valid = {
        "iss": "issuer",
        "aud": "audience",
        "sub": str(uuid4()),
        "sid": str(uuid4()),
        "scope": "profile",
        "iat": now,
        "exp": now + 900,
        "jti": str(uuid4()),
        "typ": "access",
    }
    return {name: value for name, value in (valid | changes).items() if value is not None}


def signed(payload: object, key: bytes = KEY, header: object = None) -> str:
    """A token signed with our key, with any header and payload at all."""
    import hmac

    body = f"{b64(header or {'alg': 'HS256', 'kid': 'k1', 'typ': 'JWT'})}.{b64(payload)}"
    return f"{body}.{b64(hmac.digest(key, body.encode(), 'sha256'))}"


def other_spelling(token: str) -> str:
    """The same bytes in base64, with other bits in the last character, which carries only four of the signature's."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


def test_a_token_of_ours_is_believed():
    user_id, session_id = uuid4(), uuid4()

    verified = tokens().verify(tokens().sign(user_id, session_id, "profile vault:read"))

    assert (verified.user_id, verified.session_id, verified.scope) == (user_id, session_id, "profile vault:read")
    assert verified.expires_at - verified.issued_at == 900
    assert tokens().verify(signed(claims())).scope == "profile"


def test_every_key_of_the_ring_verifies_and_the_first_one_signs():
    old, new = os.urandom(32), os.urandom(32)
    before = AccessTokens({"old": old}, "issuer", "audience", 900)
    after = AccessTokens({"new": new, "old": old}, "issuer", "audience", 900)

    assert after.verify(before.sign(uuid4(), uuid4(), ""))
    assert jwt.get_unverified_header(after.sign(uuid4(), uuid4(), ""))["kid"] == "new"
    with pytest.raises(InvalidToken):
        before.verify(after.sign(uuid4(), uuid4(), ""))


NOW = int(time.time())
LATER = 86_400  # than any of these tests runs, though they may begin long after NOW
BAD_CLAIMS = {
    "no audience": {"aud": None},
    "another audience": {"aud": "other"},
    "a list of audiences": {"aud": ["audience"]},
    "no issuer": {"iss": None},
    "another issuer": {"iss": "other"},
    "no type": {"typ": None},
    "another type": {"typ": "refresh"},
    "no end": {"exp": None},
    "expired": {"exp": NOW - 1, "iat": NOW - 100},
    "an end as text": {"exp": str(NOW + 900)},
    "an end as a fraction": {"exp": NOW + 900.5},
    "an end as a truth": {"exp": True},
    "an end far away": {"exp": NOW + 100_000},
    "a huge end": {"exp": 10**40},
    "an infinite end": {"exp": float("inf")},
    "an end that is no number": {"exp": float("nan")},
    "a negative end": {"exp": -1},
    "no beginning": {"iat": None},
    "a beginning to come": {"iat": NOW + LATER, "exp": NOW + LATER + 900},
    "a beginning as text": {"iat": str(NOW)},
    "not valid yet": {"nbf": NOW + LATER},
    "a huge not-before": {"nbf": 10**40},
    "a not-before as text": {"nbf": "0"},
    "no subject": {"sub": None},
    "a subject that is no id": {"sub": "admin"},
    "a subject as a number": {"sub": 1},
    "a subject spelt otherwise": {"sub": uuid4().hex},
    "no session": {"sid": None},
    "a session that is no id": {"sid": "x"},
    "no token id": {"jti": None},
    "a token id as a list": {"jti": []},
    "scopes as a list": {"scope": ["profile"]},
    "a claim nobody knows": {"admin": True},
}


@pytest.mark.parametrize("changes", BAD_CLAIMS.values(), ids=BAD_CLAIMS)
def test_a_token_with_wrong_claims_is_refused_although_its_signature_is_right(changes):
    with pytest.raises(InvalidToken):
        tokens().verify(signed(claims(**changes)))


BAD_HEADERS = {
    "no algorithm": {"kid": "k1", "typ": "JWT"},
    "none": {"alg": "none", "kid": "k1", "typ": "JWT"},
    "None": {"alg": "None", "kid": "k1", "typ": "JWT"},
    "another hash": {"alg": "HS512", "kid": "k1", "typ": "JWT"},
    "a public key": {"alg": "RS256", "kid": "k1", "typ": "JWT"},
    "an algorithm as a list": {"alg": ["HS256"], "kid": "k1", "typ": "JWT"},
    "no key id": {"alg": "HS256", "typ": "JWT"},
    "an unknown key": {"alg": "HS256", "kid": "k2", "typ": "JWT"},
    "a key id as an object": {"alg": "HS256", "kid": {"k1": 1}, "typ": "JWT"},
    "another type": {"alg": "HS256", "kid": "k1", "typ": "JWE"},
    "critical extensions": {"alg": "HS256", "kid": "k1", "typ": "JWT", "crit": ["exp"]},
    "a key of its own": {"alg": "HS256", "kid": "k1", "typ": "JWT", "jwk": {"kty": "oct", "k": "AA"}},
    "a key from elsewhere": {"alg": "HS256", "kid": "k1", "typ": "JWT", "jku": "https://example.com"},
    "a list": ["HS256"],
    "a bomb": b"[" * 1_400,
    "a nested bomb": b'{"alg":' * 150 + b"1" + b"}" * 150,
    "no text": b"\xff\xfe",
    "nothing": b"{}",
}


@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_a_token_with_a_strange_header_is_refused_although_its_signature_is_right(header):
    with pytest.raises(InvalidToken):
        tokens().verify(signed(claims(), header=header))


def malformed() -> dict[str, str]:
    good = signed(claims())
    header, payload, signature = good.split(".")
    return {
        "empty": "",
        "a word": "token",
        "two parts": f"{header}.{payload}",
        "four parts": f"{good}.{signature}",
        "five parts, as encrypted ones have": f"{header}.{payload}.{signature}.{payload}.{signature}",
        "no signature": f"{header}.{payload}.",
        "no payload": f"{header}..{signature}",
        "padding": f"{good}=",
        "a line break": f"{good}\n",
        "a blank": f"{header}. {payload}.{signature}",
        "not ASCII": f"{header}.{payload}.ä{signature}",
        "digits of another script": f"{header}.{payload}.{'٣' * 43}",
        "the other alphabet": f"{header}.{payload}.{'+/' * 21}A",
        "a length that base64 does not have": f"{header}.{payload}.{signature}AA",
        "another spelling of the same signature": other_spelling(good),
        "too long": signed(claims(scope="x" * LONGEST_TOKEN)),
        "another key": signed(claims(), key=os.urandom(32)),
        "an empty key": signed(claims(), key=b""),
        "a signature of something else": f"{header}.{b64(claims())}.{signature}",
        "a payload that is a list": signed([1]),
        "a payload that is nested deep": signed(b"[" * 1_300),
        "a payload that is no JSON": signed(b"{"),
        "a payload that is no text": signed(b"\xff"),
    }


@pytest.mark.parametrize("name", malformed())
def test_what_is_not_exactly_a_token_is_refused(name):
    with pytest.raises(InvalidToken):
        tokens().verify(malformed()[name])


async def test_every_attack_is_answered_with_401_and_never_fails(visitor):
    user = await make_user()
    settings = current().settings
    key = next(iter(settings.token_key_ring.values()))
    mine = {"iss": settings.token_issuer, "aud": settings.token_audience}
    mine |= {"sub": str(user.id), "sid": str(user.session_id)}
    attacks = [signed(claims(**(mine | changes)), key) for changes in BAD_CLAIMS.values()]
    attacks += [signed(claims(**mine), key, header) for header in BAD_HEADERS.values()]
    attacks += [each.encode().decode("latin-1").strip() for each in malformed().values()]
    attacks += [other_spelling(user.access_token), user.refresh_token, "a" * 100_000]

    for attack in attacks:
        response = await visitor.get("/v1/auth/me", headers={"Authorization": f"Bearer {attack}".encode("latin-1")})

        assert response.status_code == 401, attack[:200]
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.headers["content-type"] == "application/problem+json"

    control = signed(claims(**mine), key)
    assert (await visitor.get("/v1/auth/me", headers={"Authorization": f"Bearer {control}"})).status_code == 200


async def test_a_remembered_token_is_refused_as_soon_as_it_has_expired(visitor, monkeypatch):
    from app.auth.tokens import principal_of

    user = await make_user()
    principal_of(user.access_token)
    later = time.time() + access_tokens().seconds + 1
    monkeypatch.setattr(time, "time", lambda: later)

    with pytest.raises(InvalidToken):
        principal_of(user.access_token)


async def test_a_token_for_a_session_of_somebody_else_is_refused(visitor):
    user, other = await make_user(), await make_user()
    mixed = access_tokens().sign(user.id, other.session_id, "profile")

    response = await visitor.get("/v1/auth/me", headers={"Authorization": f"Bearer {mixed}"})

    assert (response.status_code, response.json()["code"]) == (401, "session-ended")
