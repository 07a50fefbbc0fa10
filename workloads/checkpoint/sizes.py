"""How many bytes a step's state, tape and residue take on a machine, and how much room it has for them."""

from __future__ import annotations

from collections.abc import Sequence

from accel.architecture import Architecture
from accel.engine import Engine
from accel.modes import encode
from workloads.checkpoint.schedule import Budget
from workloads.placement import Demand, Shape, place


def state_bytes(shape: Shape, engine: Engine) -> int:
    """Return the bytes that restart a step: M, the gates' own state, h, h-hat and x-hat of each layer."""
    formats, gates = engine.formats, shape.gates
    return sum(
        width * (gates.ACCUMULATORS * formats.memory.bytes + len(gates.STATE) * formats.state.bytes)
        + (2 * width + inputs) * formats.activation.bytes
        for inputs, width in zip(shape.inputs, shape.hidden, strict=True)
    )


def list_bytes(fired: float, engine: Engine) -> int:
    """Return the bytes of lists of `fired` entries in all, each an index and a value; rounded up."""
    return -int(-fired * encode.list_entry_bytes(engine) // 1)


def tape_bytes(shape: Shape, engine: Engine, fired: float) -> int:
    """Return the bytes of a step's tape: the gates' values of each layer, dense, and the lists of what fired."""
    dense = sum(shape.hidden) * len(shape.gates.TAPE) * engine.formats.gate.bytes
    return dense + list_bytes(fired, engine)


def residue_bytes(shape: Shape, engine: Engine, fired: float) -> int | None:
    """Return the bytes of what of a tape cannot be run backwards: lists and the gates' state; None if M saturates."""
    if engine.formats.memory.overflow != "wrap":
        return None
    kept = sum(shape.hidden) * len(shape.gates.STATE) * engine.formats.state.bytes
    return kept + list_bytes(fired, engine)


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
