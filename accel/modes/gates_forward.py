"""Element-wise gates of one step, forward: what follows the matrix products for a layer's H neurons.

The arithmetic of each cell is a member of `accel.gates`.
"""

from __future__ import annotations

from types import ModuleType

from accel.engine import Engine, Formats
from accel.number import Integers
from accel.work import Counts, Work

UNIT = "elementwise"


def result(
    gates: ModuleType, memory: Integers, state: Integers, formats: Formats
) -> tuple[Integers, Integers, Integers]:
    """Return the state, shape (S, H), h, shape (H,), and the tape, shape (K, H), of one step.

    Parameters
    ----------
    gates
        A member of `accel.gates`.
    memory
        The delta memory as it lies in the accumulators, block after block, shape (A*H,).
    state
        The state of the step before, shape (S, H).
    formats
        The engine's formats.
    """
    blocks = memory.reshape(gates.ACCUMULATORS, -1)
    after: tuple[Integers, Integers, Integers] = gates.forward(blocks, state, formats)
    return after


def neuron_slots(lookups: int, multiplies: int) -> int:
    """Return the cycles that one neuron holds its lane: one table port and one multiplier work side by side."""
    return max(lookups, multiplies)


def issue_cycles(count: Counts, words: Counts) -> Counts:
    """Return `words`: chunks of neurons times `neuron_slots`."""
    return words


def drain_cycles(engine: Engine) -> int:
    """Return the pipeline's depth: read, table, interpolate, product, sum, write, twice through for tanh(c)."""
    return 8


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions; `count` is the number of multiplications, `rows` of values read, each written back once."""
    value = engine.formats.gate.bytes
    return Work(multiplies=count, local_read_bytes=rows * value, local_write_bytes=rows * value)
