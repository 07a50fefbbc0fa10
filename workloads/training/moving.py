"""Moving sparse weights between two epochs of a training."""

from __future__ import annotations

from dataclasses import replace

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.network.network import Sizes
from deltatrain.workloads.training.drawing import MASK, generator
from deltatrain.workloads.training.learning_state import LearningState
from deltatrain.workloads.weight_masks import next_mask
from deltatrain.workloads.workload import Workload


def moved(state: LearningState, workload: Workload, sizes: Sizes, gradient: Array, progress: float) -> LearningState:
    """Return the state with the weights where the sparsity rule has them.

    The optimiser has no memory of weights that did not exist just now, or do not from now on.

    Parameters
    ----------
    state, workload, sizes
        The state after an epoch, what is trained, the network's sizes.
    gradient
        Of the last update, of weights that do not exist too, shape (n,).
    progress
        Share of all updates that are done.
    """
    rng = generator(workload.training, MASK, len(state.epochs))
    mask = next_mask(state.parameters, state.mask, gradient, sizes, workload.sparsity, progress, rng)
    stays = mask & state.mask
    memory = {name: array * stays if array.shape == mask.shape else array for name, array in state.optimiser.items()}
    return replace(state, parameters=state.parameters * mask, mask=mask, optimiser=memory)
