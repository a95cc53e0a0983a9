"""Which passwords are refused, and that good ones are not."""

import pytest

from app.auth.errors import WeakPassword
from app.auth.passwords import COMMON, refuse_weak
from app.auth.profiles import Profile
from app.core.errors import Unavailable
from app.core.security import MOST_PENDING, check_password, hash_password
from tests.notifications.smtp import changed_settings

pytestmark = pytest.mark.anyio

PERSON = Profile("wolfgang.mozart@salzburg.example", "Wolfgang Amadé Mozart")


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "password123",
        "Passw0rd!2024",
        "P@ssword!!!!",
        "!!!letmein!!!",
        "qwertyuiop",
        "Qwerty123456",
        "1q2w3e4r5t6y",
        "1234567890",
        "0987654321",
        "123456789012345",
        "abcdefghijkl",
        "lkjhgfdsapoiuytrewq",
        "aaaaaaaaaaaaaaaa",
        "abababababab",
        "abcabcabcabcabc",
        "xyz1xyz1xyz1",
        "wolfgangmozart",
        "Mozart-Salzburg",
        "MOZART1756!",
        "Lifevault2026",
        "i-love-you-123",
        "ILOVEYOU!!!!!",
        "          ",
        "💙💙💙💙💙💙💙💙💙💙",
        "iloveyou2much",
        "liverpool2019",
        "Jennifer1987",
        "princess.1990",
    ],
)
async def test_a_password_that_is_tried_first_is_refused(runtime, password):
    with pytest.raises(WeakPassword) as refusal:
        refuse_weak(password, PERSON)

    assert password not in str(refusal.value)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "correct horse battery staple",
        "S3cure-Passw0rd!",
        "a quiet river bends",
        "mozart likes 7 green apples",
        "Kq7#vTz9!pLm",
        "Zauberflöte in drei Akten",
        "молоко и мёд сегодня",
        "日本語のパスワードです",
        "2026-11-21 was a good day",
        "a long walk by the sea " * 150,
    ],
)
async def test_a_good_password_is_accepted(runtime, password):
    refuse_weak(password, PERSON)


def test_the_common_passwords_are_in_order_and_written_as_they_are_compared():
    words = COMMON.read_text(encoding="utf-8").split("\n")

    assert words.pop() == ""
    assert words == sorted(set(words))
    assert all(word == word.casefold().strip() for word in words)
    assert len(words) > 500


async def test_a_password_is_recognised_and_another_is_not():
    stored = await hash_password("correct horse battery")

    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await check_password("correct horse battery", stored)).matches
    assert not (await check_password("correct horse battery ", stored)).matches
    assert not (await check_password("correct horse battery", None)).matches
    assert stored != await hash_password("correct horse battery")


async def test_more_sign_ins_than_can_be_worked_on_are_turned_away():
    import asyncio

    waiting = [check_password("x", None) for _ in range(MOST_PENDING + 5)]

    results = await asyncio.gather(*waiting, return_exceptions=True)

    refused = [result for result in results if isinstance(result, Unavailable)]
    assert len(refused) == 5
    assert refused[0].headers == {"Retry-After": "2"}
    assert not any(result.matches for result in results if not isinstance(result, Unavailable))


async def test_the_problem_says_why_a_password_is_easily_guessed(runtime):
    with pytest.raises(WeakPassword, match=r"similar to a commonly used password\. Use several"):
        refuse_weak("iloveyou2much", PERSON)


async def test_how_strong_a_password_must_be_is_a_setting(runtime):
    with changed_settings(password_strength=0):
        refuse_weak("iloveyou2much", PERSON)
    with changed_settings(password_strength=4), pytest.raises(WeakPassword):
        refuse_weak("another password", PERSON)
