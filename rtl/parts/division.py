"""Division by a constant, in one cycle."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Const, Value
from amaranth.utils import ceil_log2

from deltatrain.rtl.parts.arguments import check_at_least

__all__ = ["Divided", "divided"]


class Divided(NamedTuple):
    """Quotient and remainder, of as many bits as they need."""

    quotient: Value
    remainder: Value


def divided(value: Value, divisor: int) -> Divided:
    """Return `value`, unsigned, divided by a constant of at least 1.

    Of a power of two these are wires. Otherwise x of b bits is multiplied with m = ceil(2**s / n), where
    s = b + ceil(log2 n): as m * n is at most 2**s + n - 1, and x * (n - 1) is below 2**s, floor(x * m / 2**s) is
    floor(x / n). The remainder is below n, so the lowest bits of x - n * quotient are all of it.
    """
    check_at_least("divisor", divisor, 1)
    bits, rest = len(value), ceil_log2(divisor)
    if divisor == 1 << rest:
        return Divided(value[rest:], value[:rest])
    shift = bits + rest
    quotient = (value * Const(-(-(1 << shift) // divisor)))[shift:][: max(bits - rest + 1, 1)]
    return Divided(quotient, (value - quotient * divisor)[:rest])
