"""What a step costs on a machine: the cycles by which checkpoint schedules are chosen and predicted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.memory import Checkpoint
from deltatrain.accel.program import UNITS, Ops, Program
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, Costs
from deltatrain.workloads.lowering.costs.bounds import bus_cycles, least_cycles, port_cycles
from deltatrain.workloads.lowering.costs.pace import latency_cycles, pace

__all__ = ["keeping_all", "only", "step_costs"]


def keeping_all(architecture: Architecture) -> Architecture:
    """Return the machine with every tape kept, wherever there is room, and no column cache, for `step_costs`."""
    placement = architecture.placement.model_copy(update={"tape": "auto"})
    return architecture.model_copy(update={"placement": placement, "checkpoint": Checkpoint(), "cache": None})


def step_costs(program: Program, room: Budget) -> Costs:
    """Return the cycles of a step forward and backward, of running it backwards, and of moving a state or a tape.

    Parameters
    ----------
    program
        A training step that runs nothing again.
    room
        Sizes of a state and a tape.
    """
    architecture, ops = program.architecture, program.ops
    steps = int((ops.is_mode("cell_forward") & (ops.layer == 0)).sum())
    tape = ops.is_mode("store") | (ops.is_mode("load") & ops.is_phase("BP"))  # a policy decides whether it is moved
    forward = only(program, ops.is_phase("FP") & ~tape)
    backward = only(program, ops.is_phase("BP", "WG") & ~tape)
    undo = only(program, ops.is_mode("matvec", "cell_forward", "broadcast") & ops.is_phase("FP"))

    paced = pace(program, tape)
    in_flight, layers = architecture.dma.in_flight, int(program.ops.layer.max(initial=0)) + 1
    waiting = layers * latency_cycles(program)  # each layer's part is a transfer of its own

    def moved(size_bytes: int) -> int:
        """Return how long a transfer keeps the port, or what the port waits for, busy."""
        beats = _transfer_cycles(architecture, size_bytes)
        return max(beats, -(-(beats + waiting) // in_flight))

    state, moved_tape = (
        moved(room.moved_state_bytes or room.state_bytes),
        moved(room.moved_tape_bytes or room.tape_bytes),
    )
    return Costs(
        forward_cycles=max(paced.forward_cycles, _per_step(least_cycles(forward), steps)),
        backward_cycles=max(paced.backward_cycles, _per_step(least_cycles(backward), steps)),
        save_state_cycles=state,
        load_state_cycles=state,
        save_tape_cycles=moved_tape,
        load_tape_cycles=moved_tape,
        forward_port_cycles=_per_step(_own_port_cycles(forward), steps),
        backward_port_cycles=_per_step(_own_port_cycles(backward), steps),
        undo_cycles=_per_step(max(_busiest_unit_cycles(undo), _own_port_cycles(undo)), steps),
        latency_cycles=waiting if in_flight > 1 else 0,
    )


def only(program: Program, chosen: NDArray[np.bool_]) -> Program:
    """Return the program with the chosen ops only; its dependencies point nowhere, so only bounds may read it."""
    ops = Ops(**{name: getattr(program.ops, name)[chosen] for name in Ops.__dataclass_fields__})
    return replace(program, ops=ops)


def _per_step(cycles: int, steps: int) -> int:
    return -(-cycles // steps)


def _own_port_cycles(program: Program) -> int:
    return max(port_cycles(program), bus_cycles(program))


def _busiest_unit_cycles(program: Program) -> int:
    of_unit = np.bincount(program.unit, weights=program.issue_cycles, minlength=len(UNITS))
    return int(of_unit.max())


def _transfer_cycles(architecture: Architecture, size_bytes: int) -> int:
    """Return the cycles of port and data bus for `size_bytes`, whichever takes longer."""
    port = -(-size_bytes // architecture.dma.bytes_per_cycle)
    seconds = size_bytes / architecture.remote_bus_bytes_per_second
    return max(port, int(np.ceil(seconds * architecture.engine.clock_hz)))
