"""Weight gradient: dW[:, j] += g(M) * delta_j, on words of dW that come and go back."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.engine import Engine
from deltatrain.rtl.lanes.modes import Inputs
from deltatrain.rtl.parts.layouts import word
from deltatrain.rtl.parts.number import fit

__all__ = ["Outer", "factors"]


def factors(inputs: Inputs) -> tuple[Value, Value]:
    """Return delta and gradient."""
    return inputs.delta, inputs.gradient


class Outer(Component):
    """The adders of stage 3, combinational.

    A list names a column only once, so an op never reads a word that it wrote, and nothing has to be forwarded.

    Parameters
    ----------
    engine
        Lanes and formats.
    product_bits
        Width of a product.

    Attributes
    ----------
    weight_gradients : In(word)
        The word of dW.
    products : In(signed(product_bits)).array(P)
        What to add.
    active : In(1)
        Whether there are words; else nothing is added.
    result : Out(word)
        The word after the op; zeros if there is none.
    """

    def __init__(self, *, engine: Engine, product_bits: int) -> None:
        self._formats = engine.formats
        self._lanes = engine.lanes
        shape = word(engine.formats.weight_gradient_bits, engine.lanes)
        super().__init__(
            {
                "weight_gradients": In(shape),
                "products": In(signed(product_bits)).array(engine.lanes),
                "active": In(1),
                "result": Out(shape),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Add and fit in every lane."""
        m = Module()
        formats = self._formats
        bits = formats.gradient.bits + formats.activation.bits
        for lane in range(self._lanes):
            total = Signal(signed(formats.weight_gradient_bits + 1), name=f"total_{lane}")
            with m.If(self.active):
                m.d.comb += [
                    total.eq(self.weight_gradients[lane] + self.products[lane][:bits].as_signed()),
                    self.result[lane].eq(fit(total, formats.weight_gradient)),
                ]
        return m
