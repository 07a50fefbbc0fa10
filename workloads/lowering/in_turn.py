"""Machines that work in turn: no layer begins before the layer and the step before it are done."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.program import NO_OP, UNITS, Program
from deltatrain.workloads.lowering.barriers import with_barriers
from deltatrain.workloads.lowering.grid import Grid
from deltatrain.workloads.lowering.op_kinds import CELL, ENCODE, MATVEC

_NO_UNIT = -1


def in_turn(program: Program, grid: Grid) -> Program:
    """Return `program` with every layer waiting until the one before it, and the step before, is done.

    Transfers of input vectors, tapes and states run beside, as their own dependencies let them.
    """
    ends = grid.layer_ends()
    moves = np.isin(program.unit, [UNITS.index("load"), UNITS.index("store")])
    computing = np.where(moves, _NO_UNIT, program.unit).astype(program.unit.dtype)
    depends = with_barriers(program.ops.depends, computing, len(UNITS), ends)
    program = replace(program, ops=replace(program.ops, depends=depends))
    return _with_streams(program, grid, ends) if program.architecture.engine.list_streams else program


def _with_streams(program: Program, grid: Grid, ends: NDArray[np.int64]) -> Program:
    """Return `program` with forward products that begin with their lists, and cells that wait for the lists too.

    So a layer takes the longer of scan and products. A real one takes longer by up to a column's words where its last
    column is late in the scan.
    """
    depends, list_from = program.ops.depends.copy(), program.ops.list_from.copy()
    waits = np.full(len(depends), NO_OP, dtype=np.int64)
    for kind, points in grid.order.kinds():
        if kind in MATVEC:
            rows, listed = grid.rows(kind, points), grid.rows(ENCODE.of(kind.stream), points)
            before = np.searchsorted(ends, rows) - 1
            begun = np.where(before >= 0, ends[np.maximum(before, 0)], NO_OP)
            depends[rows] = np.where(depends[rows] == listed[:, None], begun[:, None], depends[rows])
            list_from[rows] = begun
        if kind is CELL:
            rows = grid.rows(kind, points)
            waits[rows] = np.maximum(grid.rows(ENCODE.x, points), grid.rows(ENCODE.h, points))
    return replace(program, ops=replace(program.ops, depends=np.column_stack([depends, waits]), list_from=list_from))
