"""Lists of spikes that have a cap: how much room there is, and where the gates note what is left of it."""

from __future__ import annotations

from typing import NamedTuple

from deltatrain.accel.errors import refuse
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.rtl.limits import neuron_limits
from deltatrain.workloads.lowering.shape import Shape

__all__ = ["CappedLists"]


class CappedLists(NamedTuple):
    """The lists of a network whose neurons have a cap.

    Attributes
    ----------
    most
        Neurons of each layer that a step lists at most.
    steps
        Of the longest sample.
    """

    most: list[int]
    steps: int

    @classmethod
    def of(cls, shape: Shape, steps: int, tiles: int) -> CappedLists | None:
        """Return the lists of a network of this shape; None without a cap.

        Raises
        ------
        ConfigError
            If gates of so many tiles know no such cap.
        """
        neuron: LeakyNeuron | None = getattr(shape.arithmetic, "NEURON", None)
        refuse(neuron_limits(neuron, tiles))
        if neuron is None or neuron.listed_share == 1:
            return None
        return cls([neuron.listed_most(width) for width in shape.hidden], steps)

    @property
    def rows(self) -> int:
        """Rows of the table of what room spikes left (`rtl.elementwise.listed_cap`)."""
        return len(self.most) * self.steps

    def row(self, layer: int, step: int) -> int:
        """Return the row of a step of a layer."""
        return layer * self.steps + step
