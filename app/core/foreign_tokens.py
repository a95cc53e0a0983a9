"""JWTs of foreign issuers (RFC 7519, RFC 8725), by the public keys that they publish (JWKS, RFC 7517).

As strict as with our own tokens: the algorithm is of the settings' choice, a key fits one algorithm only, nothing in a
token names a key but its id, and no claim is believed before its type is checked.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from app.core.issuers import ForeignIssuer
from app.core.security import SKEW_SECONDS, InvalidToken, decoded_segment, whole_seconds

LONGEST: Final = 8_192
LONGEST_HEADER: Final = 512
LONGEST_SUBJECT: Final = 255  # OpenID Connect Core §2
LONGEST_LIFE_SECONDS: Final = 86_400
FEWEST_RSA_BITS: Final = 2_048  # RFC 7518 §3.3
HEADER_FIELDS: Final = frozenset({"alg", "kid", "typ", "x5t"})
TYPES: Final = ("jwt", "at+jwt")
PUBLIC_FIELDS: Final = {"RS256": ("n", "e"), "ES256": ("x", "y"), "EdDSA": ("x",)}
SHAPES: Final = {"RS256": ("RSA", None), "ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519")}

Key = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Signed:
    """A token taken apart; nothing in it is to be believed yet."""

    algorithm: str
    key_id: str
    issuer: str
    claims: Mapping[str, Any]
    content: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class ForeignClaims:
    """What a verified token says; `email` only if the issuer has verified it."""

    issuer: str
    subject: str
    email: str | None
    name: str | None
    expires_at: int


def take_apart(token: str) -> Signed:
    """The parts of a token. Raises `InvalidToken` for what is none."""
    segments = token.split(".")
    if len(token) > LONGEST or len(segments) != 3:
        raise InvalidToken
    header, claims, signature = map(decoded_segment, segments)
    if len(header) > LONGEST_HEADER:
        raise InvalidToken
    fields, content = _object(header), _object(claims)
    named = fields.get("alg"), fields.get("kid"), content.get("iss"), fields.get("typ", "JWT")
    if not all(isinstance(each, str) for each in named) or fields.keys() - HEADER_FIELDS:
        raise InvalidToken
    algorithm, key_id, issuer, kind = map(str, named)
    if kind.lower() not in TYPES:
        raise InvalidToken
    return Signed(algorithm, key_id, issuer, content, token.rpartition(".")[0].encode(), signature)


def _object(text: bytes) -> Mapping[str, Any]:
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidToken from None
    if not isinstance(content, dict):
        raise InvalidToken
    return content


def usable_keys(document: object, algorithms: tuple[str, ...]) -> dict[tuple[str, str], Key]:
    """The keys of a JWKS that sign by one of the algorithms, by their id and algorithm; the rest is left out."""
    listed = document.get("keys") if isinstance(document, dict) else None
    keys = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return {
        (key["kid"], algorithm): {name: key[name] for name in ("kty", "crv", *PUBLIC_FIELDS[algorithm]) if name in key}
        for key in keys
        for algorithm in algorithms
        if _fits(key, algorithm)
    }


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    texts = [key.get(name) for name in ("kid", *PUBLIC_FIELDS[algorithm])]
    if (key.get("kty"), key.get("crv")) != SHAPES[algorithm] or not all(isinstance(each, str) for each in texts):
        return False
    if key.get("use", "sig") != "sig" or key.get("alg", algorithm) != algorithm:
        return False
    return algorithm != "RS256" or _bits(str(key["n"])) >= FEWEST_RSA_BITS


def _bits(number: str) -> int:
    try:
        return int.from_bytes(decoded_segment(number)).bit_length()
    except InvalidToken:
        return 0


def verify(signed: Signed, issuer: ForeignIssuer, key: Key) -> ForeignClaims:
    """What a token says, if the issuer signed it for us and it is valid now. Raises `InvalidToken`."""
    if signed.algorithm not in issuer.algorithms or signed.issuer != issuer.issuer or not _is_signed(signed, key):
        raise InvalidToken
    claims = signed.claims
    audience, subject = claims.get("aud"), claims.get("sub")
    if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
        raise InvalidToken
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise InvalidToken
    now, expires_at = time.time(), whole_seconds(claims.get("exp"))
    if max(whole_seconds(claims.get("iat")), whole_seconds(claims.get("nbf", 0))) > now + SKEW_SECONDS:
        raise InvalidToken("The token is not valid yet")
    if not now < expires_at <= now + LONGEST_LIFE_SECONDS + SKEW_SECONDS:
        raise InvalidToken("The token has expired")
    email, name = (claims.get(field) if isinstance(claims.get(field), str) else None for field in ("email", "name"))
    verified = claims.get("email_verified") is True
    return ForeignClaims(issuer.issuer, subject, email if verified else None, name, expires_at)


def _is_signed(signed: Signed, key: Key) -> bool:
    try:
        if signed.algorithm == "EdDSA":
            return _is_signed_by_ed25519(signed, key)
        from jose import jwk  # noqa: PLC0415 (takes a while to import)

        return bool(jwk.construct(dict(key), signed.algorithm).verify(signed.content, signed.signature))
    except Exception:  # python-jose and cryptography let many others out for keys and signatures that are nonsense
        return False


def _is_signed_by_ed25519(signed: Signed, key: Key) -> bool:
    """RFC 8037, which python-jose does not know. Raises `InvalidSignature`, `ValueError`, `InvalidToken`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    Ed25519PublicKey.from_public_bytes(decoded_segment(key["x"])).verify(signed.signature, signed.content)
    return True
