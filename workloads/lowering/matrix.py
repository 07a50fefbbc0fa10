"""One plain matrix, step after step, with ready-made lists: what RENETA's performance bench runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.arrays import most_of_an_array
from deltatrain.accel.column import column_words
from deltatrain.accel.program import CACHE, MODE_NAMES, PHASES, Ops, Phase, Program
from deltatrain.accel.tensor import Tensor
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.workloads.lowering.placement import with_cache

PHASE_OF_MODE: dict[str, Phase] = {"matvec": "FP", "matvec_t": "BP", "outer": "WG"}


def lower_matrix(architecture: Architecture, mode: str, fired: NDArray[np.bool_], rows: int) -> Program:
    """Return a program of one matrix op for each step and nothing else, all lists known from the start.

    The matrix lives where the architecture places weights (gradients for ``outer``); ``auto`` is local. Several tiles
    share its rows; all have the lists, and the sums of ``matvec_t`` stay where they are made.

    Parameters
    ----------
    mode
        ``matvec``, ``matvec_t`` or ``outer``.
    fired
        Which columns fired at each step, shape (T, C).
    rows
        Rows of the matrix.

    References
    ----------
    SensorsINI/RENETA at 1a957c9, its performance bench.
    """
    steps, width = fired.shape
    lanes = architecture.engine.lanes
    words = column_words(1, rows, lanes, architecture.tiles.count)
    home, word_bytes = architecture.placement.weights, architecture.weight_word_bytes
    if mode == "outer":
        home, word_bytes = architecture.placement.gradients, architecture.gradient_word_bytes
    kind: TensorKind = "gradients" if mode == "outer" else "weights"
    matrix = Tensor(kind, "x", 0, home == "remote", 0, width, words, word_bytes)
    count = fired.sum(axis=1, dtype=np.int64)
    columns = {
        "mode": MODE_NAMES.index(mode),
        "phase": PHASES.index(PHASE_OF_MODE[mode]),
        "step": np.arange(steps),
        "count": count,
        "turns": most_of_an_array(fired, architecture.engine.arrays),
        "words": words,
        "other_words": column_words(1, rows, lanes) - words,
        "rows": rows,
        "dense_count": width,
        "tensor": 0,
        "list_start": np.cumsum(count) - count,
    }
    table = Ops.blank(steps)
    for name, values in columns.items():
        table[name][:] = values
    listed = (np.flatnonzero(fired) % width).astype(np.int32)
    local, remote = ({}, {"matrix": matrix.bytes}) if matrix.remote else ({"matrix": matrix.bytes}, {})
    if architecture.column_cache is not None and architecture.column_cache.own_bytes is not None:
        local[CACHE] = architecture.column_cache.own_bytes
    local = with_cache(local, (matrix,), architecture)
    return Program(architecture, Ops(**table), (matrix,), listed, local, remote)
