"""Spikes counted off into bins of time and bands of units: a spike or none in each."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.description import PositiveFloat, PositiveInt
from deltatrain.workloads.data.found import Events, Item, Kind
from deltatrain.workloads.data.front_ends import FrontEnd


class Bins(FrontEnd):
    """Bins of events.

    Attributes
    ----------
    bin_s
        Length of a step.
    channels
        Bands of neighbouring units, equally many in each.
    longest_s
        Where a sequence is cut; after the bin of its last spike if left out.
    """

    ACCEPTS: ClassVar[tuple[Kind, ...]] = ("events",)
    SPIKES: ClassVar[bool] = True

    name: Literal["bins"] = "bins"
    bin_s: PositiveFloat = 0.01
    channels: PositiveInt = 70
    longest_s: PositiveFloat | None = None

    def features(self, item: Item) -> NDArray[np.float32]:
        """Return ones and zeros, shape (bins, channels); one bin for a sequence without a spike."""
        assert isinstance(item, Events)
        if item.of % self.channels:
            raise ValueError(f"channels must part its {item.of} units evenly, not {self.channels}")
        at, band = (item.times_s / self.bin_s).astype(np.int64), item.units // (item.of // self.channels)
        steps = int(at.max(initial=0)) + 1
        if self.longest_s is not None:
            steps = min(steps, max(1, round(self.longest_s / self.bin_s)))
        spikes = np.zeros((steps, self.channels), np.float32)
        kept = at < steps
        spikes[at[kept], band[kept]] = 1
        return spikes


FIELDS = Bins
