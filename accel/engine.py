"""The engine of a tile as data: lanes, widths of the units beside them, number formats."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from deltatrain.accel.description import Delay, Description, Hertz, PositiveInt, Width
from deltatrain.accel.number import NumberFormat

PS_PER_SECOND = 10**12
_WIDEST_ACCUMULATOR_BITS = 48  # int64 then holds a sum of 2**15 of them
_WIDEST_OPERAND_BITS = 28  # int64 then holds products of any two, and sums of 2**7 of them


class Formats(Description):
    """The number formats of the engine's values.

    Products are exact, so the two accumulators have no fraction of their own: theirs is the sum of the factors'.

    Attributes
    ----------
    weight
        W, and W after the update.
    activation
        x, h, their held copies x-hat and h-hat, and the deltas.
    gate
        Outputs of sigmoid and tanh, in -1..1.
    state
        The LSTM's cell state c.
    gradient
        g(h), g(c), g(M), g(x-hat), g(h-hat) and the results of `matvec_t`.
    memory_bits, memory_overflow
        Width and overflow of the delta memory M and of the running sum of `matvec_t`. Wrapping lets M run backwards
        exactly.
    weight_gradient_bits, weight_gradient_overflow
        Width and overflow of dW, the accumulator of `outer`.
    learning_rate
        The step size of the weight update.
    """

    weight: NumberFormat
    activation: NumberFormat
    gate: NumberFormat
    state: NumberFormat
    gradient: NumberFormat
    memory_bits: PositiveInt
    memory_overflow: Literal["saturate", "wrap"] = "wrap"
    weight_gradient_bits: PositiveInt
    weight_gradient_overflow: Literal["saturate", "wrap"] = "saturate"
    learning_rate: NumberFormat

    def __repr__(self) -> str:
        formats = ((name, value) for name, value in self if isinstance(value, NumberFormat))
        told = [f"{name} {value.bits} ({value.fraction_bits})" for name, value in formats]
        accumulators = f"M {self.memory_bits} {self.memory_overflow}s"
        accumulators += f", dW {self.weight_gradient_bits} {self.weight_gradient_overflow}s"
        return f"bits (of fraction): {', '.join(told)}; {accumulators}"

    __str__ = __repr__

    @property
    def memory(self) -> NumberFormat:
        """The delta memory M: exact products of weight and activation."""
        fraction = self.weight.fraction_bits + self.activation.fraction_bits
        return NumberFormat(bits=self.memory_bits, fraction_bits=fraction, overflow=self.memory_overflow)

    @property
    def backward_sum(self) -> NumberFormat:
        """The running sum of `matvec_t`: exact products of weight and gradient."""
        fraction = self.weight.fraction_bits + self.gradient.fraction_bits
        return NumberFormat(bits=self.memory_bits, fraction_bits=fraction, overflow=self.memory_overflow)

    @property
    def weight_gradient(self) -> NumberFormat:
        """The accumulator dW: exact products of gradient and activation."""
        fraction = self.gradient.fraction_bits + self.activation.fraction_bits
        overflow = self.weight_gradient_overflow
        return NumberFormat(bits=self.weight_gradient_bits, fraction_bits=fraction, overflow=overflow)

    @model_validator(mode="after")
    def _accumulators_hold_a_product(self) -> Formats:
        for name, bits, product_bits in (
            ("memory_bits", self.memory_bits, self.weight.bits + max(self.activation.bits, self.gradient.bits)),
            ("weight_gradient_bits", self.weight_gradient_bits, self.gradient.bits + self.activation.bits),
        ):
            if not product_bits <= bits <= _WIDEST_ACCUMULATOR_BITS:
                widest = _WIDEST_ACCUMULATOR_BITS
                raise ValueError(f"{name} must be {product_bits} (one product) to {widest}, not {bits}")
        return self

    @model_validator(mode="after")
    def _int64_holds_every_product(self) -> Formats:
        for name in ("weight", "activation", "gate", "state", "gradient"):
            bits = getattr(self, name).bits
            if bits > _WIDEST_OPERAND_BITS:
                raise ValueError(f"{name}.bits must be at most {_WIDEST_OPERAND_BITS}, not {bits}")
        # The step of an update, as fine as the product or as the weight.
        fraction = self.learning_rate.fraction_bits + self.weight_gradient.fraction_bits
        finer = max(0, self.weight.fraction_bits - fraction)
        most = 64 - self.weight_gradient_bits - finer
        if self.learning_rate.bits > most:
            raise ValueError(
                f"learning_rate.bits must be at most {most} beside weight_gradient_bits = {self.weight_gradient_bits}"
                + (f" and {finer} further fraction bits of weight" if finer else "")
                + f", not {self.learning_rate.bits}"
            )
        return self


class MachineNumbers(Description):
    """What an engine's integers depend on, whatever it costs to compute them.

    Attributes
    ----------
    formats
        Of the engine.
    lanes
        Of the engine where the running sum of `matvec_t` saturates, since they give its order; else 1.
    """

    formats: Formats
    lanes: Width = 1

    @model_validator(mode="after")
    def _no_order_where_sums_wrap(self) -> MachineNumbers:
        if self.lanes != 1 and self.formats.memory_overflow == "wrap":
            raise ValueError(f"lanes must be 1, not {self.lanes}: where memory_overflow is 'wrap', no order matters")
        return self


class Engine(Description):
    """One tile's compute: multiply-accumulate lanes, a delta encoder and an element-wise unit.

    Attributes
    ----------
    clock_hz
        The clock. Its period is a ratio (10**12 / clock_hz picoseconds), never rounded.
    lanes
        P, multiply-accumulate lanes of an array. Row r of a matrix lives in lane r mod P.
    arrays
        A, arrays of P lanes. They take A fired columns at a time; column j is one of array j mod A (`accel.arrays`).
    outer_steps
        Steps of a sample whose weight gradients are one op, so that a column of dW is read and written once for all of
        them. Lists and delta gradients of the steps are kept until then, as part of the tape. 1: each step by itself.
    encoder_elements
        S, elements that the delta encoder looks at in one cycle.
    elementwise_lanes
        Neurons that the element-wise unit works on at once, two multipliers and two table ports each.
    formats
        Number formats of everything it computes with.
    in_turn
        Whether a layer waits until the layer and the step before it are done, as in EdgeDRNN. Otherwise layers run
        skewed, each beside the step that the one below it does next.
    list_streams
        Whether, on a machine that works in turn, lanes take a column as soon as it is listed, as in EdgeDRNN. Otherwise
        they wait until the list is whole.
    neuron_cycles
        Cycles for which a neuron's cell holds its lane of the element-wise unit forward. If left out, what the cell's
        arithmetic needs (`accel.modes.cell_forward.neuron_slots`).
    layer_cycles
        Cycles from when the element-wise unit has begun a layer's last neurons until the layer is done: its pipeline,
        and whatever else a machine loses with every layer. If left out, the depth of the gates' pipeline
        (`accel.modes.cell_forward.drain_cycles`).
    """

    clock_hz: Hertz
    lanes: Width
    arrays: Width = Field(default=1, exclude_if=lambda arrays: arrays == 1)
    outer_steps: Width = Field(default=1, exclude_if=lambda steps: steps == 1)
    encoder_elements: Width
    elementwise_lanes: Width
    formats: Formats
    in_turn: bool = False
    list_streams: bool = False
    neuron_cycles: Annotated[Delay, Field(gt=0)] | None = None
    layer_cycles: Delay | None = None

    @model_validator(mode="after")
    def _lists_stream_in_turn(self) -> Engine:
        if self.list_streams and not self.in_turn:
            raise ValueError("list_streams must be false unless in_turn is true")
        return self

    @model_validator(mode="after")
    def _arrays_add_in_any_order(self) -> Engine:
        if self.arrays > 1 and self.formats.memory_overflow != "wrap":
            raise ValueError(
                f"arrays must be 1, not {self.arrays}, unless formats.memory_overflow is 'wrap': what saturates "
                "depends on the order in which columns are added"
            )
        if self.arrays > 1 and self.list_streams:
            raise ValueError(
                f"arrays must be 1, not {self.arrays}, where list_streams is true: a list is dealt out whole"
            )
        return self

    @model_validator(mode="after")
    def _groups_of_one_array_run_skewed(self) -> Engine:
        if self.outer_steps > 1 and self.arrays > 1:
            raise ValueError(f"outer_steps must be 1, not {self.outer_steps}, beside arrays above 1")
        if self.outer_steps > 1 and self.in_turn:
            raise ValueError(f"outer_steps must be 1, not {self.outer_steps}, where in_turn is true")
        return self

    @property
    def numbers(self) -> MachineNumbers:
        """What its integers depend on."""
        return MachineNumbers(
            formats=self.formats, lanes=self.lanes if self.formats.memory_overflow == "saturate" else 1
        )

    def begin_ps(self, cycle: int) -> int:
        """Return the first whole picosecond that lies in a cycle, for files whose unit of time that is."""
        return -(-cycle * PS_PER_SECOND // self.clock_hz)

    def cycles_of(self, time_ps: int) -> int:
        """Return how many cycles picoseconds take, the last of them begun or whole."""
        return -(-time_ps * self.clock_hz // PS_PER_SECOND)
