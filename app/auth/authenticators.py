"""WebAuthn (Level 3) without storage: what authenticators are asked, and whether their answers are right.

Nothing here says who somebody is; a challenge is the base64url text of 32 bytes, as `challenges` makes it.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import orjson

from app.auth.profiles import Profile
from app.db.runtime import current

ALGORITHMS: Final = (-8, -7, -257)  # COSE: EdDSA, ES256, RS256
TRANSPORTS: Final = frozenset({"ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"})
LONGEST_CREDENTIAL_ID: Final = 1_023  # WebAuthn §4
LONGEST_ANSWER: Final = 65_536
LOOPBACK: Final = ("127.0.0.1", "::1")
RP_NAME: Final = "LifeVault"


@dataclass(frozen=True, slots=True)
class Credential:
    """What is kept of a passkey."""

    credential_id: bytes
    public_key: bytes
    transports: list[str]
    synced: bool
    sign_count: int


def domain() -> str:
    """The RP ID, which passkeys are bound to. A browser takes no address, so a local server is `localhost`."""
    settings = current().settings
    host = urlsplit(settings.public_url).hostname or "localhost"
    return settings.passkey_domain or ("localhost" if host in LOOPBACK else host)


def origins() -> list[str]:
    """Where the pages may come from that passkeys are used on."""
    settings = current().settings
    url = urlsplit(settings.public_url)
    port = f":{url.port}" if url.port else ""
    return list(settings.passkey_origins) or [f"{url.scheme}://{domain()}{port}"]


def creation_options(user_id: UUID, person: Profile, token: str, known: Sequence[Credential]) -> dict[str, Any]:
    """`PublicKeyCredentialCreationOptionsJSON`: a discoverable credential, with the person verified."""
    return {
        "rp": {"id": domain(), "name": RP_NAME},
        "user": {"id": encoded(user_id.bytes), "name": person.email, "displayName": person.name},
        "challenge": token,
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in ALGORITHMS],
        "timeout": current().settings.challenge_seconds * 1_000,
        "excludeCredentials": _descriptors(known),
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        },
        "attestation": "none",
    }


def request_options(token: str, known: Sequence[Credential] = ()) -> dict[str, Any]:
    """`PublicKeyCredentialRequestOptionsJSON`; without known credentials any discoverable one may answer."""
    return {
        "challenge": token,
        "timeout": current().settings.challenge_seconds * 1_000,
        "rpId": domain(),
        "allowCredentials": _descriptors(known),
        "userVerification": "required",
    }


def _descriptors(known: Sequence[Credential]) -> list[dict[str, Any]]:
    return [{"type": "public-key", "id": encoded(each.credential_id), "transports": each.transports} for each in known]


def created(answer: dict[str, Any], token: str) -> Credential | None:
    """The credential that an authenticator made; None if it does not answer this challenge as it should."""
    from webauthn import verify_registration_response  # noqa: PLC0415 (takes a third of a second)
    from webauthn.helpers.cose import COSEAlgorithmIdentifier  # noqa: PLC0415

    try:
        made = verify_registration_response(
            credential=_plain(answer),
            expected_challenge=decoded(token),
            expected_rp_id=domain(),
            expected_origin=origins(),
            require_user_verification=True,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(algorithm) for algorithm in ALGORITHMS],
        )
    except Exception:  # of CBOR, ASN.1, JSON and others, besides those of the library itself
        return None
    transports = answer["response"].get("transports")
    told = transports if isinstance(transports, list) else []
    kept = sorted({each for each in told if isinstance(each, str)} & TRANSPORTS)
    if not 0 < len(made.credential_id) <= LONGEST_CREDENTIAL_ID:
        return None
    return Credential(made.credential_id, made.credential_public_key, kept, made.credential_backed_up, made.sign_count)


def next_sign_count(answer: dict[str, Any], token: str, credential: Credential) -> int | None:
    """The new counter, if the credential signed this challenge with the person verified; None otherwise."""
    from webauthn import verify_authentication_response  # noqa: PLC0415 (as above)

    try:
        verified = verify_authentication_response(
            credential=_plain(answer),
            expected_challenge=decoded(token),
            expected_rp_id=domain(),
            expected_origin=origins(),
            credential_public_key=credential.public_key,
            credential_current_sign_count=credential.sign_count,
            require_user_verification=True,
        )
    except Exception:  # as above
        return None
    return verified.new_sign_count if verified.credential_id == credential.credential_id else None


def _plain(answer: dict[str, Any]) -> str:
    """The answer as JSON text, so that the library does the parsing, and of no more than it may have to parse."""
    text = orjson.dumps(answer)
    if len(text) > LONGEST_ANSWER:
        raise ValueError("too long")
    return text.decode()


def challenge_in(answer: dict[str, Any]) -> str | None:
    """The challenge that somebody claims to answer."""
    try:
        client_data = orjson.loads(decoded(answer["response"]["clientDataJSON"]))
        token = client_data["challenge"]
    except (KeyError, TypeError, ValueError):
        return None
    return token if isinstance(token, str) else None


def credential_id_in(answer: dict[str, Any]) -> bytes | None:
    """The credential that somebody claims to have."""
    try:
        return decoded(answer["id"])
    except (KeyError, TypeError, ValueError):
        return None


def user_in(answer: dict[str, Any]) -> UUID | None:
    """The person that a discoverable credential names."""
    try:
        return UUID(bytes=decoded(answer["response"]["userHandle"]))
    except (KeyError, TypeError, ValueError):
        return None


def encoded(content: bytes) -> str:
    """As base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """From base64url without padding. Raises `ValueError`, `TypeError`."""
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    return content
