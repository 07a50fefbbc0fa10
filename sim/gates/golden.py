"""What the gates computed, against the golden model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deltatrain.sim.gates.run import GatesResult
from deltatrain.sim.gates.step import NumberedStep

__all__ = ["wrong_values"]


def wrong_values(step: NumberedStep, ran: GatesResult) -> Iterator[str]:
    """Yield a line for each matrix in which a run of `step` differs from the golden model."""
    for name, expected in step.matrices.items():
        found = ran.matrices[name]
        wrong = np.argwhere(found != expected)
        if len(wrong):
            row, column = wrong[0].tolist()
            yield (
                f"{name}[{row}, {column}] must be {expected[row, column]}, not {found[row, column]} "
                f"({len(wrong)} of {expected.size} values differ)"
            )
