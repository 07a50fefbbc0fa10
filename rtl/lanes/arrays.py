"""Several arrays of lanes that take different columns in step; M and g(M) are inside, one for all of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.rtl.lanes.adder_tree import AdderTree, levels
from deltatrain.rtl.lanes.issue import Issue
from deltatrain.rtl.lanes.modes.matvec import Matvec
from deltatrain.rtl.lanes.op import BANKS, Mode, Underway
from deltatrain.rtl.lanes.unit import Lanes
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["ArrayLanes", "LaneArray"]

_OUTLETS = 3


class LaneArray(Lanes):
    """The lanes of one array, behind the stage that issues words: multipliers, and what makes results of products.

    Parameters
    ----------
    engine
        Lanes and formats.
    accumulator_words, keeps_velocity
        As of `rtl.lanes.unit.Lanes`.

    Attributes
    ----------
    o, o_delta, o_weights, o_gradients : In(...)
        The array's own word in stage 1, as in `rtl.lanes.issue.Issue`; ``op_ends`` tells the array's last word.
    held : In(signed(formats.gradient.bits)).array(P)
        Each lane's g(M) in stage 1.
    learning_rate, momentum, results, new_weights, new_weight_gradients
        As of `rtl.lanes.unit.Lanes`.
    result_free, weights_free, gradients_free : Out(1), reserve_result, reserve_weights, reserve_gradients : In(1)
        As of `rtl.lanes.issue.Issue`, from the other side.
    products : Out(signed).array(P)
        Of the word in stage 3.
    last_taken : Out(3)
        Whether the op's last gradient, word of W, word of dW is taken.
    """

    def _members(self) -> dict[str, Any]:
        """Return the ports."""
        formats, lanes = self._engine.formats, self._engine.lanes
        kept = ("learning_rate", "momentum", "results", "new_weights", "new_weight_gradients")
        free = ("result_free", "weights_free", "gradients_free")
        reserve = ("reserve_result", "reserve_weights", "reserve_gradients")
        return {
            **{name: member for name, member in super()._members().items() if name in kept},
            "o": In(Underway(self._accumulator_words)),
            "o_delta": In(signed(formats.activation.bits)),
            "o_weights": In(self._weights),
            "o_gradients": In(self._weight_gradients),
            "held": In(signed(formats.gradient.bits)).array(lanes),
            **{name: Out(1) for name in free},
            **{name: In(1) for name in reserve},
            "products": Out(signed(sum(self._factor_bits))).array(lanes),
            "last_taken": Out(_OUTLETS),
        }

    def elaborate(self, platform: object) -> Module:
        """Connect the multipliers with the modes behind them."""
        m = Module()
        issue: Any = self
        products = self._multiply(m, issue, list(self.held))
        word_3 = delayed(m, self.o, 2)
        makers = (self._reduce, self._write_weights, self._write_gradients)
        queues = [make(m, issue, word_3, products) for make in makers]
        m.d.comb += [
            *(port.eq(product) for port, product in zip(self.products, products, strict=True)),
            self.last_taken.eq(Cat(queue.last_taken for queue in queues)),
        ]
        return m


class ArrayLanes(Lanes):
    """A arrays of P lanes, which take a column each in a turn; a word of all of them is issued at once.

    A word takes the way of `rtl.lanes.unit.Lanes`, but for `matvec`. With T levels of the tree over the arrays:

        stage   the first array     the others
        3       product             add to the array's own sum of the word, from nothing in the first turn
        4       the tree begins: the product of the first, and in the last turn the sums of the others
        4 + T   add to M
        5 + T   M is written

    Parameters
    ----------
    engine, accumulator_words, gate_lanes, mixed_lanes, keeps_velocity
        As of `rtl.lanes.unit.Lanes`.
    sum_words
        Most words of a column.

    Attributes
    ----------
    counts : In(ArrayLayout)
        Columns of each array in the op that is offered; the most of them are the op's ``count``.
    entries, weights, weight_gradients, results, new_weights, new_weight_gradients
        As of `rtl.lanes.unit.Lanes`, for each array.
    ops, learning_rate, momentum, issues, soon, done, memory, gradient, new_gradient
        As of `rtl.lanes.unit.Lanes`.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        accumulator_words: int,
        sum_words: int,
        gate_lanes: int = 0,
        mixed_lanes: int = 0,
        keeps_velocity: bool = False,
    ) -> None:
        of_each: dict[str, Any] = {
            "engine": engine,
            "accumulator_words": accumulator_words,
            "keeps_velocity": keeps_velocity,
        }
        super().__init__(**of_each, gate_lanes=gate_lanes, mixed_lanes=mixed_lanes)
        self._term_bits, self._sum_words = engine.formats.memory_bits, sum_words
        self._arrays = [LaneArray(**of_each) for _ in range(engine.arrays)]

    def _members(self) -> dict[str, Any]:
        """Return the ports."""
        arrays, members = self._engine.arrays, super()._members()
        for name in ("entries", "weights", "weight_gradients", "results", "new_weights", "new_weight_gradients"):
            members[name] = members[name].array(arrays)
        return members | {"counts": In(data.ArrayLayout(INDEX_BITS + 1, arrays))}

    def elaborate(self, platform: object) -> Module:
        """Issue words to all arrays; add up their sums; complete ops when all have handed out what they made."""
        m = Module()
        m.submodules.issue = issue = Issue(
            engine=self._engine,
            accumulator_words=self._accumulator_words,
            mixed_lanes=self._mixed_lanes,
            tells_turn=True,
        )
        connect(m, flipped(self.ops), issue.ops)
        m.d.comb += self.issues.eq(issue.issues)
        for number, array in enumerate(self._arrays):
            m.submodules[f"array_{number}"] = array
        active = [Signal(name=f"active_{number}") for number in range(len(self._arrays))]
        m.d.comb += [one.eq(issue.turn < self.counts[number]) for number, one in enumerate(active)]
        self._join(m, issue, active)
        self._hand_in(m, issue, active, self._held_gradients(m, issue))
        self._add_up(m, issue)
        self._complete_all(m, issue)
        return m

    def _join(self, m: Module, issue: Issue, active: list[Signal]) -> None:
        """Let a word be issued when all arrays that have one have what it takes, and room for what it makes."""
        for name, inside in (
            ("entries", issue.entries),
            ("weights", issue.weights),
            ("weight_gradients", issue.gradients),
        ):
            ports = getattr(self, name)
            m.d.comb += inside.valid.eq(_all(port.valid | ~one for port, one in zip(ports, active, strict=True)))
            m.d.comb += [port.ready.eq(inside.ready & one) for port, one in zip(ports, active, strict=True)]
        for what in ("result", "weights", "gradients"):
            free = (getattr(array, f"{what}_free") | ~one for array, one in zip(self._arrays, active, strict=True))
            m.d.comb += getattr(issue, f"{what}_free").eq(_all(free))
            for array, one in zip(self._arrays, active, strict=True):
                m.d.comb += getattr(array, f"reserve_{what}").eq(getattr(issue, f"reserve_{what}") & one)

    def _hand_in(self, m: Module, issue: Issue, active: list[Signal], held: list[Value]) -> None:
        """Give each array its own word in stage 1."""
        for number, (array, one) in enumerate(zip(self._arrays, active, strict=True)):
            is_active, is_last = Signal(name=f"is_active_{number}"), Signal(name=f"is_last_{number}")
            index = Signal(INDEX_BITS, name=f"index_{number}")
            m.d.sync += [
                is_active.eq(one),
                is_last.eq(issue.next_turn == self.counts[number]),
                index.eq(self.entries[number].payload.index),
                array.o_delta.eq(self.entries[number].payload.value),
                array.o_weights.eq(self.weights[number].payload),
                array.o_gradients.eq(self.weight_gradients[number].payload),
            ]
            of_all = ("mode", "column_begins", "column_ends", "source", "target", "from_zero")
            m.d.comb += [
                *(array.o[name].eq(issue.o[name]) for name in of_all),
                array.o.work.eq(issue.o.work & is_active),
                array.o.op_ends.eq(issue.o.column_ends & is_last),
                array.o.index.eq(index),
                array.learning_rate.eq(self.learning_rate),
                *([array.momentum.eq(self.momentum)] if self._keeps_velocity else []),
                *(port.eq(value) for port, value in zip(array.held, held, strict=True)),
            ]
            for name in ("results", "new_weights", "new_weight_gradients"):
                connect(m, getattr(array, name), flipped(getattr(self, name)[number]))

    def _add_up(self, m: Module, issue: Issue) -> None:
        """Let the first array add to M, and the others to sums of their own, which are added to M in the last turn."""
        bits = self._engine.formats.weight.bits + self._engine.formats.activation.bits
        first_turn, last_turn = Signal(), Signal()  # of the word in stage 1
        m.d.sync += [first_turn.eq(issue.turn == 0), last_turn.eq(issue.next_turn == issue.ops.payload.count)]
        adds_4 = delayed(m, self._adds(m, issue), 3)
        last_4 = delayed(m, last_turn, 3)
        products = [self._own_products(m, number, bits) for number in range(len(self._arrays))]
        sums = [self._sums(m, issue, first_turn, number, products[number]) for number in range(1, len(products))]
        to_M: list[Signal] = []
        for lane in range(self._engine.lanes):
            tree = AdderTree(bits=self._engine.formats.memory_bits, terms=len(self._arrays), tag=1)
            m.submodules[f"sum_{lane}"] = tree
            m.d.comb += [
                tree.active.eq(adds_4),
                tree.terms[0].eq(delayed(m, products[0][lane], 1)),
                *(tree.terms[number].eq(Mux(last_4, one[lane], 0)) for number, one in enumerate(sums, start=1)),
            ]
            to_M.append(tree.sum)
        later: Any = SimpleNamespace(o=delayed(m, issue.o, 1 + levels(len(self._arrays))))
        self._accumulate(m, later, to_M)

    def _adds(self, m: Module, issue: Issue) -> Signal:
        """Return whether the word in stage 1 is added to M."""
        adds = Signal(name="adds")
        m.d.comb += adds.eq(issue.o.work & (issue.o.mode == Mode.MATVEC))
        return adds

    def _own_products(self, m: Module, number: int, bits: int) -> list[Signal]:
        """Return an array's products in stage 3, of weight and activation; zeros where it has no column."""
        array = self._arrays[number]
        is_active, products = delayed(m, array.o.work, 2), []
        for lane, value in enumerate(array.products):
            product = Signal(signed(bits), name=f"product_{number}_{lane}")
            m.d.comb += product.eq(Mux(is_active, value[:bits].as_signed(), 0))
            products.append(product)
        return products

    def _sums(self, m: Module, issue: Issue, first_turn: Signal, number: int, products: list[Signal]) -> list[Signal]:
        """Return an array's own sums of the word in stage 4."""
        formats = self._engine.formats
        sums = Matvec(
            formats=formats,
            lanes=self._engine.lanes,
            accumulator_words=self._sum_words,
            product_bits=len(products[0]),
            hands_on=True,
        )
        m.submodules[f"sums_{number}"] = sums
        place, running = Signal(range(self._sum_words), name=f"place_{number}"), Signal(range(self._sum_words + 1))
        m.d.comb += place.eq(Mux(issue.o.column_begins, 0, running))
        with m.If(issue.o.work):
            m.d.sync += running.eq(place + 1)
        m.d.comb += [
            sums.word.mode.eq(issue.o.mode),
            sums.word.work.eq(issue.o.work),
            sums.word.source.eq(place * BANKS),
            sums.word.target.eq(place * BANKS),
            sums.word.from_zero.eq(first_turn),
            *(port.eq(product) for port, product in zip(sums.products, products, strict=True)),
        ]
        return list(sums.sums)

    def _complete_all(self, m: Module, issue: Issue) -> None:
        """Let the end of an op follow its last word, and wait until each array's last s, W and dW are taken."""
        has = [Signal(name=f"has_{number}") for number in range(len(self._arrays))]
        m.d.sync += [one.eq(self.counts[number] != 0) for number, one in enumerate(has)]
        end = Signal(data.StructLayout({"op_ends": 1, "awaits": _OUTLETS * len(has)}), name="end")
        mode, work = issue.o.mode, issue.o.work
        made = Cat(
            work & (mode == Mode.MATVEC_T),
            work & (mode == Mode.UPDATE),
            work & ((mode == Mode.OUTER) | (mode == Mode.UPDATE)),
        )
        m.d.comb += [end.op_ends.eq(issue.o.op_ends), end.awaits.eq(Cat(Mux(one, made, 0) for one in has))]
        self._retire(m, issue, end, Cat(array.last_taken for array in self._arrays))


def _all(bits: Any) -> Value:
    first, *others = bits
    for bit in others:
        first = first & bit
    return Value.cast(first)
