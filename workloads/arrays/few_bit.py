"""Few-bit backward: of a sigmoid or tanh the tape keeps which of 2^k pieces its input lay in, not its value.

Novikov et al., Few-Bit Backward, ICML 2023, arXiv 2202.00441: the forward pass is exact, the backward pass multiplies
with the mean of the derivative over the piece (`workloads.arrays.codebook`). Derivatives of sigmoid and tanh are even,
so all 2^k pieces are spent on |x|, as the paper suggests.

Backward passes of gated cells also multiply with the value itself. That part is ours, not the paper's: one more bit
tells on which side of zero the input lay, and the value used is the one on that side whose derivative is exactly the
level, as y and y (1 - y) of a sigmoid, and y and 1 - y^2 of a tanh, determine each other but for the side.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, Protocol

import numpy as np

from deltatrain.workloads.arrays.codebook import SIGMOID, TANH, Activation, codebook
from deltatrain.workloads.arrays.packing import Array

DOMAIN = 10.0
"""Codebooks are the best for |x| up to here; the authors' own dynamic programming takes -10 to 10 (skolai/fewbit)."""

_GRID_STEPS = 800


class _Squashing(NamedTuple):
    """A function with f' = steepest - (f - centre)^2, centre being its value at zero."""

    activation: Activation
    centre: float
    steepest: float


_SQUASHINGS = {"sigmoid": _Squashing(SIGMOID, 0.5, 0.25), "tanh": _Squashing(TANH, 0.0, 1.0)}


class ValueCode(NamedTuple):
    """How values of one function become codes and back.

    Attributes
    ----------
    bits
        Of a code: those of the piece, and one for the side if it is kept.
    centre
        The value at zero, from which distances are measured.
    borders
        Of the distance, rising, shape (2^k - 1,).
    decoded
        The value that stands for each code, shape (2^bits,).
    """

    bits: int
    centre: float
    borders: Array
    decoded: Array

    def encode(self, values: Array) -> Array:
        """Return the code of each value, uint8; a value at a border has the code of the piece nearer to zero."""
        pieces = np.searchsorted(self.borders, np.abs(values - self.centre), side="left").astype(np.uint8)
        sided = len(self.decoded) > len(self.borders) + 1
        codes: Array = pieces + np.uint8(len(self.borders) + 1) * (values < self.centre) if sided else pieces
        return codes

    def decode(self, codes: Array, dtype: np.dtype[np.floating]) -> Array:
        """Return the value that stands for each code."""
        values: Array = self.decoded.astype(dtype)[codes]
        return values


def used_grid() -> Array:
    """Return the grid of |x| on which the codes' borders are sought."""
    grid: Array = np.linspace(0, DOMAIN, _GRID_STEPS + 1)
    return grid


class Coded(Protocol):
    """What codes must know of a cell.

    Attributes
    ----------
    VALUES
        The H-vectors that a step computes, h among them.
    TAPE
        Those that its backward pass reads; ``_before`` marks the value of the step before.
    SQUASHED
        Those that are a "sigmoid" or a "tanh", by name.
    SQUARED
        Those of them of which the backward pass needs the square only.
    """

    VALUES: tuple[str, ...]
    TAPE: tuple[str, ...]
    SQUASHED: dict[str, str]
    SQUARED: tuple[str, ...]


@cache
def value_code(function: str, bits: int, sided: bool) -> ValueCode:
    """Return the code of `function`, "sigmoid" or "tanh", with `bits` bits for the piece, and one for the side."""
    activation, centre, steepest = _SQUASHINGS[function]
    best = codebook(activation, used_grid(), 2**bits)
    distances = np.sqrt(steepest - best.levels)
    below = [centre - distances] if sided else []
    borders = activation.value(best.borders[1:-1]) - centre
    return ValueCode(bits + sided, centre, borders, np.concatenate([centre + distances, *below]))


def value_codes(cell: Coded, bits: int | None) -> dict[str, ValueCode]:
    """Return the code of each of the cell's values that the tape keeps as a code; none without `bits`."""
    if bits is None:
        return {}
    return {name: value_code(function, bits, name not in cell.SQUARED) for name, function in cell.SQUASHED.items()}


def approximated(cell: Coded, values: Array, bits: int | None) -> Array:
    """Return the cell's `VALUES`, first axis, as a tape with codes of `bits` bits gives them back."""
    codes = value_codes(cell, bits)
    if not codes:
        return values
    back = values.copy()
    for name, code in codes.items():
        number = cell.VALUES.index(name)
        back[number] = code.decode(code.encode(values[number]), values.dtype)
    return back


def neuron_bits(cell: Coded, bits: int | None, whole_bits: int) -> int:
    """Return the bits of a neuron's tape of one step, lists apart, where what is no code takes `whole_bits`."""
    codes = value_codes(cell, bits)
    return sum(codes[name].bits if name in codes else whole_bits for name in cell.TAPE)


def pack(codes: Array, bits: int) -> Array:
    """Return codes of `bits` bits, flattened, little-endian in bytes: eight of them in `bits` bytes, uint8."""
    planes = (codes.ravel()[:, None] >> np.arange(bits, dtype=np.uint8)) & 1
    packed: Array = np.packbits(planes.astype(np.uint8), bitorder="little")
    return packed


def unpack(packed: Array, bits: int, shape: tuple[int, ...]) -> Array:
    """Return the codes in `packed`, uint8, of `shape`; undoes `pack`."""
    planes = np.unpackbits(packed, count=bits * int(np.prod(shape)), bitorder="little").reshape(-1, bits)
    codes: Array = (planes << np.arange(bits, dtype=np.uint8)).sum(axis=1, dtype=np.uint8)
    return codes.reshape(shape)


class KeptValues(NamedTuple):
    """Values on a tape, all of one shape.

    Attributes
    ----------
    shape
        Of each.
    whole
        Those that are kept as they are, by name.
    packed
        The codes of the others, by name, as `pack` packs them.
    """

    shape: tuple[int, ...]
    whole: dict[str, Array]
    packed: dict[str, Array]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for arrays in (self.whole, self.packed) for array in arrays.values())

    def read(self, codes: dict[str, ValueCode], dtype: np.dtype[np.floating]) -> dict[str, Array]:
        """Return all values by name, those of `codes` as the codes give them back."""
        back = {
            name: codes[name].decode(unpack(packed, codes[name].bits, self.shape), dtype)
            for name, packed in self.packed.items()
        }
        return self.whole | back


def keep(values: dict[str, Array], codes: dict[str, ValueCode]) -> KeptValues:
    """Return `values`, of one shape, as a tape keeps them: those with a code among `codes` packed to bits."""
    shape = next(iter(values.values())).shape
    whole = {name: array.copy() for name, array in values.items() if name not in codes}
    packed = {name: pack(code.encode(values[name]), code.bits) for name, code in codes.items()}
    return KeptValues(shape, whole, packed)
