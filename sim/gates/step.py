"""A training step as the gates need it: what fires, and all the numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import refuse
from deltatrain.accel.number import Integers
from deltatrain.accel.program import Program
from deltatrain.rtl.limits import program_limits
from deltatrain.sim.programs import program_of
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.sparse_columns import compressed
from deltatrain.workloads.training.integer_parameters import IntegerParameters
from deltatrain.workloads.training.integer_training import (
    IntegerNetwork,
    IntegerStep,
    Label,
    recorded_step,
    training_step,
)

__all__ = ["NumberedProgram", "NumberedStep"]


@dataclass(frozen=True, eq=False)
class NumberedStep:
    """One training step of a network in the machine's integers, with its golden result and its program.

    Attributes
    ----------
    architecture
        The machine.
    network, parameters
        What is trained, and its weights before.
    samples
        Input of each sample, in ``formats.activation``, shape (T_b, F).
    labels
        What is wanted of each (`workloads.training.integer_training.Label`).
    learning_rate
        In ``formats.learning_rate``.
    updates
        Whether the weights are updated at the end; otherwise dW is left for whoever goes on from there.
    forward_alone
        Whether the program ends with the losses, and leaves W and dW as they are; of one sample.
    exist
        Which weights of each matrix do, without its bias column, in the order of `IntegerParameters.stored`; None if
        all do. The others are zero, and stay it.
    """

    architecture: Architecture
    network: IntegerNetwork
    parameters: IntegerParameters
    samples: tuple[Integers, ...]
    labels: tuple[Label, ...]
    learning_rate: int
    updates: bool = True
    forward_alone: bool = False
    exist: tuple[NDArray[np.bool_], ...] | None = None

    @cached_property
    def shape(self) -> Shape:
        """The sizes of the network."""
        arithmetic, features = self.network.arithmetic, self.samples[0].shape[1]
        hidden = tuple(len(layer.W_x) // len(arithmetic.BLOCKS_X) for layer in self.parameters.layers)
        return Shape(
            *(arithmetic, (features, *hidden[:-1]), hidden, len(self.parameters.readout)),
            loss=self.network.loss,
            updates=(self.network.optimiser.mode,),
            code_bits=self.network.code_bits,
        )

    @property
    def update_factors(self) -> dict[str, int]:
        """What an update multiplies with, by the tile's port (`rtl.commands.sizes.TileSizes.update_factors`)."""
        optimiser = self.network.optimiser
        momentum = {"momentum": optimiser.momentum} if optimiser.mode == "update_momentum" else {}
        return {"learning_rate": self.learning_rate} | momentum

    @cached_property
    def golden(self) -> IntegerStep:
        """What the gates must compute."""
        numbers = self.network, self.parameters, self.samples, self.labels, self.learning_rate
        return training_step(*numbers, exist=self.exist)

    @cached_property
    def program(self) -> Program:
        """What the machine is told to do, with the lists as the golden model found them.

        Raises
        ------
        ConfigError
            If the machine runs steps again, which its gates cannot do; or if it has a column cache of its own size, and
            no update lets the gradients go out of that. One that takes what is left is idle then.
        FitError
            If so many weights exist that compressed columns are larger than whole ones.
        """
        machine, cache = self.architecture, self.architecture.column_cache
        if cache is not None and not (self.updates or self.forward_alone):
            refuse(["cache.bytes must be 0, or 'auto', for a step without updates"] * (cache.own_bytes is not None))
            machine = machine.without_cache()
        refuse(program_limits(machine))
        recorded = recorded_step(self.golden, (*self.shape.inputs[:1], *self.shape.hidden))
        make = lower if self.forward_alone else program_of
        program = make(machine, self.shape, recorded, self.network.readout)
        if self.exist is not None:
            program = compressed(program, self.shape, self.exist)
        if self.forward_alone:
            return program.until(self.network.loss)
        return program if self.updates else program.without(self.network.optimiser.mode)

    @property
    def matrices(self) -> dict[str, Integers]:
        """What every matrix W and dW must be after the step, by name."""
        names = [tensor.name for tensor in self.program.tensors]
        golden = self.golden
        left = (golden.updated, golden.kept) if self.updates else (self.parameters, golden.gradients)
        return dict(zip(names, (matrix for both in left for matrix in both.stored()), strict=True))


@dataclass(frozen=True, eq=False)
class NumberedProgram(Program):
    """A program together with the numbers that it works on.

    Attributes
    ----------
    numbers
        The training step whose program it is.
    """

    numbers: NumberedStep

    @classmethod
    def of(cls, step: NumberedStep) -> NumberedProgram:
        """Return the program of a step."""
        return cls(**{field.name: getattr(step.program, field.name) for field in fields(Program)}, numbers=step)
