"""Family: one file for the hardware of each engine mode; arithmetic and cycle laws are in `accel.modes`.

`LaneMode` says what every member has; the component that makes the results from the products is named like its file.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from amaranth.hdl import Value

from deltatrain.accel.family import ModuleFamily

__all__ = ["LANE_MODES", "Inputs", "LaneMode"]


class Inputs(NamedTuple):
    """The values that one lane has for a word.

    Attributes
    ----------
    weight, weight_gradient
        Its entry of the words of W and of dW.
    gradient
        Its entry of g(M).
    delta
        Of the column.
    learning_rate
        Of the training step.
    """

    weight: Value
    weight_gradient: Value
    gradient: Value
    delta: Value
    learning_rate: Value


class LaneMode(Protocol):
    """What a lane does in one engine mode."""

    def factors(self, inputs: Inputs) -> tuple[Value, Value]:
        """Return the two values that it multiplies."""


LANE_MODES = ModuleFamily[LaneMode]("deltatrain.rtl.lanes.modes", "mode of the lanes", LaneMode)
