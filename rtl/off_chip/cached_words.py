"""Words on their way to the lanes, from off-chip memory or from the column cache, and on their way into the cache."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import ReadPort, WritePort
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.column_cache import RETURN_CYCLES
from deltatrain.rtl.off_chip.line_rows import LineRows
from deltatrain.rtl.off_chip.run_walk import Run, RunWalk, Step
from deltatrain.rtl.off_chip.word_sizes import WordSize
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.line_shape import LineShape
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

__all__ = ["CachedWords"]

_MOST_MADE = 15
"""Words of dW that steps have been addressed for and the lanes have not handed out: two steps, and what the lanes
reserve room for, are fewer."""


class _Fill(data.StructLayout):
    """A word on its way into the cache: whether there is one, of which kind, and its place."""

    def __init__(self, run: Run, step: Step) -> None:
        named = dict(step)
        places = {"slot": dict(run)["slot"].shape, "row": named["row"].shape, "part": named["part"].shape}
        super().__init__({"fills": 1, "gradients": 1, **places})


class CachedWords(Component):
    """Offers the lanes their words, one a cycle, and works on the memory of lines in the order of the lanes.

    A step of a run (`rtl.off_chip.run_walk`) takes this way:

        cycle  a                   b = a + 1              x                      x + `RETURN_CYCLES`
               the memory is       its word is offered;   its word is taken;     the word is written, or the new one
               addressed, if the   one from off-chip may  that of the line that  of dW that the lanes made of it
               line is read        be waited for          goes out handed over

    Two steps may wait between a and x. Every word is written as long after it is taken as the lanes need for a new word
    of dW, so that never two are written at once. A run that reads a line waits in a until all that was taken for that
    line is written. One of dW also waits for what the lanes make of ops that pass the cache by: that has gone out by
    then, and what the lanes hand out is the cache's.

    Parameters
    ----------
    sizes
        Of a word of each kind that is off-chip, by name.
    shape
        Of the cache.
    run
        Shape of a run. If that may be of words that lanes take for several steps of training (`several`), such a run
        from off-chip is offered to them once all of it has come.

    Attributes
    ----------
    runs : In(stream.Signature(Run))
        What is in flight, in order.
    come_weights, come_gradients : In(stream.Signature(word))
        Words of W, of dW from off-chip memory; there if such matrices are.
    come : In(unsigned)
        How many words of dW are at ``come_gradients`` and behind it; present if a run may be of `several` steps.
    lane_weights, lane_gradients : Out(stream.Signature(word))
        The words of all runs, for the lanes; likewise.
    made : In(stream.Signature(word))
        Words of dW that the lanes hand out; there if dW is off-chip.
    new_words : Out(stream.Signature(word))
        Those that are not cached, and the words of lines that go out; likewise.
    ends : Out(1)
        The last step of a run ends in this cycle.
    ended : Out(Run)
        That run.
    """

    def __init__(self, *, sizes: dict[str, WordSize], shape: LineShape, run: Run) -> None:
        self._sizes, self._run = sizes, run
        self._rows = LineRows.of(sizes, shape)
        self._step = Step(run, self._rows)
        self._writes = "gradients" in sizes
        words = {name: stream.Signature(size.shape) for name, size in sizes.items()}
        ports: dict[str, Any] = {"runs": In(stream.Signature(run)), "ends": Out(1), "ended": Out(run)}
        for name, port in words.items():
            ports |= {f"come_{name}": In(port), f"lane_{name}": Out(port)}
        self._groups = self._writes and "several" in dict(run)
        if self._groups:
            ports["come"] = In(dict(run)["words"].shape)
        if self._writes:
            ports |= {"made": In(words["gradients"]), "new_words": Out(words["gradients"])}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Connect the walk through runs, the two steps that wait, and the memory."""
        m = Module()
        rows = self._rows
        m.submodules.walk = walk = RunWalk(self._run, rows)
        m.submodules.lines = lines = UncheckedMemory(shape=unsigned(rows.row_bits), depth=max(rows.depth, 2))
        read, write = lines.read_port(), lines.write_port(granularity=rows.part_bits)
        connect(m, flipped(self.runs), walk.runs)
        step, row, there, taken = Signal(self._step), Signal(rows.row_bits), Signal(), Signal()
        beside = Signal()
        has_room, places = self._wait(m, walk, read, (step, row, there, taken), beside)
        fills, returns = self._fill(m, step, taken)
        words = self._offer(m, step, row, there, taken, returns)
        self._write(m, write, words, fills[-1])
        unwritten, owed = self._unwritten(m, walk, places, beside, fills), Signal()
        m.d.comb += walk.goes.eq(walk.valid & has_room & ~(walk.first & ((walk.reads_line & unwritten) | owed)))
        if self._writes:
            self._owe(m, walk, owed, returns)
        return m

    def _wait(
        self, m: Module, walk: RunWalk, read: ReadPort, offered: tuple[Any, Signal, Signal, Signal], beside: Signal
    ) -> tuple[Value, list[tuple[Value, Value]]]:
        """Let steps follow the answers of the memory, as in `rtl.parts.read_buffer`.

        Return whether there is room, and of both places whether the step there fills a line, and which. The second is
        `beside` the memory, and then the step in front.
        """
        step, row, there, taken = offered
        in_memory = Signal()
        younger, older, older_row = Signal.like(step), Signal.like(step), Signal.like(row)
        m.d.comb += [
            read.addr.eq(walk.read_row),
            read.en.eq(walk.goes & walk.reads),
            there.eq(in_memory | beside),
            step.eq(Mux(beside, older, younger)),
            row.eq(Mux(beside, older_row, read.data)),
        ]
        m.d.sync += [
            in_memory.eq(walk.goes | (in_memory & (beside | ~taken))),
            beside.eq((beside | (in_memory & walk.goes)) & ~taken),
        ]
        with m.If(walk.goes):
            m.d.sync += younger.eq(walk.step)
        with m.If(~beside):
            m.d.sync += [older.eq(younger), older_row.eq(read.data)]
        places = [(in_memory & younger.fills, younger.run.slot), (beside & older.fills, older.run.slot)]
        return ~(in_memory & beside), places

    @staticmethod
    def _unwritten(
        m: Module, walk: RunWalk, places: list[tuple[Value, Value]], beside: Signal, fills: list[data.View]
    ) -> Value:
        """Return whether the line of the walk's step is filled by a step in one of both `places`, or by `fills`.

        Of these the first is of what is taken in this cycle. Whether lines are the same was found in the cycle before,
        of what is in each place now.
        """
        moves, following = ~walk.valid | walk.goes, walk.next_slot
        same, unwritten = Signal(2), Signal(len(fills) - 1)
        stays = [Mux(moves, slot == following, same[number]) for number, (_, slot) in enumerate(places)]
        came = [
            Mux(moves, fill.fills & (fill.slot == following), unwritten[number])
            for number, fill in enumerate(fills[1:-1])
        ]
        front = Mux(beside, stays[1], stays[0])
        younger = Mux(walk.goes, walk.step.run.slot == following, stays[0])
        m.d.sync += [same.eq(Cat(younger, front)), unwritten.eq(Cat(fills[0].fills & front, *came))]
        waiting = [filled & same[number] for number, (filled, _) in enumerate(places)]
        found: Value = Cat(*waiting, unwritten).any()
        return found

    def _fill(self, m: Module, step: data.View, taken: Signal) -> tuple[list[data.View], Signal]:
        """Return what is taken in this cycle and each of the last, and is to be written in the cache, the oldest last.

        The second result says of that whether it is of dW: what the lanes hand out then is written in its place.
        """
        fill = Signal(_Fill(self._run, self._step))
        m.d.comb += [
            fill.fills.eq(taken & step.fills),
            fill.gradients.eq(step.run.gradients),
            fill.slot.eq(step.run.slot),
            fill.row.eq(step.row),
            fill.part.eq(step.part),
        ]
        found = [fill]
        for _ in range(RETURN_CYCLES):
            found.append(delayed(m, found[-1], 1))
        returns = Signal()
        m.d.sync += returns.eq(found[-2].fills & found[-2].gradients)
        return found, returns

    def _offer(
        self, m: Module, step: data.View, row: Signal, there: Signal, taken: Signal, returns: Signal
    ) -> dict[str, Signal]:
        """Offer the lanes the words of a step, and hand out the word of a line; return the words."""
        run, words, takes, may_hand_out = step.run, {}, {}, Signal(init=1)
        for name, size in self._sizes.items():
            comes, lane = getattr(self, f"come_{name}"), getattr(self, f"lane_{name}")
            words[name] = Signal(size.bits, name=f"{name}_word")
            wanted, has_come = there & step[f"takes_{name}"] & may_hand_out, Value.cast(comes.valid)
            if self._groups and name == "gradients":
                has_come = has_come & (~run.several | self._has_come(m, step, taken))
            m.d.comb += [
                words[name].eq(Mux(run.hit, self._rows.word(name, row, step.part), Value.cast(comes.payload))),
                Value.cast(lane.payload).eq(words[name]),
                lane.valid.eq(wanted & (run.hit | has_come)),
                comes.ready.eq(wanted & ~run.hit & has_come & lane.ready),
            ]
            takes[name] = lane.valid & lane.ready
        alone = there & ~step.takes & may_hand_out
        m.d.comb += [
            taken.eq(Mux(run.weights, takes.get("weights", 0), takes.get("gradients", 0)) | alone),
            self.ends.eq(taken & step.last),
            self.ended.eq(run),
        ]
        if self._writes:
            made_goes = self.made.valid & ~returns
            hands_out = there & step.hands_out
            line_word = self._rows.word("gradients", row, Value.cast(0))
            m.d.comb += [
                may_hand_out.eq(~step.hands_out | (self.new_words.ready & ~made_goes)),
                self.new_words.valid.eq(made_goes | (hands_out & taken)),
                Value.cast(self.new_words.payload).eq(Mux(made_goes, Value.cast(self.made.payload), line_word)),
                self.made.ready.eq(self.new_words.ready | returns),
            ]
        else:
            m.d.comb += may_hand_out.eq(1)
        return words

    def _has_come(self, m: Module, step: data.View, taken: Signal) -> Value:
        """Return whether what is left of the run of a step has come from off-chip."""
        left, begun = Signal.like(step.run.words, name="left"), Signal(name="begun")
        wanted = Mux(begun, left, step.run.words)
        with m.If(taken & step.takes):
            m.d.sync += [left.eq(wanted - 1), begun.eq(~step.last)]
        return self.come >= wanted

    def _write(self, m: Module, write: WritePort, words: dict[str, Signal], fill: data.View) -> None:
        """Write what was taken `RETURN_CYCLES` ago, or what the lanes have made of it."""
        m.d.comb += write.addr.eq(fill.row)
        for name, found in words.items():
            kept = Value.cast(self.made.payload) if name == "gradients" else delayed(m, found, RETURN_CYCLES)
            with m.If(fill.fills & (fill.gradients == (name == "gradients"))):
                m.d.comb += [
                    write.en.eq(self._rows.enables(name, fill.part)),
                    write.data.eq(self._rows.row(name, kept)),
                ]

    def _owe(self, m: Module, walk: RunWalk, owed: Signal, returns: Signal) -> None:
        """Say whether the lanes have not handed out all of ops that pass the cache by, and a run of dW must wait."""
        made, run = Signal(range(_MOST_MADE + 1)), walk.step.run
        begins = walk.goes & walk.step.takes & run.gradients & ~run.cached
        ends = self.made.valid & self.made.ready & ~returns
        m.d.sync += made.eq(made + begins - ends)
        m.d.comb += owed.eq(run.cached & run.gradients & (made != 0))
