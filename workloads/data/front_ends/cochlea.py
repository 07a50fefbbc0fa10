"""Spikes of an artificial cochlea: 70 channels, in bins of 10 ms a spike or none."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.data.found import Item, Kind, Sound
from deltatrain.workloads.data.front_ends import FrontEnd
from deltatrain.workloads.data.speech import cochlea


class Cochlea(FrontEnd):
    """`workloads.data.speech.cochlea`, whose constants it has; it has no fields of its own."""

    ACCEPTS: ClassVar[tuple[Kind, ...]] = ("sound",)
    SPIKES: ClassVar[bool] = True

    name: Literal["cochlea"] = "cochlea"

    def features(self, item: Item) -> NDArray[np.float32]:
        """Return ones and zeros, shape (bins, channels)."""
        assert isinstance(item, Sound)
        if not item.samples.any():
            raise ValueError("it is silent, and the cochlea scales sounds to one loudness")
        if item.rate_hz < 2 * cochlea.HIGHEST_HZ:
            raise ValueError(f"it has {item.rate_hz} Hz, and the cochlea needs {2 * cochlea.HIGHEST_HZ:.0f} Hz or more")
        return cochlea.spike_train(item.samples, item.rate_hz)


FIELDS = Cochlea
