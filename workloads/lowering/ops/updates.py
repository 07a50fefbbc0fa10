"""Updates of all matrices, at the end of a training step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.arrays import of_first_columns, turns_of
from deltatrain.accel.op_table import MODE_NAMES, NO_OP, Stream
from deltatrain.workloads.lowering.lists import WordLists
from deltatrain.workloads.lowering.op_kinds import UPDATE
from deltatrain.workloads.lowering.ops.given import StepInputs


def enter_updates(given: StepInputs, table: dict[str, NDArray[np.signedinteger]]) -> None:
    """Enter one update for each matrix in the last rows, each after the last op on its gradient."""
    row = len(table["mode"]) - len(given.matrices) - (given.lists.words is not None)
    for (stream, layer), (rows, words, columns) in given.matrices.items():
        other_words, other_columns = given.beside(stream, layer)
        sizes = {
            "count": columns,
            "turns": of_first_columns(columns, given.architecture.engine.arrays),
            "dense_count": given.whole_matrices[stream, layer].columns,
            "other_count": other_columns,
            "words": words,
            "other_words": other_words,
            "rows": rows,
        }
        _enter_update(given, table, row, (stream, layer), sizes)
        row += 1
    if given.lists.words is not None:
        _enter_update(given, table, row, ("words", 0), _of_words(given, given.lists.words))


def _of_words(given: StepInputs, words: WordLists) -> dict[str, int]:
    """Return the size of the update of the words that occur: gradient descent leaves the others as they are."""
    size, whole = given.word_table, given.whole_word_table
    counts = {"count": words.occurring, "dense_count": words.occurring, "list_start": words.occurring_start}
    listed = given.lists.columns[words.occurring_start :][: words.occurring]
    counts["turns"] = turns_of(listed, given.architecture.engine.arrays)
    return counts | {"words": size.words, "other_words": whole.words - size.words, "rows": size.rows}


def _enter_update(
    given: StepInputs,
    table: dict[str, NDArray[np.signedinteger]],
    row: int,
    of: tuple[Stream, int],
    sizes: dict[str, int],
) -> None:
    gradient = given.placed.index("gradients", *of)
    on_it = np.flatnonzero(table["tensor"][:row] == gradient)
    mode = {"mode": MODE_NAMES.index(given.shape.update)}
    tensors = {"tensor": given.placed.index("weights", *of), "second_tensor": gradient}
    for column, value in (given.codes(UPDATE[of[0]]) | mode | sizes | tensors).items():
        table[column][row] = value
    table["depends"][row, 0] = on_it[-1] if len(on_it) else NO_OP
