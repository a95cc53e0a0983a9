"""Polynomials over GF(256) with Rijndael's modulus x^8 + x^4 + x^3 + x + 1, all bytes of a share at once.

A share is one number whose bytes are the lanes of the computation. Secrets meet nothing but shifts, AND and XOR with
constants, in an order that depends only on the indices of shares, which are public: no table is looked up by a secret
and no branch is taken by one. A bit above the lanes keeps the number as long as it was, whatever the secret.
What Python can't promise: that the interpreter's arithmetic takes the same time for all numbers of one length, that no
copies of a secret stay in memory, and that they are wiped.
"""

from collections.abc import Mapping

MODULUS_TAPS = (0, 1, 3, 4)  # x^8 = x^4 + x^3 + x + 1
ORDER = 255


def interpolate(points: Mapping[int, bytes], at: int) -> bytes:
    """The value at an index of the polynomial through these points, in every byte."""
    length = len(next(iter(points.values())))
    total = 0
    for index, value in points.items():
        total ^= _scale(int.from_bytes(value), _weight(index, points, at), length)
    return (total & _low(length)).to_bytes(length)


def multiply(one: int, other: int) -> int:
    """The product of two public elements."""
    return _scale(one, other, 1) & ORDER


def _weight(index: int, points: Mapping[int, bytes], at: int) -> int:
    """Lagrange's coefficient, from public indices alone."""
    above = below = 1
    for other in points:
        if other != index:
            above = multiply(above, at ^ other)
            below = multiply(below, index ^ other)
    return multiply(above, _inverse(below))


def _inverse(element: int) -> int:
    """By Fermat: element to the power of 254."""
    result, square = 1, element
    for _ in range(7):
        square = multiply(square, square)
        result = multiply(result, square)
    return result


def _scale(lanes: int, factor: int, length: int) -> int:
    """Every lane times one public factor."""
    total = guard = 1 << 8 * length
    lanes |= guard
    for bit in range(8):
        total ^= lanes & -(factor >> bit & 1)
        lanes = _double(lanes, length)
    return total & _low(length) | guard


def _double(lanes: int, length: int) -> int:
    """Every lane times x."""
    guard = 1 << 8 * length
    ones = _low(length) // ORDER
    carries = lanes >> 7 & ones
    doubled = (lanes & ones * 127) << 1
    for tap in MODULUS_TAPS:
        doubled ^= carries << tap
    return doubled | guard


def _low(length: int) -> int:
    return (1 << 8 * length) - 1
