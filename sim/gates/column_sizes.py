"""Sizes of what a tile keeps of columns: its cache, in which steps they fired, and where compressed ones are."""

from __future__ import annotations

from deltatrain.accel.program import Program
from deltatrain.workloads.lowering.sparse_columns import number_bits

__all__ = ["cache_sizes", "table_sizes"]


def cache_sizes(program: Program) -> dict[str, int]:
    """Return the sizes of a column cache, if there is one and any matrix is off-chip."""
    if program.cache is None or program.cached_runs is None or not any(one.remote for one in program.tensors):
        return {}
    names = ("cache_sets", "cache_ways", "line_bytes", "cache_runs")
    sizes = dict(zip(names, (*program.cache, len(program.cached_runs.lines.words)), strict=True))
    described = program.architecture.column_cache
    return sizes | (_fired_sizes(program) if described is not None and described.policy == "reverse" else {})


def _fired_sizes(program: Program) -> dict[str, int]:
    """Return the sizes of what a cache keeps of columns that fired."""
    columns = sum(one.columns for one in program.tensors if one.kind == "weights")
    steps, samples = (int(of.max(initial=0)) + 1 for of in (program.ops.step, program.ops.sample))
    return {"fired_columns": columns, "fired_steps": steps, "fired_samples": samples}


def table_sizes(program: Program) -> dict[str, int]:
    """Return the sizes of the table of compressed columns, and of the numbers of their entries, if they are."""
    weights = [(one, one.compressed) for one in program.tensors if one.kind == "weights" and one.compressed]
    if not weights:
        return {}
    return {
        "number_bits": max(number_bits(matrix.words) for matrix, _ in weights),
        "table_rows": sum(matrix.columns for matrix, _ in weights),
        "table_words": max(int(compressed.words.sum()) for _, compressed in weights),
    }
