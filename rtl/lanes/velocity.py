"""What an update with momentum keeps in dW: a share of the velocity, on words that come and go back."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.engine import Engine
from deltatrain.rtl.parts.layouts import word
from deltatrain.rtl.parts.number import fit, move_point

__all__ = ["Velocity"]


class Velocity(Component):
    """The second multiplier of each lane, and what rounds its products.

    Stages as in `rtl.lanes.unit`: it multiplies in stage 2, as the lane does, and rounds and fits in stage 3, so
    that dW goes back in the cycle in which it would be cleared.

    Parameters
    ----------
    engine
        Lanes and formats.

    Attributes
    ----------
    weight_gradients : In(signed(...)).array(P)
        The word of dW in stage 2.
    momentum : In(signed(...))
        In ``formats.learning_rate``; steady during an update.
    active : In(1)
        Whether the word in stage 3 is one of an update; else nothing is rounded.
    result : Out(word)
        The word of dW after the op, in stage 3; zeros if there is none.
    """

    def __init__(self, *, engine: Engine) -> None:
        formats = engine.formats
        self._formats, self._lanes = formats, engine.lanes
        super().__init__(
            {
                "weight_gradients": In(signed(formats.weight_gradient_bits)).array(engine.lanes),
                "momentum": In(signed(formats.learning_rate.bits)),
                "active": In(1),
                "result": Out(word(formats.weight_gradient_bits, engine.lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Multiply, round and fit in every lane."""
        m = Module()
        number, rate = self._formats.weight_gradient, self._formats.learning_rate
        for lane in range(self._lanes):
            product = Signal(signed(number.bits + rate.bits), name=f"kept_product_{lane}")
            m.d.sync += product.eq(self.weight_gradients[lane] * self.momentum)
            moved = move_point(product, rate.fraction_bits + number.fraction_bits, number.fraction_bits)
            rounded = Signal(moved.shape(), name=f"kept_{lane}")
            with m.If(self.active):
                m.d.comb += [rounded.eq(moved), self.result[lane].eq(fit(rounded, number))]
        return m
