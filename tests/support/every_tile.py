"""A machine of several tiles in which every tile is simulated, cycle by cycle, with the work that is its own.

It knows nothing of what the tile with most to do does: from the network, what fired and the law of the partition it
reckons each tile's own neurons, elements, words and columns, one tile after the other. One sequencer commands all: an
op begins in all tiles in the same cycle, each counts its own cycles down, and the op ends with the last.
"""

from __future__ import annotations

import math

import numpy as np
from naive_machine import NaiveMachine, Unit

from deltatrain.accel.modes import cell_backward, cell_forward, encode, loss
from deltatrain.accel.program import MODE_NAMES, NO_OP, NO_TENSOR, PHASES, STREAMS, Program
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.trace import RecordedStep

SHARED = ("load", "store")  # by the one port


class TileWork:
    """What one tile has to do.

    Parameters
    ----------
    step
        What fired; None for a dense machine.
    """

    def __init__(self, program: Program, shape: Shape, step: RecordedStep | None, tile: int) -> None:
        self.program, self.shape, self.step, self.tile = program, shape, step, tile
        architecture = program.architecture
        self.engine, self.tiles = architecture.engine, architecture.tiles

    def own_words(self, width: int) -> list[list[int]]:
        """Return the words of P neurons (or elements) that are this tile's."""
        lanes = self.engine.lanes
        words = [list(range(width))[first : first + lanes] for first in range(0, width, lanes)]
        return [word for number, word in enumerate(words) if number % self.tiles.count == self.tile]

    def own(self, width: int) -> list[int]:
        return [j for word in self.own_words(width) for j in word]

    def listed(self, stream: str, layer: int, sample: int, step: int) -> list[int]:
        width = (self.shape.inputs if stream == "x" else self.shape.hidden)[layer]
        if self.step is None:
            return [] if stream == "h" and step == 0 else list(range(width))
        mask = (self.step.fired_x if stream == "x" else self.step.fired_h)[layer][step, sample]
        return [j for j in range(width) if mask[j]]

    def matrix(self, op: int) -> tuple[int, int]:
        """Return columns and words a column that this tile works through."""
        ops, arithmetic = self.program.ops, self.shape.arithmetic
        mode, stream, layer = MODE_NAMES[ops.mode[op]], STREAMS[ops.stream[op]], int(ops.layer[op])
        if stream == "readout":
            bias = int(self.tile == 0 and mode != "matvec_t")
            return len(self.own(self.shape.hidden[-1])) + bias, math.ceil(self.shape.classes / self.engine.lanes)
        has_bias = arithmetic.BIAS_X if stream == "x" else arithmetic.BIAS_H
        blocks = arithmetic.BLOCKS_X if stream == "x" else arithmetic.BLOCKS_H
        if mode == "update":
            layer = self.program.tensors[ops.tensor[op]].layer
            columns = (self.shape.inputs if stream == "x" else self.shape.hidden)[layer] + has_bias
        else:
            step = int(ops.step[op])
            columns = len(self.listed(stream, layer, int(ops.sample[op]), step))
            fires = step == 0 or arithmetic.ENCODER == "encode_spikes"
            columns += has_bias and fires and mode != "matvec_t"
        rows = len(blocks) * len(self.own(self.shape.hidden[layer]))
        return columns, math.ceil(rows / self.engine.lanes)

    def cycles(self, op: int) -> int:
        """Return how long this tile issues `op`."""
        ops = self.program.ops
        mode, stream = MODE_NAMES[ops.mode[op]], STREAMS[ops.stream[op]]
        at = int(ops.layer[op]), int(ops.sample[op]), int(ops.step[op])
        if ops.tensor[op] != NO_TENSOR:
            columns, words = self.matrix(op)
            return max(1, columns * words)
        if mode == "encode":
            return self.scan(stream, *at)
        if mode in ("cell_forward", "cell_backward"):
            law = cell_forward if mode == "cell_forward" else cell_backward
            turns = math.ceil(len(self.own(self.shape.hidden[at[0]])) / self.engine.elementwise_lanes)
            slots: int = law.neuron_slots(self.shape.arithmetic)
            return slots * turns
        if mode == "loss":
            return self.shape.classes * loss.class_cycles(self.engine.formats)
        count = self.shape.classes if stream == "readout" else len(self.listed(stream, *at))
        size = self.engine.formats.memory.bytes if mode == "reduce" else self.entry_bytes
        return max(1, count * math.ceil(size / self.tiles.exchange_bytes_per_cycle))

    @property
    def entry_bytes(self) -> int:
        return self.engine.formats.activation.bytes if self.step is None else encode.list_entry_bytes(self.engine)

    def scan(self, stream: str, layer: int, sample: int, step: int) -> int:
        group = self.engine.encoder_elements
        own = self.own((self.shape.inputs if stream == "x" else self.shape.hidden)[layer])
        groups = [own[first : first + group] for first in range(0, len(own), group)]
        if self.step is None:
            return len(groups)
        fired = set(self.listed(stream, layer, sample, step))
        return max(1, sum(max(1, len(fired.intersection(part))) for part in groups))


class EveryTile(NaiveMachine):
    """The naive machine with `tiles.count` tiles that count their own cycles."""

    def __init__(self, program: Program, shape: Shape, step: RecordedStep | None) -> None:
        super().__init__(program)
        works = [TileWork(program, shape, step, tile) for tile in range(program.architecture.tiles.count)]
        self.works = works
        self.left: dict[str, list[int]] = {}
        for op, mode in enumerate(self.mode):
            if op in self.streamed:  # a wide word is taken by all tiles when all of it is there
                self.issue[op] = max(work.cycles(op) for work in works)
            elif mode not in SHARED:
                self.issue[op] = -(10**9)  # to be found by running

    def begin(self, name: str, unit: Unit, needed: list[int], now: int) -> None:
        super().begin(name, unit, needed, now)
        op = unit.op
        if op not in self.streamed and self.mode[op] not in SHARED:
            self.left[name] = [work.cycles(op) for work in self.works]
            self.end_if_all_are_done(name, now)

    def end_if_all_are_done(self, name: str, now: int) -> None:
        unit = self.units[name]
        if not any(self.left[name]):
            unit.ends, self.issue[unit.op] = now, now - unit.started
        else:
            unit.ends = None

    def one_cycle(self, now: int) -> None:
        super().one_cycle(now)
        for name, left in self.left.items():
            if self.units[name].op != NO_OP and any(left):
                self.left[name] = [max(0, cycles - 1) for cycles in left]
                self.end_if_all_are_done(name, now + 1)


def totals(machine: EveryTile, phase: str) -> tuple[int, int]:
    """Return what the tiles do together in a phase: columns times rows of real neurons, and words, one by one."""
    program, shape = machine.program, machine.works[0].shape
    macs = words = 0
    chosen = (program.ops.tensor != NO_TENSOR) & (program.ops.phase == PHASES.index(phase))
    for op in np.flatnonzero(chosen).tolist():
        tensor = program.tensors[program.ops.tensor[op]]
        for work in machine.works:
            columns, column_words = work.matrix(op)
            words += columns * column_words
            if tensor.stream == "readout":
                macs += columns * shape.classes
            else:
                blocks = shape.arithmetic.BLOCKS_X if tensor.stream == "x" else shape.arithmetic.BLOCKS_H
                macs += columns * len(blocks) * len(work.own(shape.hidden[tensor.layer]))
    return macs, words
