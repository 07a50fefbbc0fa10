"""The op table of a program: one row for each op, and the names that its columns count in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.modes import MODES

Unit = Literal["encoder", "engine", "elementwise", "exchange", "load", "store"]
Phase = Literal["FP", "RF", "BP", "WG", "WU"]
Stream = Literal["x", "h", "readout", "words"]

UNITS: tuple[str, ...] = get_args(Unit)
TILE_UNITS = tuple(name for name in UNITS if name != "exchange")
"""Units of a machine of one tile."""

ENGINE = UNITS.index("engine")
"""The unit of the matrix modes, as `accel.program.Program.unit` tells it."""

PHASES: tuple[str, ...] = get_args(Phase)
STREAMS: tuple[str, ...] = get_args(Stream)
MODE_NAMES = MODES.names()
"""Mode m of the op table is MODE_NAMES[m]."""

MOST_DEPENDENCIES = 3
"""Of an op; where transfers are barriers (`workloads.lowering.barriers`) there are more."""

NO_OP = -1
NO_TENSOR = -1


@dataclass(frozen=True, eq=False)
class Ops:
    """The op table: one row for each op, every column an array of shape (N,), `depends` of shape (N, D).

    Attributes
    ----------
    mode, phase, stream
        Indices into MODE_NAMES, PHASES, STREAMS.
    layer, step, sample
        Where in the training step the op belongs.
    count, words
        The arguments of the mode's law: fired columns and words a column for the engine's modes. Each other mode's file
        says what its own are. With several tiles, those of the tile with the most to do.
    other_count, other_words
        What the other tiles add to `count` and to `words`; 0 with one tile.
    turns
        In how many turns several arrays take the op's whole columns (`accel.arrays`); one array takes `count`, whatever
        stands here.
    rows
        Matrix rows of all tiles. The work of a mode without a matrix takes something else in their place.
    written_bytes
        Bytes that the op writes to local memory beside those that its mode's law tells: what a cell's step leaves.
    dense_count
        `total_count` if every delta had fired (matrix ops; 0 for the others).
    tensor, second_tensor
        The matrices whose columns the op reads, or NO_TENSOR; `outer` and `update` write them too.
    list_start
        Where the op's column indices begin in `Program.columns`. A column that stands there several times, one after
        the other, is read once and held by the lanes (`accel.modes.outer`).
    address
        First remote byte of a `load` or `store`.
    depends
        Ops whose results the op needs, filled up with NO_OP; D is `MOST_DEPENDENCIES` or more.
    list_from
        The op after which this op's list of columns is known, so that it may be fetched; NO_OP if it is known from the
        start. Of a `copy` that restores a state the op that left it where it is kept.
    """

    mode: NDArray[np.int8]
    phase: NDArray[np.int8]
    stream: NDArray[np.int8]
    layer: NDArray[np.int16]
    step: NDArray[np.int32]
    sample: NDArray[np.int32]
    count: NDArray[np.int64]
    words: NDArray[np.int64]
    other_count: NDArray[np.int64]
    other_words: NDArray[np.int64]
    turns: NDArray[np.int64]
    rows: NDArray[np.int64]
    written_bytes: NDArray[np.int64]
    dense_count: NDArray[np.int64]
    tensor: NDArray[np.int16]
    second_tensor: NDArray[np.int16]
    list_start: NDArray[np.int64]
    address: NDArray[np.int64]
    depends: NDArray[np.int64]
    list_from: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.mode)

    def is_mode(self, *names: str) -> NDArray[np.bool_]:
        """Return which ops are of one of these modes, shape (N,)."""
        return _any_of(self.mode, names, MODE_NAMES)

    def is_phase(self, *names: Phase) -> NDArray[np.bool_]:
        """Return which ops are of one of these phases, shape (N,)."""
        return _any_of(self.phase, names, PHASES)

    def is_stream(self, *names: Stream) -> NDArray[np.bool_]:
        """Return which ops are of one of these streams, shape (N,)."""
        return _any_of(self.stream, names, STREAMS)

    @property
    def total_count(self) -> NDArray[np.int64]:
        """`count` over all tiles."""
        return self.count + self.other_count

    @property
    def total_words(self) -> NDArray[np.int64]:
        """`words` over all tiles that have a part of the column."""
        return self.words + self.other_words

    @staticmethod
    def blank(size: int) -> dict[str, NDArray[np.signedinteger]]:
        """Return a table to be filled: its `size` ops name no tensor and depend on nothing yet."""
        columns: dict[str, NDArray[np.signedinteger]] = {
            name: np.zeros(size, dtype=dtype) for name, dtype in _COLUMN_TYPES.items()
        }
        columns["tensor"] += NO_TENSOR
        columns["second_tensor"] += NO_TENSOR
        columns["list_from"] += NO_OP
        columns["depends"] = np.full((size, MOST_DEPENDENCIES), NO_OP, dtype=np.int64)
        return columns


_COLUMN_TYPES: dict[str, type[np.signedinteger]] = {
    "mode": np.int8,
    "phase": np.int8,
    "stream": np.int8,
    "layer": np.int16,
    "step": np.int32,
    "sample": np.int32,
    "count": np.int64,
    "words": np.int64,
    "other_count": np.int64,
    "other_words": np.int64,
    "turns": np.int64,
    "rows": np.int64,
    "written_bytes": np.int64,
    "dense_count": np.int64,
    "tensor": np.int16,
    "second_tensor": np.int16,
    "list_start": np.int64,
    "address": np.int64,
    "list_from": np.int64,
}


def _any_of(codes: NDArray[np.int8], names: Sequence[str], known: Sequence[str]) -> NDArray[np.bool_]:
    """Return where `codes`, indices into `known`, stand for one of `names`."""
    chosen = np.zeros(len(codes), dtype=np.bool_)
    for name in names:
        chosen |= codes == known.index(name)
    return chosen
