"""Values of a hardware layout as the integer of its bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from amaranth.hdl import Shape, ShapeLike
from amaranth.lib import data

__all__ = ["pack", "packer"]


def pack(shape: ShapeLike, value: Any) -> int:
    """Return the bits of `value`, an unsigned integer, as `packer` describes it."""
    return packer(shape)(value)


def packer(shape: ShapeLike) -> Callable[[Any], int]:
    """Return what makes the bits of a value, an unsigned integer; it is made once for many values of a shape.

    Parameters
    ----------
    shape
        An amaranth shape or layout. The value is an integer; for an array a sequence; for a structure a mapping, in
        which members that are left out are zero.

    Raises
    ------
    KeyError
        From what is returned, if a member is not in the structure.
    ValueError
        From what is returned, if an integer does not fit its shape.
    """
    if isinstance(shape, data.StructLayout):
        return _structure({str(name): (packer(field.shape), field.offset) for name, field in shape})
    if isinstance(shape, data.ArrayLayout):
        return _array(packer(shape.elem_shape), Shape.cast(shape.elem_shape).width)
    return _integer(Shape.cast(shape))


def _structure(members: Mapping[str, tuple[Callable[[Any], int], int]]) -> Callable[[Any], int]:
    def packed(value: Mapping[str, Any]) -> int:
        bits = 0
        for name, item in value.items():
            member, offset = members[name]
            bits |= member(item) << offset
        return bits

    return packed


def _array(element: Callable[[Any], int], width: int) -> Callable[[Any], int]:
    def packed(value: Sequence[Any]) -> int:
        bits = 0
        for number, item in enumerate(value):
            bits |= element(item) << (number * width)
        return bits

    return packed


def _integer(shape: Shape) -> Callable[[Any], int]:
    width = int(shape.width)
    mask = (1 << width) - 1
    lowest, highest = (-1 << (width - 1), 1 << (width - 1)) if shape.signed else (0, 1 << width)

    def packed(value: Any) -> int:
        number = int(getattr(value, "value", value))
        if not lowest <= number < max(highest, 1):
            raise ValueError(f"{number} does not fit {shape}")
        return number & mask

    return packed
