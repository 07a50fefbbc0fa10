"""Weight update: W -= learning rate * dW, on words of both that come and go back, dW cleared."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.engine import Engine
from deltatrain.rtl.lanes.modes import Inputs
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.layouts import word
from deltatrain.rtl.parts.number import fit, move_point

__all__ = ["Update", "factors"]


def factors(inputs: Inputs) -> tuple[Value, Value]:
    """Return weight gradient and learning rate."""
    return inputs.weight_gradient, inputs.learning_rate


class Update(Component):
    """Stage 3 rounds the step, stage 4 subtracts it and fits.

    Parameters
    ----------
    engine
        Lanes and formats.
    product_bits
        Width of a product.

    Attributes
    ----------
    weights : In(word)
        The word of W in stage 3.
    products : In(signed(product_bits)).array(P)
        Learning rate times the word of dW in stage 3.
    active : In(1)
        Whether there are words in stage 3; else nothing is rounded.
    result : Out(word)
        The word of W after the op, in stage 4.
    """

    def __init__(self, *, engine: Engine, product_bits: int) -> None:
        self._formats = engine.formats
        self._lanes = engine.lanes
        shape = word(engine.formats.weight.bits, engine.lanes)
        super().__init__(
            {
                "weights": In(shape),
                "products": In(signed(product_bits)).array(engine.lanes),
                "active": In(1),
                "result": Out(shape),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Round, subtract and fit in every lane."""
        m = Module()
        formats = self._formats
        bits = formats.learning_rate.bits + formats.weight_gradient_bits
        product_fraction_bits = formats.learning_rate.fraction_bits + formats.weight_gradient.fraction_bits
        weights, active = delayed(m, self.weights, 1), delayed(m, self.active, 1)
        for lane in range(self._lanes):
            product = self.products[lane][:bits].as_signed()
            rounded = move_point(product, product_fraction_bits, formats.weight.fraction_bits)
            step = Signal(rounded.shape(), name=f"step_{lane}")
            with m.If(self.active):
                m.d.sync += step.eq(rounded)
            total = Signal((weights[lane] - step).shape(), name=f"total_{lane}")
            with m.If(active):
                m.d.comb += [total.eq(weights[lane] - step), self.result[lane].eq(fit(total, formats.weight))]
        return m
