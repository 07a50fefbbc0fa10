"""The recurrent cells of a layer for one step, forward: what follows the matrix products for its H neurons.

The arithmetic of each cell is a member of `accel.cells`.
"""

from __future__ import annotations

from typing import NamedTuple

from deltatrain.accel.cell_arithmetic import CellArithmetic, bytes_of, new_on_tape
from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.modes import SOON_CYCLES
from deltatrain.accel.number import Integers
from deltatrain.accel.tape_words import coded_values
from deltatrain.accel.tiles import ONE_TILE, Tiles
from deltatrain.accel.work import Counts, Work

UNIT = "elementwise"
WRITES_BACK = False
RETURN_CYCLES: tuple[int, ...] = ()

PORTS = 2
"""Table ports, and multipliers, of a lane."""


def result(
    arithmetic: CellArithmetic, memory: Integers, state: Integers, formats: Formats
) -> tuple[Integers, Integers, Integers]:
    """Return the state, shape (S, H), h, shape (H,), and the tape, shape (K, H), of one step.

    Parameters
    ----------
    arithmetic
        A member of `accel.cells`.
    memory
        The delta memory as it lies in the accumulators, block after block, shape (A*H,).
    state
        The state of the step before, shape (S, H).
    formats
        The engine's formats.
    """
    blocks = memory.reshape(arithmetic.ACCUMULATORS, -1)
    return arithmetic.forward(blocks, state, formats)


def neuron_slots(arithmetic: CellArithmetic) -> int:
    """Return the cycles that one neuron holds its lane: what the busiest part of it needs.

    Two table ports and two multipliers work side by side: what a cell looks up or multiplies last, such as tanh(c),
    goes through the second, so that the first is free for the next neuron whenever that comes. M is read and the tape
    is written a word a cycle. The state of the step before is on the tape too, but not written a second time: it stays
    where the step before left it.
    """
    on_ports = -(-max(arithmetic.LOOKUPS, arithmetic.FORWARD_MULTIPLIES) // PORTS)
    return max(on_ports, arithmetic.ACCUMULATORS, len(new_on_tape(arithmetic)))


def issue_cycles(count: Counts, words: Counts) -> Counts:
    """Return `words`: chunks of neurons times `neuron_slots`."""
    return words


def drain_cycles(engine: Engine, tiles: Tiles = ONE_TILE) -> int:
    """Return the pipeline's depth, one for all that the unit does, so that its ops are done in their order.

    A machine may state its own (`accel.engine.Engine.layer_cycles`). Otherwise it is that of our gates.

    An LSTM's neuron is written whole 22 cycles after its first word is asked for, backward 25, a GRU's 20 and 25 (read
    2 or 3, table 4, product and sum 4, and so on along the chains that `rtl.elementwise.cells` draws); `issue_cycles`
    counts 5 and 8 of them, 4 and 6. A GRU backward and the loss need all 19.
    """
    return 19 + SOON_CYCLES if engine.layer_cycles is None else engine.layer_cycles


class NeuronBytes(NamedTuple):
    """Bytes of local memory that one neuron reads and writes in a step."""

    read: int
    written: int


def neuron_bytes(arithmetic: CellArithmetic, formats: Formats, code_bits: int | None = None) -> NeuronBytes:
    """Return what a neuron reads, M and its state, and what it writes: the tape, its new state and h.

    Codes on the tape are not among it, as several of them are written at once (`accel.tape_words`).
    """
    state, coded = bytes_of(arithmetic, arithmetic.STATE, formats), coded_values(arithmetic, code_bits)
    tape = bytes_of(arithmetic, (name for name in new_on_tape(arithmetic) if name not in coded), formats)
    return NeuronBytes(arithmetic.ACCUMULATORS * formats.memory.bytes + state, tape + state + formats.activation.bytes)


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions; `count` is the number of multiplications, `rows` that of bytes read.

    What is written depends on the cell, too: it stands in `accel.op_table.Ops.written_bytes`.
    """
    return Work(multiplies=count, local_read_bytes=rows)
