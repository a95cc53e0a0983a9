"""Which passwords are refused: short ones, those that are tried first, and those that are easily guessed.

There are no rules of composition. How easily one is guessed is estimated by zxcvbn (Wheeler, USENIX Security 2016).
"""

import re
from functools import cache
from pathlib import Path

from app.auth.errors import WeakPassword
from app.auth.profiles import Profile
from app.db.runtime import current

COMMON = Path(__file__).with_name("common_passwords.txt")
PRODUCT = "lifevault"
FEWEST_OWN_CHARACTERS = 6
SHORTEST_PERSONAL_PART = 3
LONGEST_PERSONAL_PART = 64
FEWEST_DIFFERENT = 5
LONGEST_UNIT = 4
LONGEST_ESTIMATED = 72
LOOKALIKES = str.maketrans("013457@$!", "oieastasi")
RUN = 4  # characters in a row that make a run of the alphabet, of digits, or of a keyboard's row
RUNS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop")


def refuse_weak(password: str, person: Profile) -> None:
    """Raises `WeakPassword`, which says what to do better and never repeats the password."""
    shortest = current().settings.password_min_length
    if len(password) < shortest:
        raise WeakPassword(f"Use at least {shortest} characters")
    folded = password.casefold()
    if _is_common(folded):
        raise WeakPassword("It is one of the passwords that are tried first; use several unrelated words")
    if _is_pattern(folded):
        raise WeakPassword("It repeats a pattern; use several unrelated words")
    if len(_without(folded, _parts_of(person))) < FEWEST_OWN_CHARACTERS:
        raise WeakPassword("It is made of your name or your e-mail address; use several unrelated words")
    if reason := _easily_guessed(password, person):
        raise WeakPassword(f"{reason} Use several unrelated words")


def _easily_guessed(password: str, person: Profile) -> str | None:
    """Why a guesser that knows words, names, dates and keyboards would soon be there; None if it would not.

    What is longer than the estimate goes (72 characters) is too long to be guessed, patterns apart.
    """
    from zxcvbn import zxcvbn  # noqa: PLC0415 (its lists take a while to load)

    if len(password) > LONGEST_ESTIMATED:
        return None
    estimate = zxcvbn(password, user_inputs=sorted(_parts_of(person)))
    if estimate["score"] >= current().settings.password_strength:
        return None
    warning = str(estimate["feedback"]["warning"] or "It is easily guessed").rstrip(".")
    return f"{warning}."


@cache
def _common() -> frozenset[str]:
    return frozenset(COMMON.read_text(encoding="utf-8").split())


def _is_common(password: str) -> bool:
    """`Passw0rd!2024` is `password` with decoration, and so as common."""
    bare = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", password)
    plain = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", password.translate(LOOKALIKES))
    spellings = {password, bare, plain, bare.translate(LOOKALIKES), re.sub(r"[\W_]+", "", password)}
    return not spellings.isdisjoint(_common())


def _is_pattern(password: str) -> bool:
    """Few different characters, a short unit over and over, or hardly more than runs."""
    if len(set(password)) < FEWEST_DIFFERENT:
        return True
    units = (password[:length] for length in range(1, LONGEST_UNIT + 1))
    if any((unit * len(password))[: len(password)] == password for unit in units):
        return True
    in_runs = {i + k for i in range(len(password)) if password[i : i + RUN] in _run_parts() for k in range(RUN)}
    return len(password) - len(in_runs) < FEWEST_OWN_CHARACTERS


@cache
def _run_parts() -> frozenset[str]:
    both_ways = [way for run in RUNS for way in (run, run[::-1])]
    return frozenset(run[i : i + RUN] for run in both_ways for i in range(len(run) - RUN + 1))


def _parts_of(person: Profile) -> set[str]:
    """The words that others know of a person."""
    words = re.split(r"[\W_]+", f"{person.email} {person.name} {PRODUCT}".casefold())
    return {word[:LONGEST_PERSONAL_PART] for word in words if len(word) >= SHORTEST_PERSONAL_PART}


def _without(password: str, parts: set[str]) -> str:
    for part in sorted(parts, key=len, reverse=True):
        password = password.replace(part, "")
    return password
