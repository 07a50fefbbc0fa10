"""The updates of one epoch in floating-point numbers, and what any epoch's updates leave."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from deltatrain.workloads import rules
from deltatrain.workloads.arrays.layer import State
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.data.recordings import Sequences
from deltatrain.workloads.network.fired import Fired, nothing_fired
from deltatrain.workloads.network.network import Network, Parameters, from_flat
from deltatrain.workloads.optimisers import OPTIMISERS
from deltatrain.workloads.rules import RULES
from deltatrain.workloads.schedules import SCHEDULES
from deltatrain.workloads.tables import Training
from deltatrain.workloads.training.divergence import diverged
from deltatrain.workloads.training.drawing import DROPOUT, ORDER, generator
from deltatrain.workloads.training.layerwise import kept_outputs, rate_factors
from deltatrain.workloads.training.learning_state import LearningState
from deltatrain.workloads.training.stored_numbers import Stored
from deltatrain.workloads.training.streams import Window, all_windows, epoch_updates, training_batches, truncation_of

Tell = Callable[[int, float], None]
"""Told how many updates are done and the mean loss a sample so far in the epoch."""

LossStep = Callable[[Network, Parameters, Window, State], rules.Learned]
"""Finds loss and gradients of a window that goes on from a state."""

_BEGINNING: State = ()


class Learned(NamedTuple):
    """What the updates of an epoch leave.

    Attributes
    ----------
    parameters, memory
        All of them as one vector, shape (n,), and the optimiser's arrays.
    updates
        Done in the whole training.
    loss
        Mean training loss a sample.
    fired
        What fired.
    rate
        The learning rate of the last update.
    gradient
        Of the last update, of weights that do not exist too, shape (n,).
    stored
        Of a training in a machine's numbers, by tensor.
    """

    parameters: Array
    memory: dict[str, Array]
    updates: int
    loss: float
    fired: Fired
    rate: float
    gradient: Array
    stored: Mapping[str, Stored] = {}


def clipped(gradient: Array, norm: float) -> Array:
    """Return `gradient`, shape (n,), scaled down to Euclidean norm `norm` if its own is larger.

    One whose norm is too large for its format has no direction left: it becomes NaN, as the weights will.
    """
    own = float(np.linalg.norm(gradient))
    if own <= norm:
        return gradient
    scaled: Array = gradient * gradient.dtype.type(norm / own if math.isfinite(own) else math.nan)
    return scaled


def learning_rate(training: Training, update: int, updates: int, losses: tuple[float, ...]) -> float:
    """Return the learning rate of update number `update` (from 0) of `updates`, after epochs with these losses."""
    factor = SCHEDULES.load(training.schedule).factor(update / updates, losses)
    rising = training.warm_up * updates
    return training.highest_rate * factor * (min(1.0, (update + 1) / rising) if rising else 1.0)


def float_updates(
    network: Network,
    training: Training,
    part: Sequences,
    state: LearningState,
    epoch: int,
    tell: Tell,
    loss_step: LossStep | None = None,
) -> Learned:
    """Return what the updates of an epoch leave, by the workload's optimiser and rule, or by a step of another loss."""
    optimiser, loss_step = OPTIMISERS.load(training.optimiser), loss_step or _step_of(training)
    losses = tuple(counts.loss for counts in state.epochs)
    batches = training_batches(part.lengths, training, generator(training, ORDER, epoch))
    updates = epoch_updates(part.lengths, training) * training.epochs
    vector, memory, update, sizes = state.parameters, state.optimiser, state.updates, network.sizes
    factors = rate_factors(training, sizes, vector.dtype)
    total, seen, fired = 0.0, 0, nothing_fired(sizes)
    truncation, after = truncation_of(training), _BEGINNING
    kept: tuple[Array, ...] = ()
    for window in all_windows(part, batches, truncation):
        if training.dropout:
            rng = generator(training, DROPOUT, update)
            kept = kept_outputs(training, sizes, len(window.lengths), vector.dtype, rng)
        before = window.state(truncation, after)
        step = loss_step(network._replace(kept=kept), from_flat(vector, sizes), window, before)
        every = step.gradients.flat()
        measured = every if training.clipped_gradient == "all" else every * state.mask
        gradient = clipped(measured, training.clip_norm) * state.mask
        rate = learning_rate(training, update, updates, losses)
        rates = rate if factors is None else rate * factors
        vector, memory = optimiser.update(vector, gradient, memory, rates, training.momentum, training.weight_decay)
        update, seen, total = update + 1, seen + window.weight, total + step.loss * window.weight
        if not (math.isfinite(step.loss) and np.isfinite(vector).all()):
            raise diverged(training, epoch, update, updates, step.loss)
        fired, after = fired + step.fired, step.after
        tell(update, total / seen)
    return Learned(vector, memory, update, total / seen, fired, rate, every)


def _step_of(training: Training) -> LossStep:
    """Return the step of the workload's rule."""
    rule = RULES.load(training.rule)

    def step(network: Network, parameters: Parameters, window: Window, before: State) -> rules.Learned:
        return rule.training_step(network, parameters, window.x, window.lengths, window.labels, before)

    return step
