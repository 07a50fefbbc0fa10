"""Family: front ends, one file each, from a sequence as it stands to feature vectors; `FrontEnd` has their fields."""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.description import Description
from deltatrain.accel.family import ModuleFamily
from deltatrain.workloads.data.found import Item, Kind


class FrontEnd(Description):
    """The fields of a front end, and what it makes of a sequence.

    Attributes
    ----------
    ACCEPTS
        What it can be given.
    SPIKES
        Whether it makes nothing but zeros and ones.
    name
        The member's name.
    """

    ACCEPTS: ClassVar[tuple[Kind, ...]]
    SPIKES: ClassVar[bool] = False

    name: str

    def features(self, item: Item) -> NDArray[np.float32]:
        """Return the feature vectors of a sequence of a kind that it accepts, shape (steps, features), float32.

        Raises
        ------
        ValueError
            In one clause, if the sequence does not suit the fields.
        """
        raise NotImplementedError


class FrontEndModule(Protocol):
    """A front end.

    Attributes
    ----------
    FIELDS
        Its fields, all of which have defaults.
    """

    FIELDS: type[FrontEnd]


FRONT_ENDS = ModuleFamily[FrontEndModule]("deltatrain.workloads.data.front_ends", "front end", FrontEndModule)


def default(name: str) -> FrontEnd:
    """Return the member called `name` with the defaults of its fields."""
    return FRONT_ENDS.load(name).FIELDS.from_table({"name": name})
