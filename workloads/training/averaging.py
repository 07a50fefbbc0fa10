"""What of a training is evaluated and kept: the weights, or the average of them that its optimiser has."""

from __future__ import annotations

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.optimisers import OPTIMISERS
from deltatrain.workloads.tables import Training


def evaluated(training: Training, vector: Array, memory: dict[str, Array]) -> Array:
    """Return the parameters that are evaluated, shape (n,); a machine averages nothing."""
    if training.machine_numbers is not None:
        return vector
    return OPTIMISERS.load(training.optimiser).evaluated(vector, memory)


def after_epoch(training: Training, memory: dict[str, Array], loss: float) -> dict[str, Array]:
    """Return the optimiser's arrays after an epoch with this held-out `loss` a sample; a machine looks at none."""
    if training.machine_numbers is not None:
        return memory
    return OPTIMISERS.load(training.optimiser).after_epoch(memory, loss)
