"""What the ops of a program are called on a timeline."""

from __future__ import annotations

from typing import NamedTuple

from deltatrain.accel.program import MODE_NAMES, PHASES, STREAMS, Program


class OpName(NamedTuple):
    """Where an op belongs, and its `amount`: fired columns of a matrix op, bytes of a load, as its mode's file says."""

    mode: str
    phase: str
    stream: str
    layer: int
    step: int
    sample: int
    amount: int

    def __str__(self) -> str:
        return f"{self.mode} {self.phase} layer {self.layer} step {self.step}"


class OpNames:
    """The names of a program's ops, by row of its op table."""

    def __init__(self, program: Program) -> None:
        ops = program.ops
        columns = (ops.mode, ops.phase, ops.stream, ops.layer, ops.step, ops.sample, ops.count)
        self._rows = [column.tolist() for column in columns]

    def __getitem__(self, op: int) -> OpName:
        mode, phase, stream, *numbers = (column[op] for column in self._rows)
        return OpName(MODE_NAMES[mode], PHASES[phase], STREAMS[stream], *numbers)
