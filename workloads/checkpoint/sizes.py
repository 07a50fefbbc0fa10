"""How many bytes a step's state, tape and residue take on a machine, and how much room it has for them."""

from __future__ import annotations

from collections.abc import Sequence

from accel.architecture import Architecture
from accel.engine import Engine
from workloads.checkpoint.schedule import Budget
from workloads.placement import Demand, Shape, place


def state_bytes(shape: Shape, engine: Engine) -> int:
    """Return the bytes that restart a step: h and the gates' own state of each layer, M, x-hat and h-hat if kept."""
    formats, gates, held = engine.formats, shape.gates, shape.encoder.HELD
    return sum(
        width * (gates.KEPT * gates.ACCUMULATORS * formats.memory.bytes + len(gates.STATE) * formats.state.bytes)
        + (width + held * (width + inputs)) * formats.activation.bytes
        for inputs, width in zip(shape.inputs, shape.hidden, strict=True)
    )


def list_bytes(shape: Shape, engine: Engine, fired: float) -> int:
    """Return the bytes of lists of `fired` entries in all, as long as the cell's encoder makes them; rounded up."""
    return -int(-fired * shape.encoder.list_entry_bytes(engine) // 1)


def tape_bytes(shape: Shape, engine: Engine, fired: float) -> int:
    """Return the bytes of a step's tape: the gates' values of each layer, dense, and the lists of what fired."""
    dense = sum(shape.hidden) * len(shape.gates.TAPE) * engine.formats.gate.bytes
    return dense + list_bytes(shape, engine, fired)


def residue_bytes(shape: Shape, engine: Engine, fired: float) -> int | None:
    """Return the bytes of what of a tape cannot be run backwards: lists and the gates' state; None if all must be kept.

    M can be run backwards if it wraps and is kept from step to step: a spiking cell's reset forgets.
    """
    if engine.formats.memory.overflow != "wrap" or not shape.gates.KEPT:
        return None
    kept = sum(shape.hidden) * len(shape.gates.STATE) * engine.formats.state.bytes
    return kept + list_bytes(shape, engine, fired)


def fired_of(shape: Shape, occupancy_x: Sequence[float], occupancy_h: Sequence[float]) -> float:
    """Return how many elements fire a step in all layers, from the shares of each layer's streams."""
    inputs = sum(share * width for share, width in zip(occupancy_x, shape.inputs, strict=True))
    return inputs + sum(share * width for share, width in zip(occupancy_h, shape.hidden, strict=True))


def budget(architecture: Architecture, shape: Shape, fired: float) -> Budget:
    """Return sizes and room: what weights, gradients and the neurons' working state leave of both memories.

    Parameters
    ----------
    architecture
        The machine.
    shape
        The network's sizes.
    fired
        Mean number of elements that fire a step, all layers; the sizes are those of such a step.

    Raises
    ------
    FitError
        If those alone do not fit.
    """
    placed = place(architecture, shape, Demand(inputs=0, tape=0, tape_slots=0, tape_buffer=0, loss=0, read=0))
    engine = architecture.engine
    return Budget(
        state_bytes(shape, engine),
        tape_bytes(shape, engine, fired),
        architecture.tiles.count * (architecture.local.bytes - sum(placed.local_bytes.values())),  # dealt out evenly
        architecture.remote.bytes - sum(placed.remote_bytes.values()),
        residue_bytes(shape, engine, fired),
    )
