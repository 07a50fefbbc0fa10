"""Values of a hardware layout as the integer of its bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.hdl import Shape, ShapeLike
from amaranth.lib import data

__all__ = ["pack"]


def pack(shape: ShapeLike, value: Any) -> int:
    """Return the bits of `value`, an unsigned integer.

    Parameters
    ----------
    shape
        An amaranth shape or layout.
    value
        An integer; for an array a sequence; for a structure a mapping, in which members that
        are left out are zero.

    Raises
    ------
    KeyError
        If a member is not in the structure.
    ValueError
        If an integer does not fit its shape.
    """
    if isinstance(shape, data.StructLayout):
        assert isinstance(value, Mapping)
        fields = (shape[name] for name in value)
        return sum(pack(field.shape, item) << field.offset for field, item in zip(fields, value.values(), strict=True))
    if isinstance(shape, data.ArrayLayout):
        assert isinstance(value, Sequence)
        width = Shape.cast(shape.elem_shape).width
        return sum(pack(shape.elem_shape, item) << (number * width) for number, item in enumerate(value))
    cast = Shape.cast(shape)
    width = int(cast.width)
    number = int(getattr(value, "value", value))
    lowest, highest = (-1 << (width - 1), 1 << (width - 1)) if cast.signed else (0, 1 << width)
    if not lowest <= number < max(highest, 1):
        raise ValueError(f"{number} does not fit {cast}")
    return number & ((1 << width) - 1)
