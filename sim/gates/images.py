"""What memories hold before a training step and, by the golden model, after it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel import shares
from deltatrain.accel.arrays import of_first_columns
from deltatrain.accel.number import Integers, NumberFormat
from deltatrain.accel.tensor import Tensor
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.sim.gates.commands import Commands
from deltatrain.sim.gates.layout import Layout
from deltatrain.sim.gates.sparse_words import EntryPlaces, entry_places
from deltatrain.sim.gates.step import NumberedStep
from deltatrain.workloads.lowering.sparse_columns import existing_weights

__all__ = ["Images", "from_bytes", "to_bytes"]


class Images:
    """The contents of off-chip memory and of the tiles' memories of W and dW.

    Parameters
    ----------
    step
        The training step.
    layout, commands
        Where everything is, and what is loaded.
    """

    def __init__(self, step: NumberedStep, layout: Layout, commands: Commands) -> None:
        self._step, self._layout, self._commands = step, layout, commands
        self._tensors = step.program.tensors
        self._formats = step.architecture.engine.formats

    @property
    def before(self) -> dict[str, Integers]:
        """Every matrix by name before the step; dW are zero."""
        weights = self._step.parameters.stored()
        of_kind = {"weights": iter(weights), "gradients": map(np.zeros_like, weights)}
        return {tensor.name: next(of_kind[tensor.kind]) for tensor in self._tensors}

    @property
    def remote_bytes(self) -> int:
        """Bytes of off-chip memory, as far as it is used or lies before what is."""
        return sum(self._step.program.remote_bytes.values()) + self.left_over_bytes

    @property
    def left_over_bytes(self) -> int:
        """Bytes off-chip that compressed columns leave of the places of whole ones; all else lies behind them."""
        return sum(map(_left_over, self._tensors))

    def remote(self, matrices: Mapping[str, Integers]) -> bytearray:
        """Return off-chip memory, as far as it is used, with `matrices` and the input vectors in it."""
        formats = self._formats
        image = bytearray(self.remote_bytes)
        for tensor in self._tensors:
            if tensor.remote:
                words = np.moveaxis(self.words(matrices[tensor.name], tensor), 0, 1)  # of the tiles side by side
                data = to_bytes(words, self.number(tensor))
                if tensor.compressed is not None:
                    data = self._with_numbers(data, tensor)
                image[tensor.address : tensor.address + len(data)] = data
        loads = dict.fromkeys(op["request"]["address"] for op in self._commands.loads_of_vectors)  # some load again
        vectors = (vector for sample in self._step.samples for vector in sample)
        for address, vector in zip(loads, vectors, strict=True):
            data = to_bytes(vector, formats.activation)
            image[address : address + len(data)] = data
        return image

    def local(self, matrices: Mapping[str, Integers], kind: TensorKind, *, tile: int = 0) -> Integers:
        """Return the words of a tile's memory of W or of dW, or of an array's where there are several; (words, P)."""
        found = [
            (self.words if tensor.compressed is None else self._entries)(matrices[tensor.name], tensor)[tile]
            for tensor in self._tensors
            if not tensor.remote and tensor.kind == kind
        ]
        return np.concatenate([np.zeros((0, self._step.architecture.engine.lanes), np.int64), *found])

    def number(self, tensor: Tensor) -> NumberFormat:
        """Return the format of a matrix."""
        return self._formats.weight_gradient if tensor.kind == "gradients" else self._formats.weight

    def words(self, matrix: Integers, tensor: Tensor) -> Integers:
        """Return a matrix as it lies in each tile's, or array's, memory, column after column; shape (n, words, P)."""
        lanes = self._step.architecture.engine.lanes
        if tensor.compressed is not None:
            return self._by_tile(self.places(tensor).values(self._side_by_side(matrix, tensor)))
        if (arrays := self._arrays(tensor)) > 1:
            return np.concatenate(
                [shares.of_rows(own, self.blocks(tensor), lanes, 1) for own in shares.of_arrays(matrix, arrays)]
            )
        return self._whole_words(matrix, tensor)

    def _arrays(self, tensor: Tensor) -> int:
        """Return in how many memories the columns of a matrix are: those of the arrays, if it lives in the tile."""
        return 1 if tensor.remote else self._step.architecture.engine.arrays

    def _whole_words(self, matrix: Integers, tensor: Tensor) -> Integers:
        """Return a matrix as it lies in each tile's memory in whole columns."""
        lanes, tiles = self._step.architecture.engine.lanes, self._step.architecture.tiles.count
        if tensor.stream == "readout":
            return shares.of_columns(matrix, lanes, tiles)
        return shares.of_rows(matrix, self.blocks(tensor), lanes, tiles)

    def matrix(self, words: Integers, tensor: Tensor) -> Integers:
        """Return the matrix whose words these are, shape (n, words, P); undoes `words`."""
        rows = self.rows(tensor)
        if tensor.compressed is not None:
            tiles, _, lanes = words.shape
            side_by_side = np.moveaxis(words, 0, 1).reshape(-1, tiles * lanes)
            of_all = self.places(tensor).matrix(side_by_side, tensor.words * tiles * lanes, tensor.columns)
            words = shares.apart(of_all, lanes, tiles)
        if (arrays := self._arrays(tensor)) > 1:
            most = of_first_columns(tensor.columns, arrays)
            own = [shares.whole_rows(words[[array]], rows, most, self.blocks(tensor)) for array in range(arrays)]
            return shares.whole_arrays(own, tensor.columns)
        if tensor.stream == "readout":
            return shares.whole_columns(words, rows, self._step.shape.hidden[-1] + 1)
        return shares.whole_rows(words, rows, tensor.columns, self.blocks(tensor))

    def places(self, tensor: Tensor) -> EntryPlaces:
        """Return where the weights of compressed columns lie, in the lanes of all tiles."""
        of_kind = [one.name for one in self._tensors if one.kind == tensor.kind]
        exist = self._exist[of_kind.index(tensor.name)]
        words = tensor.column_words
        return entry_places(exist, tensor.first_words, int(words.sum()), self._step.architecture.row_lanes)

    @cached_property
    def _exist(self) -> list[NDArray[np.bool_]]:
        return existing_weights(self._step.shape, self._step.architecture, self._step.exist or ())

    def _side_by_side(self, matrix: Integers, tensor: Tensor) -> Integers:
        """Return the rows of a matrix as one tile with the lanes of all lays them out."""
        return shares.side_by_side(self._whole_words(matrix, tensor), tensor.columns)

    def _by_tile(self, words: Integers) -> Integers:
        """Return words of the lanes of all tiles, (words, n * P), as those of each tile, (n, words, P)."""
        tiles, lanes = self._step.architecture.tiles.count, self._step.architecture.engine.lanes
        return np.moveaxis(words.reshape(-1, tiles, lanes), 1, 0)

    def _entries(self, matrix: Integers, tensor: Tensor) -> Integers:
        """Return the entries of a matrix's words, (n, words, P): a value, its number above it (`rtl.lanes.sparse`)."""
        places, bits, width = self.places(tensor), self.number(tensor).bits, self._layout.sizes.number_bits
        values = places.values(self._side_by_side(matrix, tensor)) & ((1 << bits) - 1)
        numbers = places.numbers((1 << width) - 1)
        signed = np.where(numbers >> (width - 1), numbers - (1 << width), numbers)
        return self._by_tile(signed << bits | values)

    def _with_numbers(self, data: bytes, tensor: Tensor) -> bytes:
        """Return the bytes of the words of compressed columns, with the numbers of each word behind its values."""
        width = self._layout.sizes.number_bits
        numbers = self.places(tensor).numbers((1 << width) - 1)
        bits = numbers[:, :, None] >> np.arange(width) & 1
        packed = np.packbits(bits.reshape(len(numbers), -1).astype(np.uint8), axis=1, bitorder="little")
        return np.hstack([np.frombuffer(data, np.uint8).reshape(len(numbers), -1), packed]).tobytes()

    def column_rows(self) -> list[dict[str, int]]:
        """Return the rows of the table of compressed columns, those of W one matrix after the other."""
        weights = [tensor for tensor in self._tensors if tensor.kind == "weights"]
        columns = [np.concatenate([getattr(one, name) for one in weights]) for name in ("first_words", "column_words")]
        named = dict(zip(("first", "words"), columns, strict=True)) | self._first_lines()
        return [dict(zip(named, row, strict=True)) for row in zip(*(of.tolist() for of in named.values()), strict=True)]

    def _first_lines(self) -> dict[str, NDArray[np.int64]]:
        """Return the first run of each column in W, and in dW, if there is a column cache."""
        runs = self._step.program.cached_runs
        if runs is None or not self._layout.sizes.cache:
            return {}
        lines = runs.lines
        of_tensor = np.split(lines.first, lines.first_column[1:])
        return {
            f"{kind}_line": np.concatenate(
                [first for first, tensor in zip(of_tensor, self._tensors, strict=True) if tensor.kind == kind]
            )
            for kind in ("weights", "gradients")
        }

    def blocks(self, tensor: Tensor) -> int:
        """Return how many blocks of rows (gates) a matrix has."""
        arithmetic = self._step.shape.arithmetic
        if tensor.stream == "readout":
            return 1
        return len(arithmetic.BLOCKS_X if tensor.stream == "x" else arithmetic.BLOCKS_H)

    def rows(self, tensor: Tensor) -> int:
        """Return how many rows a matrix has, over all its blocks."""
        if tensor.stream == "readout":
            return self._step.shape.classes
        return self.blocks(tensor) * self._step.shape.hidden[tensor.layer]


def _left_over(tensor: Tensor) -> int:
    """Return the bytes off-chip that compressed columns leave of the place of whole ones, behind them."""
    if not tensor.remote or tensor.compressed is None:
        return 0
    return tensor.columns * tensor.words * (tensor.word_bytes - tensor.compressed.number_bytes) - tensor.bytes


def to_bytes(values: Integers, number: NumberFormat) -> bytes:
    """Return values one after the other, each in whole bytes, little endian."""
    raw = np.ascontiguousarray(values.astype("<i8")).reshape(-1, 1).view(np.uint8)
    return raw[:, : number.bytes].tobytes()


def from_bytes(data: bytes | bytearray, number: NumberFormat) -> Integers:
    """Return the values that `to_bytes` made `data` of, shape (values,)."""
    raw = np.frombuffer(bytes(data), dtype=np.uint8).reshape(-1, number.bytes)
    sign = np.where(raw[:, -1:] & 0x80, 0xFF, 0).astype(np.uint8)
    wide = np.hstack([raw, np.repeat(sign, 8 - number.bytes, axis=1)])
    return np.ascontiguousarray(wide).view("<i8").ravel().astype(np.int64)
