"""Numbers as a person reads them: three digits, a prefix, a unit."""

from __future__ import annotations

import math

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}


def quantity(value: float, unit: str = "", digits: int = 3) -> str:
    """Return `value` with a decimal prefix, for example ``1.23 MB``; without a unit ``1.23 M``.

    Parameters
    ----------
    value
        In the unit given; may be infinite.
    unit
        The unit's symbol: B, s, J, Hz, B/s.
    digits
        Significant digits, at least 3, so that no rounded value needs an exponent.
    """
    if not math.isfinite(value):
        return f"{'−' if value < 0 else ''}∞ {unit}".rstrip() if math.isinf(value) else "–"
    rounded = f"{value:.{digits - 1}e}"
    exponent = int(rounded.partition("e")[2])
    power = max(min(_PREFIXES), min(max(_PREFIXES), exponent // 3 * 3)) if value else 0
    return f"{float(rounded) / 10**power:.{digits}g} {_PREFIXES[power]}{unit}".rstrip()


def share(value: float) -> str:
    """Return a share of 1 in per cent, with one digit after the point."""
    return f"{100 * value:.1f} %"


def times(value: float) -> str:
    """Return a ratio, such as a speed-up: ``4.36×``, ``1,250×``."""
    if math.isinf(value):
        return "∞×"
    return f"{value:,.0f}×" if value >= 100 else f"{value:.3g}×"


def figure_words(name: str, value: float) -> str:
    """Return the figure of a task in words: an accuracy as a share, any other as a number."""
    return share(value) if name.endswith("accuracy") else f"{value:.4g}"
