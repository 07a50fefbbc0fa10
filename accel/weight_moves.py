"""What it takes a machine to move sparse weights, as a rule does between two epochs of a training."""

from __future__ import annotations

from deltatrain.accel.description import Count, Description, NonNegativeFloat, PositiveInt

__all__ = ["WeightMoves"]


class WeightMoves(Description):
    """The moves of a training, all of which take the same.

    Attributes
    ----------
    moves
        How many the training had.
    steps
        Training steps from one to the next.
    cycles, read_bytes, written_bytes, energy_j
        Of one move: cycles, bytes off-chip each way, and energy, modelled.
    """

    moves: PositiveInt
    steps: PositiveInt
    cycles: Count
    read_bytes: Count
    written_bytes: Count
    energy_j: NonNegativeFloat

    def share(self, step_cycles: int) -> float:
        """Return the share of a training's cycles that its moves take, if each of its steps takes `step_cycles`."""
        together = self.cycles + self.steps * step_cycles
        return self.cycles / together if together else 0.0
