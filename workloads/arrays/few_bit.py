"""Few-bit backward: of sigmoids and tanhs a tape keeps codes (`accel.value_code`), packed to bits."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from deltatrain.accel.value_code import ValueCode, value_code
from deltatrain.workloads.arrays.packing import Array


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
