from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.quantity import quantity, share, times

POWERS = {"f": -15, "p": -12, "n": -9, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15}


@given(st.floats(1e-14, 1e17))
def test_a_quantity_reads_back_to_three_digits(value):
    number, prefix = re.fullmatch(r"([\d.]+) ?(\D?)B", quantity(value, "B")).groups()
    assert float(number) * 10.0 ** POWERS[prefix] == pytest.approx(value, rel=5.1e-3)
    assert 1 <= float(number) < 1000


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "B", "0 B"),
        (512, "B", "512 B"),
        (999.9, "", "1 k"),
        (1_234_567, "", "1.23 M"),
        (2.5e-9, "s", "2.5 ns"),
        (-1500, "J", "-1.5 kJ"),
        (math.inf, "B/s", "∞ B/s"),
        (math.nan, "B", "–"),
    ],
)
def test_quantities(value, unit, text):
    assert quantity(value, unit) == text


def test_shares_and_ratios():
    assert share(0.1234) == "12.3 %"
    assert [times(value) for value in (4.357, 17.0, 1250.4, math.inf)] == ["4.36×", "17×", "1,250×", "∞×"]
