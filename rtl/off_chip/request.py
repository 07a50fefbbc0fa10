"""Requests to off-chip memory: an address and how many whole words from there on, to be read or to be written."""

from __future__ import annotations

from amaranth.hdl import unsigned
from amaranth.lib import data, enum

from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["ADDRESS_BITS", "MATRIX_OF", "FetchRequest", "Matrix", "Request"]

ADDRESS_BITS = 32
"""Width of an off-chip byte address."""


class Matrix(enum.Enum, shape=unsigned(1)):
    """The two kinds of matrices; which it is decides how wide a word is."""

    WEIGHTS = 0
    WEIGHT_GRADIENTS = 1


MATRIX_OF = {"weights": Matrix.WEIGHTS, "gradients": Matrix.WEIGHT_GRADIENTS}
"""By name of their ports."""


class Request(data.StructLayout):
    """A contiguous piece of off-chip memory.

    Members
    -------
    address : unsigned(ADDRESS_BITS)
        First byte.
    words : unsigned(INDEX_BITS)
        Whole words of P values from there on.
    """

    def __init__(self) -> None:
        super().__init__({"address": unsigned(ADDRESS_BITS), "words": unsigned(INDEX_BITS)})


class FetchRequest(data.StructLayout):
    """What the fetch asks for.

    Members
    -------
    matrix : Matrix
        Whether words of W or of dW.
    request : Request
        Which.
    array : range(arrays)
        For which of several arrays; present if there are.
    """

    def __init__(self, arrays: int = 1) -> None:
        super().__init__({"matrix": Matrix, "request": Request(), **({"array": range(arrays)} if arrays > 1 else {})})
