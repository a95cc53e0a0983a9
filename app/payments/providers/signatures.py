"""Webhooks: whether they come from the provider, are new, and are meant for us.

The scheme is Stripe's `v1` (https://docs.stripe.com/webhooks/signature): HMAC-SHA256 over `<t>.<body>`. Theirs refuses
what is old; this one also what comes from the future.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.payments.providers import wire
from app.payments.providers.fields import Fields
from app.payments.providers.port import EventHint, InvalidSignature, ProviderError

TOLERANCE_SECONDS: Final = 300
LONGEST_HEADER: Final = 4_096
MOST_SIGNATURES: Final = 16
_TIME: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_PART: Final = re.compile(r"([a-z0-9]{1,16})=([!-+\--~]{1,256})", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class WebhookRules:
    """What a webhook must be. While secrets are exchanged there are several, and each of them is good."""

    secrets: Sequence[str]
    livemode: bool
    account: str
    max_bytes: int


def read_webhook(payload: bytes, signature: str, now: datetime, rules: WebhookRules) -> EventHint:
    """The event of a webhook that is good in every way. Raises `InvalidSignature`, and nothing else."""
    if len(payload) > rules.max_bytes:
        raise InvalidSignature
    sent_at, digests = _parse(signature)
    if not _is_signed(payload, sent_at, digests, rules.secrets):
        raise InvalidSignature
    if abs(now.timestamp() - int(sent_at)) > TOLERANCE_SECONDS:
        raise InvalidSignature
    return _event(payload, rules)


def _parse(header: str) -> tuple[str, list[str]]:
    """The time as it was written, and the signatures of the scheme that we know; others are passed over."""
    if not header.isascii() or len(header) > LONGEST_HEADER:
        raise InvalidSignature
    found = [_PART.fullmatch(part.strip(" ")) for part in header.split(",")]
    parts = [match.groups() for match in found if match]
    times = [value for name, value in parts if name == "t"]
    digests = [value for name, value in parts if name == "v1"]
    if len(parts) != len(found) or len(times) != 1 or not _TIME.fullmatch(times[0]):
        raise InvalidSignature
    if not 1 <= len(digests) <= MOST_SIGNATURES or not all(_DIGEST.fullmatch(each) for each in digests):
        raise InvalidSignature
    return times[0], digests


def _is_signed(payload: bytes, sent_at: str, digests: Sequence[str], secrets: Sequence[str]) -> bool:
    """Whether one of the secrets made one of the signatures; every pair is compared, in constant time."""
    signed = sent_at.encode() + b"." + payload
    expected = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets if secret]
    return sum(hmac.compare_digest(ours, theirs) for ours in expected for theirs in digests) > 0


def _event(payload: bytes, rules: WebhookRules) -> EventHint:
    try:
        raw = Fields(json.loads(payload.decode("utf-8")), "event")
        hint = wire.event(raw)
        is_ours = raw.one_of("object", "event") and raw.flag("livemode") == rules.livemode
    except (ProviderError, ValueError, RecursionError):
        raise InvalidSignature from None
    if not is_ours or (hint.account and hint.account != rules.account):
        raise InvalidSignature
    return hint
