"""How a machine updates the weights of a network: the factors of its optimiser, in the machine's integers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltatrain.accel.engine import Formats
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.machine_optimiser import MachineOptimiser
from deltatrain.accel.modes import norm, update, update_decay, update_momentum
from deltatrain.accel.number import Integers, quantise
from deltatrain.workloads.training.integer_parameters import IntegerParameters


class IntegerOptimiser(NamedTuple):
    """The optimiser of a training step.

    Attributes
    ----------
    mode
        The mode of `accel.modes` that updates the weights.
    momentum, decay
        Its factors, in ``formats.learning_rate``.
    limit
        The norm of dW from which on the learning rate is lowered, in ``formats.weight_gradient``; 0 where none is.
    """

    mode: str = "update"
    momentum: int = 0
    decay: int = 0
    limit: int = 0

    def updated(
        self, W: IntegerParameters, dW: IntegerParameters, learning_rate: int, formats: Formats
    ) -> tuple[IntegerParameters, IntegerParameters]:
        """Return the weights after the update, and what dW are then; the rate is in ``formats.learning_rate``."""
        if self.limit:
            learning_rate = norm.clipped_rate(norm.result(dW.matrices()), self.limit, learning_rate)
        pairs = [
            self._of_matrix(*both, learning_rate, formats) for both in zip(W.matrices(), dW.matrices(), strict=True)
        ]
        after, left = zip(*pairs, strict=True)
        return IntegerParameters.of(after), IntegerParameters.of(left)

    def first_gradients(self, W: IntegerParameters, formats: Formats) -> IntegerParameters:
        """Return what dW are before the first step of a training that begins with these weights."""
        nothing = [np.zeros_like(matrix) for matrix in W.matrices()]
        if not self.decay:
            return IntegerParameters.of(nothing)
        factors = self.momentum, self.decay
        return IntegerParameters.of(
            [update_decay.kept(*both, factors, formats) for both in zip(W.matrices(), nothing, strict=True)]
        )

    def _of_matrix(self, W: Integers, dW: Integers, learning_rate: int, formats: Formats) -> tuple[Integers, Integers]:
        if self.mode == "update_momentum":
            return update_momentum.result(W, dW, learning_rate, self.momentum, formats)
        if self.mode == "update_decay":
            return update_decay.result(W, dW, learning_rate, (self.momentum, self.decay), formats)
        return update.result(W, dW, learning_rate, formats)


PLAIN = IntegerOptimiser()


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
    return IntegerOptimiser(wanted.mode, momentum, decay, _limit(wanted, summed, formats))


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
