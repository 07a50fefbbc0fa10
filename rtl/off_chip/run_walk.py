"""Segments in flight become steps: in each the lanes take a word, or a word of a line goes out, or both."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.rtl.off_chip.line_rows import LineRows
from deltatrain.rtl.parts.line_shape import LineShape
from deltatrain.rtl.parts.registered_queue import RegisteredQueue

__all__ = ["Run", "RunWalk", "Step"]


class Run(data.StructLayout):
    """A segment in flight, or a line that goes out before an op.

    Parameters
    ----------
    shape
        Of the cache.
    most_words, lane_bytes
        The longest segment there may be; bytes of each lane that the buffer holds.
    groups
        Whether lanes may take a word for several steps of training.

    Members
    -------
    words : range
        Words of each matrix; 0 for a line that goes out before an op.
    out_words : range
        Words of the line that goes out; 0 if none does.
    steps, waits : range
        Steps that it takes, as many as the longer of both has words; those before the one that takes its first word.
    weights, gradients, cached, writes_back : unsigned(1)
        Of its op.
    hit : unsigned(1)
        Its words are in the cache.
    slot : range
        Its line.
    returned : range
        Bytes of each lane that are free when its last word is taken.
    several : unsigned(1)
        Whether lanes take each of its words for several steps of training; present if `groups`.
    """

    def __init__(self, shape: LineShape, most_words: int, lane_bytes: int, *, groups: bool = False) -> None:
        super().__init__(
            {
                **dict.fromkeys(("words", "out_words", "steps", "waits"), range(most_words + 1)),
                **dict.fromkeys(("weights", "gradients", "cached", "writes_back", "hit"), 1),
                "slot": range(shape.slots),
                "returned": range(lane_bytes + 1),
                **({"several": 1} if groups else {}),
            }
        )


class Step(data.StructLayout):
    """A step of a run.

    Members
    -------
    run : Run
        Its run.
    takes, hands_out, last : unsigned(1)
        Whether a word of the run is taken; whether one of the line goes out; whether it is the last of its run.
    takes_weights, takes_gradients : unsigned(1)
        Whether a word of W, of dW is taken; of each kind that is off-chip.
    fills : unsigned(1)
        Whether the word that is taken is written to the cache: all but a word of W that was there.
    row, part : range
        Where the word that is taken has its place in the cache.
    """

    def __init__(self, run: Run, rows: LineRows) -> None:
        super().__init__(
            {
                "run": run,
                **dict.fromkeys(("takes", "hands_out", "last", "fills", *(f"takes_{kind}" for kind in rows.sizes)), 1),
                "row": range(max(rows.depth, 2)),
                "part": range(max(rows.row_parts, 2)),
            }
        )


class RunWalk(Component):
    """Offers the steps of each run: as many as the longer of it and the line that goes out for it has words.

    Words of the line go out in the first steps, words of the run are taken in the last: the lanes wait for what there
    is more of the line, and a run ends with its last word. No word is so written before the one that it replaces is
    read.

    Parameters
    ----------
    run
        Shape of a run.
    rows
        How lines lie in their memory.

    Attributes
    ----------
    runs : In(stream.Signature(Run))
        The runs.
    valid : Out(1)
        There is a step.
    step : Out(Step)
        The step, which was found in the cycle before, or earlier.
    reads, reads_line, first : Out(1)
        Whether it reads its line; whether any step of its run does; whether it is the first of its run.
    read_row : Out(range)
        Which row.
    next_slot : Out(range)
        The line of the step that may follow, if there is one.
    goes : In(1)
        The next step may follow.
    """

    def __init__(self, run: Run, rows: LineRows) -> None:
        self._run, self._rows = run, rows
        step = Step(run, rows)
        super().__init__(
            {
                "runs": In(stream.Signature(run)),
                "valid": Out(1),
                "step": Out(step),
                "reads": Out(1),
                "reads_line": Out(1),
                "first": Out(1),
                "read_row": Out(dict(step)["row"].shape),
                "next_slot": Out(dict(run)["slot"].shape),
                "goes": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count the steps of the run in front."""
        m = Module()
        m.submodules.front = front = RegisteredQueue(shape=self._run, depth=2)  # who ends runs waits for no memory
        connect(m, flipped(self.runs), front.i)
        run, step, goes, takes = front.o.payload, Signal.like(self.step), Signal(), Signal()
        read_row = Signal.like(self.read_row)
        # The number of the step and the one after it are in registers, so that no comparison waits for an adder.
        number, within = (Signal.like(run.words, name=name) for name in ("number", "within"))
        after = Signal.like(run.words, init=1)
        m.d.comb += [
            within.eq(number - run.waits),
            takes.eq(number >= run.waits),
            step.run.eq(run),
            step.takes.eq(takes),
            *(step[f"takes_{kind}"].eq(takes & run[kind]) for kind in self._rows.sizes),
            step.fills.eq(takes & run.cached & (~run.hit | run.gradients)),
            step.hands_out.eq(number < run.out_words),
            step.last.eq(after == run.steps),
            self.next_slot.eq(run.slot),
            goes.eq(front.o.valid & (~self.valid | self.goes)),
            front.o.ready.eq(goes & step.last),
        ]
        places = {name: self._rows.place(name, run.slot, within) for name in self._rows.sizes}
        m.d.comb += [
            step.row.eq(_of_kind(run, {name: row for name, (row, _) in places.items()})),
            step.part.eq(_of_kind(run, {name: part for name, (_, part) in places.items()})),
            read_row.eq(step.row),
        ]
        if "gradients" in self._rows.sizes:  # a line that goes out is of dW
            with m.If(step.hands_out):
                m.d.comb += read_row.eq(self._rows.place("gradients", run.slot, number)[0])
        with m.If(goes):
            m.d.sync += [number.eq(Mux(step.last, 0, after)), after.eq(Mux(step.last, 1, after + 1))]
        with m.If(~self.valid | self.goes):
            m.d.sync += [
                self.valid.eq(front.o.valid),
                self.step.eq(step),
                self.read_row.eq(read_row),
                self.first.eq(number == 0),
                self.reads.eq((run.hit & takes) | step.hands_out),
                self.reads_line.eq(run.hit | (run.out_words != 0)),
            ]
        return m


def _of_kind(run: data.View, values: dict[str, Value]) -> Value:
    """Return the value of the kind of matrix that a run is of."""
    found = Value.cast(0)
    for name, value in values.items():
        found = found | Mux(run[name], value, 0)
    return found
