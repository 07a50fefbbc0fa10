"""One move of sparse weights, as a rule makes them at an epoch's end: the transfers that rewrite compressed columns.

What a rule moves changes how many words a column has, so all behind it lie elsewhere. So every column of W comes in
from where it is, and goes out, as it is from now on, to a second place as large; beside it goes the column of dW, and
of each moment, with the same numbers and no gradient. The places change roles with every move. The load of a column
waits for the stores of the one two before, so that two lie in local memory, which holds nothing else between steps.

As many weights come as go, in every matrix. How many words a column has then is not known before it is drawn, so as
many words go out as come in. Which weights go and which grow is the host's to say, in no cycle of the machine; RigL
asks the last update before a move for gradients of weights that do not exist, which are not counted either.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import FitError
from deltatrain.accel.op_table import MODE_NAMES, NO_OP, PHASES, STREAMS
from deltatrain.accel.program import Ops, Program
from deltatrain.accel.tensor import Tensor

__all__ = ["moving_program"]

PLACE = "columns that move"
"""What the second place is called in `Program.remote_bytes`, and the two columns in `Program.local_bytes`."""

_LOAD, _STORE = MODE_NAMES.index("load"), MODE_NAMES.index("store")
_IN_LOCAL_MEMORY = 2
"""Columns that are there at once."""


def moving_program(program: Program) -> Program | None:
    """Return the transfers of one move of the compressed matrices of a training step, matrix by matrix.

    Loads are of the old columns of W. Stores are of the new ones of each matrix off-chip that lies as W does. What is
    in local memory is the host's to rewrite.

    Parameters
    ----------
    program
        The training step, on compressed columns.

    Returns
    -------
    Program or None
        None if no compressed W lives off-chip.

    Raises
    ------
    FitError
        If off-chip memory has no room for a second place.
    """
    moved = [tensor for tensor in program.tensors if tensor.compressed is not None and tensor.remote]
    sources = [tensor for tensor in moved if tensor.kind == "weights"]
    if not sources:
        return None
    first = sum(program.remote_bytes.values())
    places = first + np.cumsum([0, *(tensor.bytes for tensor in moved)])
    room = program.architecture.remote.bytes
    if places[-1] > room:
        raise FitError(
            f"remote.bytes = {room} is too small to move weights: {places[-1]} bytes must fit, with a second place of "
            f"{places[-1] - first} bytes for the columns"
        )
    entries, two_columns_bytes = list[dict[str, NDArray[np.int64]]](), 0
    for source in sources:
        alike = [(t, at) for t, at in zip(moved, places, strict=False) if (t.stream, t.layer) == _lies(source)]
        entries.append(_of_matrix(source, alike, sum(len(entry["mode"]) for entry in entries)))
        two_columns_bytes = max(two_columns_bytes, _IN_LOCAL_MEMORY * max(int(_sizes(t).max()) for t, _ in alike))
    return replace(
        program,
        ops=_ops(program, {name: np.concatenate([entry[name] for entry in entries]) for name in entries[0]}),
        columns=program.columns[:0],
        local_bytes={PLACE: two_columns_bytes},
        remote_bytes=program.remote_bytes | {PLACE: int(places[-1] - first)},
        kept_bytes=program.kept_bytes[:0],
    )


def _lies(source: Tensor) -> tuple[str, int]:
    return source.stream, source.layer


def _sizes(tensor: Tensor) -> NDArray[np.int64]:
    """Return the bytes of each column."""
    return tensor.column_words * tensor.word_bytes


def _of_matrix(source: Tensor, alike: list[tuple[Tensor, int]], rows: int) -> dict[str, NDArray[np.int64]]:
    """Return what is told of the transfers of a matrix, column after column, behind so many ops: a load, and stores."""
    count, width = source.columns, 1 + len(alike)
    sizes, addresses = np.zeros((2, count, width), np.int64)
    for number, (tensor, first) in enumerate([(source, source.address), *alike]):
        sizes[:, number] = _sizes(tensor)
        addresses[:, number] = first + np.cumsum(sizes[:, number]) - sizes[:, number]
    row = rows + np.arange(count * width).reshape(count, width)
    depends = np.repeat(row[:, :1], width, axis=1)  # a store waits for its load
    depends[:, 0] = row[:, -1] - _IN_LOCAL_MEMORY * width
    depends[:_IN_LOCAL_MEMORY, 0] = NO_OP if not rows else rows - 1  # one matrix after the other
    modes = np.full((count, width), _STORE, np.int64)
    modes[:, 0] = _LOAD
    told = {
        "mode": modes,
        "stream": np.full_like(row, STREAMS.index(source.stream)),
        "layer": np.full_like(row, source.layer),
        "step": np.repeat(np.arange(count)[:, None], width, axis=1),
        "count": sizes,
        "address": addresses,
        "depends": depends,
    }
    return {name: values.ravel() for name, values in told.items()}


def _ops(program: Program, told: dict[str, NDArray[np.int64]]) -> Ops:
    table = Ops.blank(len(told["mode"]))
    table["depends"][:, 0] = told.pop("depends")
    for name, values in told.items():
        table[name][:] = values
    table["phase"][:] = PHASES.index("WU")
    table["words"][:] = -(-told["count"] // program.architecture.dma.bytes_per_cycle)
    return Ops(**table)
