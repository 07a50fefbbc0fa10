"""How many bytes a step's state, tape and residue take on a machine, and how much room it has for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cell_arithmetic import CellArithmetic
from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.number import Integers
from deltatrain.accel.tape_words import tape_words, value_bytes
from deltatrain.workloads.lowering.checkpoint.schedule import Budget
from deltatrain.workloads.lowering.placement import Demand, own_most, place
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.state import State


def state_bytes(shape: Shape, engine: Engine) -> int:
    """Return the bytes that restart a step: h and the cell's own state of each layer, M, x-hat and h-hat if kept."""
    formats, arithmetic, held = engine.formats, shape.arithmetic, shape.encoder.HELD
    return sum(
        width
        * (
            arithmetic.KEPT * arithmetic.ACCUMULATORS * formats.memory.bytes
            + len(arithmetic.STATE) * formats.state.bytes
        )
        + (width + held * (width + inputs)) * formats.activation.bytes
        for inputs, width in zip(shape.inputs, shape.hidden, strict=True)
    )


def list_bytes(shape: Shape, engine: Engine, fired: float) -> int:
    """Return the bytes of lists of `fired` entries in all, as long as the cell's encoder makes them; rounded up."""
    return -int(-fired * shape.encoder.list_entry_bytes(engine) // 1)


def tape_bytes(shape: Shape, engine: Engine, fired: float) -> int:
    """Return the bytes of a step's tape: the cell's values of each layer, dense, and the lists of what fired."""
    words = tape_words(shape.arithmetic, shape.code_bits, engine.formats)
    whole = sum(shape.hidden) * (words.whole + words.before) * engine.formats.gate.bytes
    codes = sum(-(-words.codes * width // words.fields) for width in shape.hidden) * value_bytes(engine.formats)
    return whole + codes + list_bytes(shape, engine, fired)


def runs_backwards(arithmetic: CellArithmetic, formats: Formats) -> bool:
    """Tell whether M can be run backwards: it wraps and is kept from step to step; a spiking cell's reset forgets."""
    return formats.memory_overflow == "wrap" and bool(arithmetic.KEPT)


def residue_bytes(shape: Shape, engine: Engine, fired: float) -> int | None:
    """Return the bytes of a tape that no step can be run backwards without: lists and the cell's state.

    None if the cell cannot be run backwards, so that the whole tape is kept.
    """
    if not runs_backwards(shape.arithmetic, engine.formats):
        return None
    kept = sum(shape.hidden) * len(shape.arithmetic.STATE) * engine.formats.state.bytes
    return kept + list_bytes(shape, engine, fired)


def fired_of(shape: Shape, occupancy_x: Sequence[float], occupancy_h: Sequence[float]) -> float:
    """Return how many elements fire a step in all layers, from the shares of each layer's streams."""
    inputs = sum(share * width for share, width in zip(occupancy_x, shape.inputs, strict=True))
    return inputs + sum(share * width for share, width in zip(occupancy_h, shape.hidden, strict=True))


class Occupancy(NamedTuple):
    """Shares of each layer's input and recurrent elements that are listed a step, on average.

    Attributes
    ----------
    x, h
        Of all elements, one for each layer.
    most_x, most_h
        Of those of the tile that lists most in that step.
    """

    x: tuple[float, ...]
    h: tuple[float, ...]
    most_x: tuple[float, ...]
    most_h: tuple[float, ...]


def budget(architecture: Architecture, shape: Shape, occupancy: Occupancy) -> Budget:
    """Return sizes and room: what weights, gradients and the neurons' working state leave of both memories.

    With several tiles they are those of the tile that keeps most.

    Parameters
    ----------
    architecture
        The machine.
    shape
        The network's sizes.
    occupancy
        What fires; the sizes are those of a mean step.

    Raises
    ------
    FitError
        If those alone do not fit.
    """
    placed = place(architecture, shape, Demand(inputs=0, tape=0, tape_slots=0, tape_buffer=0, loss=0, read=0))
    engine = architecture.engine
    free = architecture.local.bytes - sum(placed.local_bytes.values())
    local = architecture.checkpoint.room_bytes(free)
    remote = architecture.remote.bytes - sum(placed.remote_bytes.values())
    entries = fired_of(shape, occupancy.x, occupancy.h)
    tape = tape_bytes(shape, engine, entries)
    if architecture.tiles.count == 1:
        return Budget(state_bytes(shape, engine), tape, local, remote, residue_bytes(shape, engine, entries))
    state = State(architecture, shape)
    own_state, moved = int(state.own_bytes.sum()), int(state.bytes.sum())
    words, states = tape_words(shape.arithmetic, shape.code_bits, engine.formats), len(shape.arithmetic.STATE)
    own_tape = _own_bytes(architecture, shape, occupancy, words.moved)
    undone = runs_backwards(shape.arithmetic, engine.formats)
    residue = _own_bytes(architecture, shape, occupancy, lambda chunks: states * chunks) if undone else None
    share = min(1.0, own_tape / tape, own_state / moved)
    return Budget(own_state, own_tape, local, int(remote * share), residue, moved, tape)


def _own_bytes(
    architecture: Architecture, shape: Shape, occupancy: Occupancy, words_of: Callable[[Integers], Integers]
) -> int:
    """Return the bytes of a step's lists and of the words of its neurons in the tile with the most.

    They lie as in `workloads.lowering.tape`; `words_of` tells how many words so many chunks of neurons have.
    """
    engine = architecture.engine
    word_bytes = engine.lanes * value_bytes(engine.formats)
    entry_bytes = shape.encoder.list_entry_bytes(engine)
    chunks = -(-np.array(shape.hidden, dtype=np.int64) // architecture.row_lanes)
    total = int(words_of(chunks).sum()) * word_bytes
    for shares, widths in ((occupancy.most_x, shape.inputs), (occupancy.most_h, shape.hidden)):
        entries = [share * own_most(architecture, width) for share, width in zip(shares, widths, strict=True)]
        total += sum(-int(-count * entry_bytes // word_bytes) * word_bytes for count in entries)
    return total
