"""Tensor: a matrix of a program, where it lives, and how its columns lie in the lanes' words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.op_table import Stream
from deltatrain.accel.tensor_kind import TensorKind


class CompressedColumns(NamedTuple):
    """The columns of a matrix of which the lanes keep only the weights that exist.

    Attributes
    ----------
    words, weights
        Words of each column and weights in it, shape (C,).
    number_bytes
        Bytes of a word that tell where its entries belong; `Tensor.word_bytes` counts them in.
    """

    words: NDArray[np.int64]
    weights: NDArray[np.int64]
    number_bytes: int


class Tensor(NamedTuple):
    """A matrix with a home.

    Attributes
    ----------
    kind
        Whether it holds weights or their gradients.
    stream, layer
        The stream that it is multiplied with, and in which layer. That of the read-out is the last layer; the table of
        words, a column for each, is of layer 0.
    remote
        Whether it lives in off-chip memory; its columns are then fetched, and written back, as contiguous bursts.
    address
        First byte in its memory.
    columns, words
        Columns, and words in a whole one. Several tiles share the read-out's columns: of those, what the tile with the
        most columns has.
    word_bytes
        Bytes of one word: of P entries in each tile that has a part of a column.
    compressed
        Its columns, where they are shorter than whole ones; None if every lane has an entry in each of the `words`.
    """

    kind: TensorKind
    stream: Stream
    layer: int
    remote: bool
    address: int
    columns: int
    words: int
    word_bytes: int
    compressed: CompressedColumns | None = None

    @property
    def name(self) -> str:
        """How people call it, such as ``W_x[0]`` or ``dW_readout``."""
        prefix = {"weights": "", "gradients": "d", "moments": "moments of d"}[self.kind]
        return prefix + matrix_name(self.stream, self.layer)

    @property
    def column_words(self) -> NDArray[np.int64]:
        """Words of each column, shape (C,)."""
        return np.full(self.columns, self.words) if self.compressed is None else self.compressed.words

    @property
    def first_words(self) -> NDArray[np.int64]:
        """The first word of each column, counted from the matrix's own first, shape (C,)."""
        words = self.column_words
        return np.cumsum(words) - words

    @property
    def first_word(self) -> int:
        """Its own first word in its memory, counted in words of its kind."""
        return self.address // self.word_bytes

    @property
    def bytes(self) -> int:
        """Bytes of the matrix."""
        words = self.columns * self.words if self.compressed is None else int(self.compressed.words.sum())
        return words * self.word_bytes


def matrix_name(stream: Stream, layer: int) -> str:
    """Return how people call a weight matrix; there is one read-out, and one table of words."""
    return f"W_{stream}" if stream in ("readout", "words") else f"W_{stream}[{layer}]"
