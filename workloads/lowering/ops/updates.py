"""Updates of all matrices, at the end of a training step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.op_table import NO_OP
from deltatrain.workloads.lowering.op_kinds import UPDATE
from deltatrain.workloads.lowering.ops.given import StepInputs


def enter_updates(given: StepInputs, table: dict[str, NDArray[np.signedinteger]]) -> None:
    """Enter one update for each matrix in the last rows, each after the last op on its gradient."""
    first = len(table["mode"]) - len(given.matrices)
    for row, ((stream, layer), (rows, words, columns)) in enumerate(given.matrices.items(), first):
        gradient = given.placed.index("gradients", stream, layer)
        on_it = np.flatnonzero(table["tensor"][:row] == gradient)
        other_words, other_columns = given.beside(stream, layer)
        values = given.codes(UPDATE[stream]) | {
            "count": columns,
            "dense_count": given.whole_matrices[stream, layer].columns,
            "other_count": other_columns,
            "words": words,
            "other_words": other_words,
            "rows": rows,
            "tensor": given.placed.index("weights", stream, layer),
            "second_tensor": gradient,
        }
        for column, value in values.items():
            table[column][row] = value
        table["depends"][row, 0] = on_it[-1] if len(on_it) else NO_OP
