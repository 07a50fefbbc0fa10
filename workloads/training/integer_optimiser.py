"""How a machine updates the weights of a network: the factors of its optimiser, in the machine's integers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltatrain.accel.engine import Formats
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.machine_optimiser import MachineOptimiser
from deltatrain.accel.modes import moments, norm, update, update_decay, update_momentum
from deltatrain.accel.number import Integers, quantise
from deltatrain.workloads.training.integer_parameters import IntegerParameters, from_vector, zeros_like

Memory = dict[str, Integers]
"""What an optimiser remembers, each the vector of a number for each weight (`IntegerParameters.vector`).

"kept" is what dW are, and "mean" and "square" the moments of Adam.
"""


class Updated(NamedTuple):
    """What an update leaves: weights, dW, and all that the optimiser remembers, dW among it if they are not zero."""

    weights: IntegerParameters
    gradients: IntegerParameters
    memory: Memory


class IntegerOptimiser(NamedTuple):
    """The optimiser of a training step.

    Attributes
    ----------
    mode
        The mode of `accel.modes` that updates the weights.
    momentum, decay
        Its factors, in ``formats.learning_rate``; with `has_moments` momentum is theirs.
    limit
        The norm of dW from which on the learning rate is lowered, in ``formats.weight_gradient``; 0 where none is.
    has_moments
        Whether `accel.modes.moments` goes before the update.
    """

    mode: str = "update"
    momentum: int = 0
    decay: int = 0
    limit: int = 0
    has_moments: bool = False

    def first_memory(self, W: IntegerParameters, formats: Formats) -> Memory:
        """Return what is remembered before the first step of a training that begins with these weights."""
        nothing = np.zeros_like(W.vector())
        if self.has_moments:
            return {"mean": nothing, "square": nothing}
        if self.mode == "update_decay":
            return {"kept": update_decay.kept(W.vector(), nothing, (self.momentum, self.decay), formats)}
        return {"kept": nothing} if self.mode == "update_momentum" else {}

    def updated(
        self, W: IntegerParameters, dW: IntegerParameters, learning_rate: int, formats: Formats, memory: Memory
    ) -> Updated:
        """Return what a step leaves of weights and their gradients; the rate is in ``formats.learning_rate``."""
        gradients, remembered = dW.vector(), Memory()
        if self.has_moments:
            means = memory["mean"], memory["square"]
            gradients, mean, square = moments.result(gradients, *means, self.momentum, formats)
            remembered = {"mean": mean, "square": square}
        if self.limit:
            learning_rate = norm.clipped_rate(norm.result(dW.matrices()), self.limit, learning_rate)
        after, left = self._moved(W.vector(), gradients, learning_rate, formats)
        if self.mode != "update":
            remembered = {"kept": left}
        return Updated(from_vector(after, W), from_vector(left, W), remembered)

    def _moved(self, W: Integers, dW: Integers, learning_rate: int, formats: Formats) -> tuple[Integers, Integers]:
        if self.mode == "update_momentum":
            return update_momentum.result(W, dW, learning_rate, self.momentum, formats)
        if self.mode == "update_decay":
            return update_decay.result(W, dW, learning_rate, (self.momentum, self.decay), formats)
        return update.result(W, dW, learning_rate, formats)


PLAIN = IntegerOptimiser()


def first_gradients(W: IntegerParameters, memory: Memory) -> IntegerParameters:
    """Return what dW are before a step, from what is remembered."""
    return from_vector(memory["kept"], W) if "kept" in memory else zeros_like(W)


def integer_optimiser(wanted: MachineOptimiser, summed: float, formats: Formats) -> IntegerOptimiser:
    """Return an optimiser with its factors in ``formats.learning_rate``.

    Parameters
    ----------
    wanted
        The description.
    summed
        How many times the gradient of the mean loss the machine's sum is: what is taken of the weights is, too.
    formats
        The engine's.

    Raises
    ------
    ConfigError
        If a factor is not one of the format, near enough to what is named.
    """
    momentum = _factor("momentum", wanted.momentum, 1.0, formats)
    decay = _factor("weight_decay", wanted.weight_decay, summed, formats)
    if momentum >= 1 << formats.learning_rate.fraction_bits:
        raise ConfigError(
            f"training.machine_optimiser.momentum {wanted.momentum:g} is 1 in the machine's learning_rate format, of "
            f"{formats.learning_rate.fraction_bits} fraction bits: a velocity would never fade"
        )
    if decay and (reason := update_decay.formats_limit(formats)):
        raise ConfigError(f"training.machine_optimiser.weight_decay: {reason}")
    has_moments = "moments" in wanted.modes
    if has_moments and (reason := moments.formats_limit(formats)):
        raise ConfigError(f"training.machine_optimiser.name: {reason}")
    return IntegerOptimiser(wanted.mode, momentum, decay, _limit(wanted, summed, formats), has_moments)


def _limit(wanted: MachineOptimiser, summed: float, formats: Formats) -> int:
    if wanted.clip_norm is None:
        return 0
    limit = round(wanted.clip_norm * summed * 2.0**formats.weight_gradient.fraction_bits)
    if limit == 0:
        least = 2.0 ** -(formats.weight_gradient.fraction_bits + 1) / summed
        raise ConfigError(
            f"training.machine_optimiser.clip_norm must be above {least:.3g}, half a unit of the machine's weight "
            f"gradients, not {wanted.clip_norm:g}"
        )
    return limit


def _factor(name: str, value: float, times: float, formats: Formats) -> int:
    """Return a factor in the format; one that it does not hold is a `ConfigError`."""
    number = formats.learning_rate
    factor, scale = int(quantise(np.array(value * times), number)), 2.0**number.fraction_bits * times
    least, most = 0.5 / scale, (number.highest + 0.5) / scale
    if value and (factor == 0 or value > most):
        raise ConfigError(
            f"training.machine_optimiser.{name} must be 0, or above {least:.3g} and at most {most:.6g}, which the "
            f"machine's learning_rate format of {number.bits} bits holds, not {value:g}"
        )
    return factor
