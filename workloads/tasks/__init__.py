"""Family: what a network is to learn, one file each; `Task` says what a member has."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from deltatrain.accel.family import ModuleFamily
from deltatrain.workloads.arrays.packing import Array

Wanted = Literal["classes", "step_classes", "numbers", "step_numbers"]
"""What recordings say: a class of each sequence or of each step, or numbers of each sequence or of each step."""


class Task(Protocol):
    """A loss, what it is of, and the figure that tells a person how well it is done.

    Attributes
    ----------
    FIGURE
        The figure's name, as in `accel.origin.FLOAT_FIGURES`.
    CLASSES
        Whether what is wanted are classes, which may have weights.
    MODE
        The mode of `accel.modes` in which a machine computes the gradient of the outputs: "loss" or "squared_loss".
    """

    FIGURE: str
    CLASSES: bool
    MODE: str

    def wanted(self, readout: str) -> Wanted:
        """Return what recordings must say for a read-out; a read-out that the task has not is a `ValueError`."""

    def loss(self, outputs: Array, wanted: Array, weights: Array) -> tuple[float, Array]:
        """Return the loss and its gradient.

        Parameters
        ----------
        outputs
            Of the read-out, shape (R, K).
        wanted
            Of each row: classes, integer, shape (R,), or numbers, shape (R, K).
        weights
            Of each row in the sum, shape (R,).
        """

    def figure_sum(self, outputs: Array, wanted: Array, owners: NDArray[Any]) -> tuple[float, int]:
        """Return a sum, and of how many, whose mean makes the figure; `owners` is the sample of each row, (R,)."""

    def figure(self, mean: float) -> float:
        """Return the figure of the mean of what `figure_sum` sums."""


TASKS = ModuleFamily[Task]("deltatrain.workloads.tasks", "task", Task)
