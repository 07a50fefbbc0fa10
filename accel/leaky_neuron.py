"""The leaky integrate-and-fire neuron of a spiking layer, and which of those that spike a list has room for.

A potential u has the unit of the current I = W s + b. Forward, with s = 1 for a spike and theta for ``threshold``:

    u[t] = I[t]                               if u[t-1] > theta and ``reset`` is "zero"
    u[t] = decay * u[t-1] - theta + I[t]      if u[t-1] > theta and ``reset`` is "subtract"
    u[t] = decay * u[t-1] + I[t]              otherwise
    s[t] = 1 if u[t] > theta and the list of the step has room for it, else 0

A reset is decided from the state of the step before, whether or not its spike was listed: a spike that finds no room is
lost. Backward the reset is a constant and the leak passes through it. For a listed neuron ds/du is

    slope(|u / theta - 1|, sharpness) / theta

with the slope of a member of `accel.surrogates`, and 0 for all others. "zero" is the reset of the public code of
Finkbeiner et al. (AAAI 2024, arXiv 2311.04386; jrfinkbeiner/graphcore_snn, branch aaai24, custom_lif_multi_layer),
"subtract" that of snnTorch (Eshraghian et al., Proc. IEEE 2023).
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from deltatrain.accel.description import Description, NonNegativeInt, Share
from deltatrain.accel.errors import unknown_name
from deltatrain.accel.surrogates import SURROGATES, Surrogate

Mask = NDArray[np.bool_]


class LeakyNeuron(Description):
    """How the neurons of a spiking layer leak, spike, learn and are listed.

    Defaults are those of graphcore_snn (aaai24: benchmarks), but for ``listed_share`` and ``listed_first``. There a
    current has a gain of k = 10 (1 - decay) = 0.5 and the threshold is 1; without the gain it is 1 / k = 2.

    Attributes
    ----------
    decay
        The share of a potential that a step leaves: 0 forgets it, 1 does not leak.
    threshold
        Potential above which a neuron spikes, in units of the current.
    learns_above
        Share of the threshold above which a neuron that does not spike is gradient-only: it is listed, says nothing and
        learns. 1: there are none.
    reset
        What the step after a spike has of the potential: "zero" nothing, "subtract" what leaks through, less the
        threshold.
    surrogate
        A member of `accel.surrogates`: what stands for the derivative of a spike.
    sharpness
        How fast the surrogate falls with the distance from the threshold, per threshold.
    listed_share
        Share of a layer that a step lists at most, spikes before gradient-only neurons; below 1 an even number of
        neurons, at least 2. 1, the default, is no cap: no spike is lost, and a list is as long as the layer at most,
        for which a machine has room anyway. Published are 0.01 to 0.1, for layers of thousands of neurons.
    listed_first
        Who is listed if not all can be: "lowest" the neurons of the lowest numbers; "random" those that follow a random
        neuron, around the end, as the published code begins at one. The neuron is drawn from ``seed`` and from who
        wants to be listed, so a step that is run again lists the same, whatever the batch.
    seed
        From which "random" draws.
    """

    decay: Share = 0.95
    threshold: Annotated[float, Field(ge=1e-6, le=1e6, allow_inf_nan=False)] = 2.0
    learns_above: Share = 0.9
    reset: Literal["zero", "subtract"] = "zero"
    surrogate: str = "fast_sigmoid"
    sharpness: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 10.0
    listed_share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    listed_first: Literal["lowest", "random"] = "lowest"
    seed: NonNegativeInt = 0

    @field_validator("surrogate")
    @classmethod
    def _known_surrogate(cls, name: str) -> str:
        if name not in SURROGATES.names():
            raise ValueError(str(unknown_name("surrogate", name, SURROGATES.names())))
        return name

    @property
    def near(self) -> float:
        """Potential above which a neuron is gradient-only."""
        return self.learns_above * self.threshold

    @property
    def spike_slope(self) -> Surrogate:
        """The surrogate."""
        return SURROGATES.load(self.surrogate)

    def listed_most(self, width: int) -> int:
        """Return how many of `width` neurons a step lists at most."""
        return width if self.listed_share == 1 else min(width, max(2, int(self.listed_share * width) // 2 * 2))

    def listed(self, spiking: Mask, near: Mask) -> tuple[Mask, Mask]:
        """Return which neurons are listed as spikes and which as gradient-only.

        Parameters
        ----------
        spiking, near
            Who is above the threshold, and who is below it but above `near`; shapes (..., H).
        """
        width = spiking.shape[-1]
        most = self.listed_most(width)
        if most == width:
            return spiking, near
        wanted = spiking | near
        if np.count_nonzero(wanted, axis=-1).max(initial=0) <= most:
            return spiking, near
        first = self._first(wanted)
        spikes = spiking & (_place(spiking, first) <= most)
        room = most - np.count_nonzero(spikes, axis=-1)
        return spikes, near & (_place(near, first) <= room[..., None])

    def _first(self, wanted: Mask) -> NDArray[np.int64]:
        """Return the neuron with which each list begins, shape (..., 1)."""
        if self.listed_first == "lowest":
            return np.zeros((*wanted.shape[:-1], 1), np.int64)
        width = wanted.shape[-1]
        drawn = np.where(wanted, _numbers(self.seed, width), np.uint64(0)).sum(axis=-1, keepdims=True, dtype=np.uint64)
        first: NDArray[np.int64] = (drawn >> np.uint64(32)).astype(np.int64) * width >> 32
        return first


def _place(mask: Mask, first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each neuron of `mask`, from 1, in an order that begins at `first` and goes around the end."""
    counted: NDArray[np.int64] = np.cumsum(mask, axis=-1)
    passed: NDArray[np.int64] = np.take_along_axis(counted, first, axis=-1) - np.take_along_axis(mask, first, axis=-1)
    place = counted - passed
    return np.where(np.arange(mask.shape[-1]) < first, place + counted[..., -1:], place)


@cache
def _numbers(seed: int, width: int) -> NDArray[np.uint64]:
    """Return a random number for each neuron, shape (width,): their sum, modulo 2^64, stands for a set of neurons."""
    return np.random.default_rng([seed, width]).integers(0, 2**64, width, dtype=np.uint64)
