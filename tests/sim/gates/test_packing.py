"""The bits of a value as Amaranth's own constants have them."""

from __future__ import annotations

import pytest
from amaranth.hdl import signed, unsigned
from amaranth.lib import data
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.rtl.lanes.op import Mode
from deltatrain.sim.gates.packing import pack, packer

WIDTHS = st.integers(1, 40)


@st.composite
def shapes_and_values(draw, depth=2):
    """A shape of structures, arrays and integers, and a value that fits it."""
    kind = draw(st.sampled_from(["integer", "mode", "array", "structure"] if depth else ["integer", "mode"]))
    if kind == "mode":
        return Mode, draw(st.sampled_from(list(Mode)))
    if kind == "array":
        shape, value = draw(shapes_and_values(depth - 1))
        return data.ArrayLayout(shape, 3), [value] * 3
    if kind == "structure":
        members = {name: draw(shapes_and_values(depth - 1)) for name in "abc"[: draw(st.integers(1, 3))]}
        layout = data.StructLayout({name: shape for name, (shape, _) in members.items()})
        return layout, {name: value for name, (_, value) in members.items()}
    width, is_signed = draw(WIDTHS), draw(st.booleans())
    low = -(1 << (width - 1)) if is_signed else 0
    return (signed if is_signed else unsigned)(width), draw(st.integers(low, low + (1 << width) - 1))


@given(shapes_and_values())
def test_bits_are_those_of_a_constant(drawn):
    shape, value = drawn
    if isinstance(shape, data.Layout):
        assert pack(shape, value) == shape.const(value).as_bits()
    else:
        assert pack(data.StructLayout({"only": shape}), {"only": value}) == pack(shape, value)


def test_members_that_are_left_out_are_zero():
    assert pack(data.StructLayout({"a": 3, "b": 4}), {"b": 5}) == 5 << 3


@pytest.mark.parametrize(("shape", "value"), [(unsigned(3), 8), (unsigned(3), -1), (signed(3), 4), (signed(3), -5)])
def test_what_does_not_fit_is_refused(shape, value):
    with pytest.raises(ValueError, match=f"{value} does not fit"):
        packer(shape)(value)


def test_a_member_that_does_not_exist_is_refused():
    with pytest.raises(KeyError, match="c"):
        pack(data.StructLayout({"a": 3}), {"c": 0})
