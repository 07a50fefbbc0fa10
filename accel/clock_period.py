"""A clock period in picoseconds, exact: 416.67 and 1250/3 are different clocks."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

_FORM = re.compile(r"\d{1,9}(\.\d{1,9})?|\d{1,12}/\d{1,12}")


def exact_ps(given: object) -> int | Fraction:
    """Return picoseconds that are given as a number or as text such as "1250/3"; an integer if they are whole.

    Raises
    ------
    ValueError
        If they are neither, or not above zero.
    """
    said = f"picoseconds must be a positive number or a ratio such as '1250/3', not {given!r}"
    if isinstance(given, bool) or not isinstance(given, (int, float, str, Fraction)):
        raise ValueError(said)
    text = str(given)
    if not _FORM.fullmatch(text) or re.search(r"/0+$", text):
        raise ValueError(said)
    exact = Fraction(text)
    if exact <= 0:
        raise ValueError(said)
    return exact.numerator if exact.denominator == 1 else exact


def _plain(period_ps: int | Fraction) -> int | str:
    return period_ps if isinstance(period_ps, int) else str(period_ps)


ClockPeriod = Annotated[int | Fraction, PlainValidator(exact_ps), PlainSerializer(_plain, when_used="json")]
"""Picoseconds, a whole number or an exact ratio."""
