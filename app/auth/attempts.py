"""How often somebody may try: strict for one account from one place, loose for an account from everywhere.

Failures for an account count against everybody except places that its owner has signed in from, so nobody can lock
another person out. Counters are kept by digests.
"""

import asyncio
from uuid import UUID

from app.auth.devices import Device
from app.auth.errors import TooManyAttempts
from app.auth.parts import throttle
from app.core.throttle import Limit
from app.db.runtime import current

HOUR = 3_600
PLACE_FACTOR = 5
ACCOUNT_FACTOR = 10
REQUEST_FACTOR = 5
CODE_FACTOR = 2
MAILS_PER_HOUR = 5


def _sign_ins(name: str, factor: int) -> Limit:
    settings = current().settings
    return Limit(name, settings.sign_in_attempts * factor, settings.sign_in_window_seconds)


async def begin(account: bytes, device: Device, *, known: bool) -> None:
    """Count an attempt before the password is looked at. `known`: the owner has signed in from this place before.

    Raises `TooManyAttempts`.
    """
    questions = [
        throttle().hit(_sign_ins("account-place", 1), (account + device.place).hex()),
        throttle().full(_sign_ins("place", PLACE_FACTOR), device.place.hex()),
    ]
    if not known:
        questions.append(throttle().full(_sign_ins("account", ACCOUNT_FACTOR), account.hex()))
    _refuse(max(await asyncio.gather(*questions)))


async def failed(account: bytes, device: Device) -> None:
    """Count a wrong password for the place and for the account."""
    await asyncio.gather(
        throttle().hit(_sign_ins("place", PLACE_FACTOR), device.place.hex()),
        throttle().hit(_sign_ins("account", ACCOUNT_FACTOR), account.hex()),
    )


async def succeeded(account: bytes, device: Device) -> None:
    """Forget the failures for this account from this place."""
    await throttle().clear(_sign_ins("account-place", 1), (account + device.place).hex())


async def begin_code(user_id: UUID, device: Device, *, known: bool) -> None:
    """Count an answer to a second factor before it is looked at; a code has six digits only. `known`: as in `begin`.

    Raises `TooManyAttempts`.
    """
    questions = [throttle().hit(_codes("code-place", 1), (user_id.bytes + device.place).hex())]
    if not known:
        questions.append(throttle().full(_codes("code-account", CODE_FACTOR), user_id.hex))
    _refuse(max(await asyncio.gather(*questions)))


async def failed_code(user_id: UUID) -> None:
    """Count a wrong second factor for the account."""
    await throttle().hit(_codes("code-account", CODE_FACTOR), user_id.hex)


async def succeeded_code(user_id: UUID, device: Device) -> None:
    """Forget the failures for this account from this place."""
    await throttle().clear(_codes("code-place", 1), (user_id.bytes + device.place).hex())


def _codes(name: str, factor: int) -> Limit:
    return Limit(name, current().settings.second_factor_attempts * factor, HOUR)


async def begin_passkey(device: Device) -> None:
    """See that not too many wrong passkeys came from a place. Raises `TooManyAttempts`."""
    _refuse(await throttle().full(_sign_ins("passkey", PLACE_FACTOR), device.place.hex()))


async def failed_passkey(device: Device) -> None:
    """Count a wrong passkey."""
    await throttle().hit(_sign_ins("passkey", PLACE_FACTOR), device.place.hex())


async def begin_api_key(device: Device) -> None:
    """See that not too many wrong API keys came from a place. Raises `TooManyAttempts`."""
    _refuse(await throttle().full(_sign_ins("api-key", PLACE_FACTOR), device.place.hex()))


async def failed_api_key(device: Device) -> None:
    """Count a wrong API key."""
    await throttle().hit(_sign_ins("api-key", PLACE_FACTOR), device.place.hex())


async def begin_request(device: Device) -> None:
    """Count a registration or a request for a link. Raises `TooManyAttempts`.

    A place may ask for five times as many in an hour as it may send requests in a minute.
    """
    most = current().settings.anonymous_rate_limit_per_minute * REQUEST_FACTOR
    if most:
        _refuse(await throttle().hit(Limit("request", most, HOUR), device.place.hex()))


async def may_be_mailed(account: bytes) -> bool:
    """Count an e-mail to an address that somebody without a session asked for; false if it has had enough of them."""
    return await throttle().hit(Limit("mail", MAILS_PER_HOUR, HOUR), account.hex()) == 0


def _refuse(wait: int) -> None:
    if wait:
        raise TooManyAttempts(f"Try again in {wait} seconds", headers={"Retry-After": str(wait)})
