"""The latency of inference: how long a step takes from its input to its output."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from deltatrain.accel.description import Count, Description, NonNegativeFloat, PositiveInt


class Latency(Description):
    """How long steps took, each from when its input is looked at until its output is there.

    Steps may overlap; then they follow each other faster than one takes.

    Attributes
    ----------
    steps
        How many there were, over all samples.
    mean_cycles, worst_cycles
        Of a step.
    worst_sample, worst_step
        Which step took longest, the first if several did.
    host_s
        Seconds that the host adds to every step (`accel.host.Host`).
    """

    steps: PositiveInt
    mean_cycles: NonNegativeFloat
    worst_cycles: Count
    worst_sample: Count
    worst_step: Count
    host_s: NonNegativeFloat = 0.0

    def mean_s(self, clock_hz: int) -> float:
        """Return the mean of a step in seconds, the host's share with it."""
        return self.mean_cycles / clock_hz + self.host_s

    def worst_s(self, clock_hz: int) -> float:
        """Return the longest step in seconds, the host's share with it."""
        return self.worst_cycles / clock_hz + self.host_s

    @model_validator(mode="after")
    def _mean_below_worst(self) -> Self:
        if self.mean_cycles > self.worst_cycles:
            raise ValueError(f"the mean step of {self.mean_cycles} cycles is above the worst, {self.worst_cycles}")
        return self
