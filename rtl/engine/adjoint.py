"""The adjoint of the delta encoder in hardware; it equals `accel.modes.encode.adjoint`."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.engine.scatter import ScatterMemory
from deltatrain.rtl.parts.arguments import check_at_least, check_power_of_two
from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry, word
from deltatrain.rtl.parts.number import fit

__all__ = ["LATENCY_CYCLES", "AdjointOp", "DeltaAdjoint"]

LATENCY_CYCLES = 3
"""From the cycle in which a result is taken to the first in which its word of g(x) can be asked for."""


class AdjointOp(data.StructLayout):
    """The results of one `matvec_t`.

    Parameters
    ----------
    depth
        Words of the memory of g(x-hat), and of that of g(x).

    Members
    -------
    held : unsigned
        Word of the first g(x-hat) of the vector.
    value : unsigned
        Word of the first g(x).
    clear_words : range(depth + 1)
        Words of g(x-hat), from `held` on, that are cleared before the results: the whole vector for the last time step
        of a sample, because g(x-hat) is zero after it; else none.
    count : unsigned(INDEX_BITS)
        Results that come: the length of the list.
    direct : unsigned(1)
        Whether the vector was never encoded, so that g(x_j) = s and there is no g(x-hat).
    """

    def __init__(self, depth: int) -> None:
        address = unsigned(ceil_log2(depth))
        counted = {"clear_words": range(depth + 1), "count": unsigned(INDEX_BITS)}
        super().__init__({"held": address, "value": address, **counted, "direct": 1})


class DeltaAdjoint(wiring.Component):
    """Turns s, the gradients of fired deltas, into the gradients of the vector, and keeps those of its held copy.

    For each result (j, s): g(x_j) = g(x-hat_j) + s, then g(x-hat_j) = -s. Where a vector was never encoded, only
    g(x_j) = s. An op takes clear_words + count cycles, at least one, if its results are there. The next op may follow
    in the next cycle, on any vector. A result waits only while words are cleared, or while there is no op.

    Elements that did not fire need no cycle to become zero, because `ScatterMemory` gives every element once. So each
    g(x) must be read whole, once, before the next op writes a vector there. The order of ops ensures that.

    Parameters
    ----------
    lanes
        P, elements of a word, a power of two.
    gradient
        Format of the gradients and of the results.
    depth
        Words of each of the two memories.

    Members
    -------
    ops : In(stream.Signature(AdjointOp(depth)))
        Where the results belong; taken with the last of them.
    results : In(stream.Signature(Entry(gradient.bits)))
        Column and gradient, no column twice in an op.
    done : Out(1)
        High for one cycle for each op, `LATENCY_CYCLES` after its last cycle: its g(x) can be read from now on.
    addresses : In(stream.Signature(unsigned))
        Words of g(x) to read.
    words : Out(stream.Signature(word(gradient.bits, lanes)))
        The words read, zero where nothing was written since they were read before.

    Notes
    -----
    A result through the pipeline:

    ====== ===========================================================================================
    cycle  stage
    ====== ===========================================================================================
    0      take: g(x-hat_j) is read, and -s written over it in the same cycle; the memory gives the old
    1      fetch: the memory answers; the lane is chosen
    2      add: g(x-hat_j) + s is fitted and written to g(x)
    3      g(x) can be asked for
    ====== ===========================================================================================

    The new g(x-hat_j) does not depend on the old, so results of the same column may follow each other in any cycles.
    """

    def __init__(self, *, lanes: int, gradient: NumberFormat, depth: int) -> None:
        check_power_of_two("lanes", lanes)
        check_at_least("depth", depth, 2)
        self._lanes, self._gradient, self._depth = lanes, gradient, depth
        super().__init__(
            {
                "ops": In(stream.Signature(AdjointOp(depth))),
                "results": In(stream.Signature(Entry(gradient.bits))),
                "done": Out(1),
                "addresses": In(stream.Signature(unsigned(ceil_log2(depth)))),
                "words": Out(stream.Signature(word(gradient.bits, lanes))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        bits, lane_bits = self._gradient.bits, ceil_log2(self._lanes)
        m.submodules.held = memory = Memory(shape=word(bits, self._lanes), depth=self._depth, init=[])
        read, write = memory.read_port(), memory.write_port(granularity=1)
        m.submodules.scatter = scatter = ScatterMemory(lanes=self._lanes, value_bits=bits, depth=self._depth)
        wiring.connect(m, wiring.flipped(self.addresses), scatter.addresses)
        wiring.connect(m, scatter.words, wiring.flipped(self.words))

        op, result = self.ops.payload, self.results.payload
        cleared, clears, takes, ends = self._sequence(m)
        lane, chunk = result.index[:lane_bits], result.index[lane_bits:]
        minus = Signal(signed(bits))
        m.d.comb += [
            minus.eq(fit(-result.value, self._gradient)),
            read.en.eq(takes),
            read.addr.eq(op.held + chunk),
            write.addr.eq(op.held + Mux(clears, cleared, chunk)),
            *(write.en[k].eq(clears | (takes & ~op.direct & (lane == k))) for k in range(self._lanes)),
            *(write.data[k].eq(Mux(clears, 0, minus)) for k in range(self._lanes)),
        ]

        place, fetched_s, fetched_last = Signal.like(scatter.place), Signal(signed(bits)), Signal()
        direct = Signal()
        g_held, s, last = Signal(signed(bits)), Signal(signed(bits)), Signal()
        m.d.sync += [
            place.valid.eq(takes),
            place.address.eq(op.value + chunk),
            place.lane.eq(lane),
            fetched_s.eq(result.value),
            fetched_last.eq(ends),
            direct.eq(op.direct),
            g_held.eq(Mux(direct, 0, read.data[place.lane])),
            s.eq(fetched_s),
            last.eq(fetched_last),
            self.done.eq(last),
        ]
        m.d.comb += [scatter.place.eq(place), scatter.value.eq(fit(g_held + s, self._gradient))]
        return m

    def _sequence(self, m: Module) -> tuple[Value, Value, Value, Value]:
        """Describe the op in front; return how many words it has cleared, and what it does: clear, take, end."""
        op = self.ops.payload
        # Each number and the one after it are in registers, so that no comparison waits for an adder. None is more than
        # the memory has words, or elements and a bias.
        cleared, cleared_after = (Signal(range(self._depth + 1), init=first) for first in (0, 1))
        received, received_after = (Signal(range(self._depth * self._lanes + 2), init=first) for first in (0, 1))
        count = op.count[: len(received)]
        clears, takes, ends = Signal(), Signal(), Signal()
        none_to_clear, last_to_clear, none_to_take, last_to_take = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            none_to_clear.eq(cleared == op.clear_words),
            last_to_clear.eq(cleared_after == op.clear_words),
            none_to_take.eq(received == count),
            last_to_take.eq(received_after == count),
            clears.eq(self.ops.valid & ~none_to_clear),
            self.results.ready.eq(self.ops.valid & none_to_clear & ~none_to_take),
            takes.eq(self.results.valid & self.results.ready),
            # Whatever the cycle does, nothing is left after it.
            ends.eq((self.ops.valid & none_to_take & (none_to_clear | last_to_clear)) | (takes & last_to_take)),
            self.ops.ready.eq(ends),
        ]
        for number, after, counts in ((cleared, cleared_after, clears), (received, received_after, takes)):
            with m.If(ends):
                m.d.sync += [number.eq(0), after.eq(1)]
            with m.Elif(counts):
                m.d.sync += [number.eq(after), after.eq(after + 1)]
        return cleared, clears, takes, ends
