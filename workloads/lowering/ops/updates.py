"""What is done with the gradients of all matrices at the end of a training step: updates, and what goes before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.arrays import of_first_columns, turns_of
from deltatrain.accel.modes import update_mode
from deltatrain.accel.op_table import MODE_NAMES, NO_OP, NO_TENSOR, Stream
from deltatrain.workloads.lowering.lists import WordLists
from deltatrain.workloads.lowering.op_kinds import UPDATE
from deltatrain.workloads.lowering.ops.given import StepInputs


def update_count(given: StepInputs) -> int:
    """Return how many such ops there are."""
    if not given.shape.learns:
        return 0
    return len(given.shape.updates) * len(given.matrices) + (given.lists.words is not None)


def enter_updates(given: StepInputs, table: dict[str, NDArray[np.signedinteger]]) -> None:
    """Enter them in the last rows: each mode of `Shape.updates` on every matrix, after the last op on its gradient.

    A mode begins when the one before is done with all matrices. So the engine's ops are done in their order, though
    these modes drain longer than others.
    """
    row, before = len(table["mode"]) - update_count(given), NO_OP
    for mode in given.shape.updates:
        for of in given.matrices:
            _enter_update(given, table, row, mode, of, _of_matrix(given, *of))
            table["depends"][row, 1] = before
            row += 1
        before = row - 1
    if given.lists.words is not None:
        _enter_update(given, table, row, given.shape.updates[-1], ("words", 0), _of_words(given, given.lists.words))


def _of_matrix(given: StepInputs, stream: Stream, layer: int) -> dict[str, int]:
    rows, words, columns = given.matrices[stream, layer]
    other_words, other_columns = given.beside(stream, layer)
    return {
        "count": columns,
        "turns": of_first_columns(columns, given.architecture.engine.arrays),
        "dense_count": given.whole_matrices[stream, layer].columns,
        "other_count": other_columns,
        "words": words,
        "other_words": other_words,
        "rows": rows,
    }


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
    mode: str,
    of: tuple[Stream, int],
    sizes: dict[str, int],
) -> None:
    on_it = np.flatnonzero(table["tensor"][:row] == given.placed.index("gradients", *of))
    numbers = [given.placed.index(kind, *of) for kind in update_mode(mode).TENSORS]
    columns = given.codes(UPDATE[of[0]]) | sizes
    columns |= {"mode": MODE_NAMES.index(mode)} | {"tensor": numbers[0], "second_tensor": [*numbers, NO_TENSOR][1]}
    for column, value in columns.items():
        table[column][row] = value
    table["depends"][row, 0] = on_it[-1] if len(on_it) else NO_OP
