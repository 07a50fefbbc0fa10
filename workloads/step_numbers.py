"""The numbers that a recorded training step works on: with them a machine runs the step again in its own integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.network.network import Sizes, shapes
from deltatrain.workloads.tasks import Wanted


@dataclass(frozen=True, eq=False)
class StepNumbers:
    """Weights, inputs and labels of one mini-batch, as training had them.

    They are floating-point numbers, so that any machine rounds them to its own formats. Thresholds and read-out are the
    workload's.

    Attributes
    ----------
    parameters
        Of the network before the update, all as one vector (`network.network.Parameters.flat`), shape (n,).
    inputs
        Padded, shape (T, B, F), T the longest sample's steps; what lies beyond a sample's length is not looked at.
    labels
        What is wanted, as `workloads.data.recordings.Sequences.wanted` has it: of each sample, shape (B,) or (B, K), or
        of each step, padded, (T, B) or (T, B, K). Classes are integers, and K numbers are floating-point.
    learning_rate
        Of the update, before it is divided by the number of classified steps, shape ().
    """

    parameters: Array
    inputs: Array
    labels: NDArray[Any]
    learning_rate: Array

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return every array by its name."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def among(cls, arrays: Mapping[str, NDArray[Any]], prefix: str) -> Self | None:
        """Return the numbers whose names in `arrays` begin with `prefix`; None if they are not there."""
        names = [field.name for field in fields(cls)]
        if not any(prefix + name in arrays for name in names):
            return None
        return cls(**{name: arrays[prefix + name] for name in names})

    def check(self, sizes: Sizes, lengths: NDArray[np.int64], wants: Wanted = "classes") -> None:
        """Raise a one-line `ConfigError` unless they are finite, and of a batch of `lengths` on a network of `sizes`.

        Parameters
        ----------
        sizes
            Of the network.
        lengths
            Steps of each sample, shape (B,).
        wants
            What the labels are.
        """
        samples = (len(lengths),) if not wants.startswith("step") else (int(np.max(lengths)), len(lengths))
        numbers = wants.endswith("numbers")
        count = sum(int(np.prod(shape)) for shape in shapes(sizes))
        wanted = {
            "parameters": (count,),
            "inputs": (int(np.max(lengths)), len(lengths), sizes.features),
            "labels": (*samples, sizes.classes) if numbers else samples,
            "learning_rate": (),
        }
        for name, array in self.arrays().items():
            integers = name == "labels" and not numbers
            if array.shape != wanted[name] or array.dtype.kind not in ("iu" if integers else "f"):
                kind = "integers" if integers else "floating-point numbers"
                raise ConfigError(
                    f"{name} of a recorded step must be {kind} of shape {wanted[name]}, "
                    f"not {array.dtype} of shape {array.shape}"
                )
            if array.size and not np.isfinite(array).all():
                raise ConfigError(f"{name} of a recorded step must be finite, not {array[~np.isfinite(array)].flat[0]}")
        if not numbers and (self.labels.min() < 0 or self.labels.max() >= sizes.classes):
            wrong = self.labels[(self.labels < 0) | (self.labels >= sizes.classes)][0]
            raise ConfigError(f"labels of a recorded step must be 0 to {sizes.classes - 1}, not {wrong}")
        if self.learning_rate < 0:
            raise ConfigError(f"learning_rate of a recorded step must be at least 0, not {self.learning_rate}")
