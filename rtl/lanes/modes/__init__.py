"""Family: one file for the hardware of each engine mode; arithmetic and cycle laws are in `accel.modes`.

Every member has

``factors(inputs)``
    the two values that a lane multiplies, from `rtl.lanes.modes.Inputs`;
a component
    named like its file, which makes the results from the products.
"""

from typing import NamedTuple

from amaranth.hdl import Value

from deltatrain.accel.family import ModuleFamily

__all__ = ["LANE_MODES", "Inputs"]

LANE_MODES = ModuleFamily("deltatrain.rtl.lanes.modes", "mode of the lanes")


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
