"""The fields of a hardware layout, one by one, with their places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum, EnumMeta
from typing import NamedTuple

from amaranth.hdl import Shape, ShapeLike
from amaranth.lib import data

__all__ = ["Field", "fields_of"]


class Field(NamedTuple):
    """A number in the bits of a port.

    Attributes
    ----------
    name
        Its path: members joined by dots, elements of arrays in brackets.
    offset, width
        Its lowest bit, and how many.
    signed
        Whether it is in two's complement.
    names
        What its values are called, by value, if they have names.
    """

    name: str
    offset: int
    width: int
    signed: bool
    names: dict[int, str]

    def of(self, bits: int) -> int:
        """Return this field of a port that has `bits`, as an unsigned integer."""
        return bits >> self.offset & ((1 << self.width) - 1)


def fields_of(shape: ShapeLike, name: str = "", offset: int = 0) -> Iterator[Field]:
    """Yield the fields of `shape` from the lowest bit up, those without bits left out."""
    if isinstance(shape, data.Layout):
        for key, member in shape:
            path = f"{name}[{key}]" if isinstance(key, int) else f"{name}.{key}".lstrip(".")
            yield from fields_of(member.shape, path, offset + member.offset)
        return
    cast = Shape.cast(shape)
    members: Iterable[Enum] = shape if isinstance(shape, EnumMeta) else ()
    names = {int(member.value): member.name for member in members}
    if cast.width:
        yield Field(name, offset, cast.width, cast.signed, names)
