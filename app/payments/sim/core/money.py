"""Amounts in minor units, rounded half away from zero, so that a credit is the mirror image of a charge."""

from fractions import Fraction


def rounded(amount: Fraction) -> int:
    """The nearest whole number; halves away from zero."""
    magnitude = (2 * abs(amount.numerator) + amount.denominator) // (2 * amount.denominator)
    return magnitude if amount >= 0 else -magnitude


def share(amount: int | Fraction, part: int, whole: int) -> int:
    """The part of an amount, e.g. for the seconds that are left of a period."""
    return rounded(Fraction(amount) * part / whole) if whole else 0


def spread(total: int, weights: list[int]) -> list[int]:
    """A total over weights, in proportion and without losing a cent; the largest remainders get what is left over."""
    whole = sum(weights)
    if whole <= 0:
        return [0] * len(weights)
    exact = [Fraction(total * weight, whole) for weight in weights]
    parts = [int(value) for value in exact]
    by_remainder = sorted(range(len(parts)), key=lambda index: parts[index] - exact[index])
    for index in by_remainder[: total - sum(parts)]:
        parts[index] += 1
    return parts
