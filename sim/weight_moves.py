"""What the moves of sparse weights that a training made between its epochs take on a machine."""

from __future__ import annotations

from deltatrain.accel.pricing.run_energy import energy_j
from deltatrain.accel.program import Program
from deltatrain.accel.weight_moves import WeightMoves
from deltatrain.sim.fidelity import FIDELITIES
from deltatrain.workloads.lowering.moved_columns import moving_program
from deltatrain.workloads.sparsity import SPARSITY
from deltatrain.workloads.trace import Trace

__all__ = ["weight_moves"]


def weight_moves(program: Program, trace: Trace, fidelity: str) -> WeightMoves | None:
    """Return what one move takes, and how many there were.

    Parameters
    ----------
    program
        A recorded step of the training, on the machine.
    trace
        The training.
    fidelity
        A member of `sim.fidelity`; where that is of gates, which move no weights, the law counts.

    Returns
    -------
    WeightMoves or None
        None if no weight was moved, or W lives in local memory, which the host rewrites.

    Raises
    ------
    FitError
        If off-chip memory has no room for what moves.
    """
    sparsity, last = trace.workload.sparsity, trace.recorded[-1]
    moves = (len(trace.epochs) - 1) // sparsity.update_epochs
    if moves < 1 or not SPARSITY.load(sparsity.rule).MOVES:
        return None
    moving = moving_program(program)
    if moving is None:
        return None
    counters = FIDELITIES.load(FIDELITIES.load(fidelity).TWIN).count(moving, None)
    return WeightMoves(
        moves=moves,
        steps=last.update // (last.epoch + 1) * sparsity.update_epochs,
        cycles=counters.cycles,
        read_bytes=moving.read_bytes,
        written_bytes=moving.write_bytes,
        energy_j=sum(energy_j(counters, moving.architecture, program.own.update_modes).values()),
    )
