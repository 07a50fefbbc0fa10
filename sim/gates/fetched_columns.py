"""What the fetch is told of the columns of an op: what they are made of, and where they lie, off-chip or in a cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deltatrain.accel.program import Program
from deltatrain.accel.tensor import Tensor
from deltatrain.rtl.parts.line_shape import LineShape

__all__ = ["fetched_columns"]


def fetched_columns(
    program: Program, cache: LineShape | None, remote: Sequence[Tensor], row: int, first_column: int
) -> dict[str, Any]:
    """Return the fields of an op's columns.

    Parameters
    ----------
    program
        The training step.
    cache
        The lines of the column cache; None without one.
    remote
        The op's matrices that are off-chip, one at least.
    row
        The op.
    first_column
        The first column of its matrix among those of all, W and dW counted once.
    """
    segment_bytes = program.architecture.column_buffer_bytes // (2 * program.architecture.engine.arrays)
    columns: dict[str, Any] = {
        "words": remote[0].words,
        "segment_words": min(remote[0].words, segment_bytes // sum(tensor.word_bytes for tensor in remote)),
        "writes_back": bool(program.writes_back[row]),
    }
    for tensor in remote:
        columns |= {tensor.kind: 1, f"{tensor.kind}_address": tensor.address}
    return columns | _of_cache(program, cache, row) | _of_fired(program, cache, row, first_column)


def _of_cache(program: Program, cache: LineShape | None, row: int) -> dict[str, Any]:
    """Return what the fetch is told of an op because there is a column cache; that keeps what it writes."""
    if cache is None or program.cached_runs is None:
        return {}
    phase = {"phase": int(program.ops.phase[row])}
    if not program.is_cached[row]:
        return phase
    lines, tensor = program.cached_runs.lines, int(program.ops.tensor[row])
    first = int(lines.first_column[tensor])
    return phase | {
        "cached": 1,
        "writes_back": False,
        "segment_words": cache.line_bytes // program.tensors[tensor].word_bytes,
        "first_line": int(lines.first[first]),
        "column_lines": int(lines.runs[first]),
    }


def _of_fired(program: Program, cache: LineShape | None, row: int, first_column: int) -> dict[str, Any]:
    """Return what the fetch is told of an op because its cache goes by what fired: when, and of which columns."""
    if cache is None or cache.fired is None:
        return {}
    now = {"step": int(program.ops.step[row]) + 1, "sample": int(program.ops.sample[row])}
    return {"fired": {"column": first_column, "now": now}}
