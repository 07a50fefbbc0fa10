"""Values as they are; of a sound, so many samples a step."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.description import PositiveInt
from deltatrain.workloads.data.found import Item, Kind, Sound
from deltatrain.workloads.data.front_ends import FrontEnd


class Raw(FrontEnd):
    """Values as they are.

    Attributes
    ----------
    samples
        Of a sound: how many make a step; what is left at the end is dropped.
    """

    ACCEPTS: ClassVar[tuple[Kind, ...]] = ("values", "sound")

    name: Literal["raw"] = "raw"
    samples: PositiveInt = 1

    def features(self, item: Item) -> NDArray[np.float32]:
        """Return the values, or the samples in rows."""
        if not isinstance(item, Sound):
            return np.asarray(item, np.float32)
        steps = len(item.samples) // self.samples
        return item.samples[: steps * self.samples].reshape(steps, self.samples).astype(np.float32)


FIELDS = Raw
