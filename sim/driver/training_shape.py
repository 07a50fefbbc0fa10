"""What a program depends on: the machine, the network's sizes and the lengths of its samples; no number of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.number import Integers
from deltatrain.rtl.encoder.delta_encoder import least_field
from deltatrain.sim.gates.step import NumberedStep
from deltatrain.workloads.training.integer_parameters import IntegerLayer, IntegerParameters
from deltatrain.workloads.training.integer_training import IntegerNetwork, Label, read_steps

__all__ = ["TrainingShape"]


@dataclass(frozen=True, eq=False)
class TrainingShape:
    """A training step without its numbers.

    Attributes
    ----------
    architecture
        The machine.
    network
        What is computed; its thresholds are those that a driver sets at first.
    features, hidden, classes
        F, H of each layer, outputs.
    lengths
        Steps T_b of each sample of a batch.
    updates
        Whether the weights are updated at the end; otherwise dW is left.
    forward_alone
        Whether a run ends when the network has put out what it can of its one sample; W and dW are left.
    """

    architecture: Architecture
    network: IntegerNetwork
    features: int
    hidden: tuple[int, ...]
    classes: int
    lengths: tuple[int, ...]
    updates: bool = True
    forward_alone: bool = False

    @classmethod
    def of(cls, step: NumberedStep) -> TrainingShape:
        """Return the shape of a step with numbers."""
        shape, lengths = step.shape, tuple(map(len, step.samples))
        return cls(step.architecture, step.network, shape.inputs[0], shape.hidden, shape.classes, lengths, step.updates)

    def forward(self, steps: int) -> TrainingShape:
        """Return the shape of a run forward alone, of a sequence of so many steps."""
        return replace(self, lengths=(steps,), updates=False, forward_alone=True)

    def step(
        self,
        parameters: IntegerParameters,
        samples: Sequence[Integers],
        labels: Sequence[Label],
        learning_rate: int,
    ) -> NumberedStep:
        """Return the step of this shape with these numbers, see `NumberedStep`."""
        numbers = (parameters, tuple(samples), tuple(labels), learning_rate)
        return NumberedStep(self.architecture, self.network, *numbers, self.updates, self.forward_alone)

    def leasts(self, thresholds: Sequence[tuple[int, int]]) -> list[int]:
        """Return what the registers of thresholds are for these of each layer, as `IntegerNetwork` has them."""
        bits = self.architecture.engine.formats.activation.bits
        return [least_field(least, bits) for layer in thresholds for least in layer]

    @property
    def outputs_wanted(self) -> int:
        """Numbers that are wanted of each step that is read: one for each output, or 1 where it is a class."""
        return self.classes if self.network.loss == "squared_loss" else 1

    @cached_property
    def zero(self) -> IntegerParameters:
        """All weights zero."""
        arithmetic, layers = self.network.arithmetic, []
        for inputs, width in zip((self.features, *self.hidden[:-1]), self.hidden, strict=True):
            W_x = np.zeros((len(arithmetic.BLOCKS_X) * width, inputs + arithmetic.BIAS_X), dtype=np.int64)
            W_h = np.zeros((len(arithmetic.BLOCKS_H) * width, width + arithmetic.BIAS_H), dtype=np.int64)
            layers.append(IntegerLayer(W_x, W_h))
        return IntegerParameters(tuple(layers), np.zeros((self.classes, self.hidden[-1] + 1), dtype=np.int64))

    @property
    def blank(self) -> NumberedStep:
        """The step whose numbers are all zero."""
        samples = [np.zeros((steps, self.features), dtype=np.int64) for steps in self.lengths]
        labels = [self.label(np.zeros(self.targets(steps), dtype=np.int64)) for steps in self.lengths]
        return self.step(self.zero, samples, labels, 0)

    def targets(self, steps: int) -> int:
        """Return how many numbers are wanted of a sample of `steps` steps."""
        return len(read_steps(self.network, steps)) * self.outputs_wanted

    def label(self, numbers: Integers) -> Label:
        """Return the label of a sample of which these numbers are wanted, shape (`targets`,)."""
        if self.network.loss == "squared_loss":
            return numbers.reshape(-1, self.classes)
        return numbers if self.network.readout == "every" else int(numbers[0])
