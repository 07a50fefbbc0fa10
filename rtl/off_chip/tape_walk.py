"""Walks through the words of one step of the tape: what each is, and where it is in the tile."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, enum
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.lists.ports import table_port
from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["VALUE_BITS", "TapePart", "TapeStep", "TapeWalk", "entries_of_word"]

VALUE_BITS = 16
"""Width of a value in a word of the tape off-chip; an entry of a list is an index and a value."""


def entries_of_word(lanes: int, *, spikes: bool = False) -> int:
    """Return how many entries of a list are in a word: of spikes, told by their index alone, twice as many."""
    return lanes if spikes else lanes // 2


class TapePart(enum.Enum, shape=unsigned(2)):
    """What a word of the tape is, in the order of the words."""

    TAPE = 0
    """Values that the cell kept for its backward step."""
    STATE = 1
    """The state of the step before."""
    X = 2
    """Entries of what fired in x."""
    H = 3
    """Entries of what fired in h."""


class FewerWords(data.StructLayout):
    """Words of a step's tape and state in a tile that has a word of neurons less than the first.

    Members
    -------
    tape_words, state_words : unsigned
        Likewise, as in `TapeStep`.
    values, skipped : unsigned
        Likewise; present where codes are kept.
    """

    def __init__(self, sizes: TileSizes) -> None:
        tape, state = range(sizes.tape_words + 1), range(sizes.state_words + 1)
        of_codes = dict.fromkeys(("values", "skipped"), tape) if sizes.code_bits else {}
        super().__init__({"tape_words": tape, "state_words": state, **of_codes})


class TapeStep(data.StructLayout):
    """One step's tape of one layer.

    Members
    -------
    tape, tape_words : unsigned
        First word in the memory of the tape, and how many.
    state, state_words : unsigned
        First word of the state of the step before, and how many; 0 for a cell without.
    x, h : unsigned
        Numbers of the lists that the encoder made.
    has_h : unsigned(1)
        Whether there is a list of h.
    whole_tiles, fewer : unsigned, FewerWords
        Of several tiles how many have as many neurons as the first; and what the others have.
    values, skipped : unsigned
        Where codes are kept: words of `tape` before them, and places between these and the codes, of this tile.
    """

    def __init__(self, sizes: TileSizes) -> None:
        number, counted = unsigned(ceil_log2(sizes.lists)), FewerWords(sizes)
        of_codes = dict.fromkeys(("values", "skipped"), range(sizes.tape_words + 1)) if sizes.code_bits else {}
        shared = {"whole_tiles": range(sizes.tiles + 1), "fewer": counted, **of_codes} if sizes.is_part else {}
        super().__init__(
            {
                "tape": unsigned(ceil_log2(max(sizes.tape_words, sizes.brought_tape_words))),
                "tape_words": counted["tape_words"].shape,
                "state": unsigned(ceil_log2(max(sizes.state_words, sizes.brought_state_words))),
                "state_words": counted["state_words"].shape,
                "x": number,
                "h": number,
                "has_h": 1,
                **shared,
            }
        )


class TapeWalk(Component):
    """Counts through the words of a step; their number is known in the cycle in which `step` is.

    Parameters
    ----------
    sizes
        Of the tile's memories.
    lanes
        P, values of a word, a power of two of at least 4.
    first, stride
        Number of the first word that it walks through, and from one to the next; several walk through all words.

    Attributes
    ----------
    step : In(TapeStep(sizes))
        What is walked through, the same until its last word.
    tables : In(table_port).array(2)
        To look up both lists.
    counts, spikes : Out(unsigned(INDEX_BITS)).array(2)
        Their lengths, and how many spikes are among them; the latter present where neurons spike.
    words : Out(unsigned(INDEX_BITS))
        Words of the step.
    take : In(1)
        The word in front is taken in this cycle.
    part : Out(TapePart)
        What it is.
    offset : Out(unsigned(INDEX_BITS))
        Words of its part that are before it.
    last : Out(1)
        Whether it is the step's last, or another walk's word beside it is; the next is the first again.
    is_there : Out(1)
        Whether there is such a word; present if there are other walks.
    """

    def __init__(self, *, sizes: TileSizes, lanes: int, first: int = 0, stride: int = 1) -> None:
        self._first, self._stride = first, stride
        self._spikes = bool(sizes.spikes)
        self._word_entries = entries_of_word(lanes, spikes=self._spikes)
        tables = table_port(entries=sizes.list_entries, lists=sizes.lists, spikes=self._spikes)
        super().__init__(
            {
                "step": In(TapeStep(sizes)),
                "tables": In(tables).array(2),
                "counts": Out(unsigned(INDEX_BITS)).array(2),
                **({"spikes": Out(unsigned(INDEX_BITS)).array(2)} if self._spikes else {}),
                "words": Out(unsigned(INDEX_BITS)),
                "take": In(1),
                "part": Out(TapePart),
                "offset": Out(unsigned(INDEX_BITS)),
                "last": Out(1),
                **({"is_there": Out(1)} if stride > 1 else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Compare the word's number with where the parts end."""
        m = Module()
        step, number = self.step, Signal(INDEX_BITS, init=self._first)
        x, h = self.tables
        m.d.comb += [
            x.list.eq(step.x),
            h.list.eq(step.h),
            self.counts[0].eq(self._length(x.place)),
            self.counts[1].eq(Mux(step.has_h, self._length(h.place), 0)),
        ]
        if self._spikes:
            m.d.comb += [
                self.spikes[0].eq(x.place.count),
                self.spikes[1].eq(Mux(step.has_h, h.place.count, 0)),
            ]
        ends = []
        of_lists = ((count + (self._word_entries - 1)) >> ceil_log2(self._word_entries) for count in self.counts)
        for part, words in enumerate((step.tape_words, step.state_words, *of_lists)):
            ends.append(Signal(INDEX_BITS, name=f"end_{part}"))
            m.d.comb += ends[-1].eq(words + ends[-2] if part else words)
        m.d.comb += self.offset.eq(number)
        for part, begin in zip(list(TapePart)[1:], ends[:-1], strict=True):
            with m.If(number >= begin):  # a part without words is passed over, because the next begins at the same word
                m.d.comb += [self.part.eq(part), self.offset.eq(number - begin)]
        m.d.comb += self.words.eq(ends[-1])
        if self._stride == 1:
            m.d.comb += self.last.eq(number + 1 == ends[-1])
        else:
            m.d.comb += [
                self.last.eq(number + (self._stride - self._first) >= ends[-1]),
                self.is_there.eq(number < ends[-1]),
            ]
        with m.If(self.take):
            m.d.sync += number.eq(Mux(self.last, self._first, number + self._stride))
        return m

    def _length(self, place: data.View) -> Value:
        """Return how many entries a list has, with its gradient-only neurons."""
        return place.count + place.learning if self._spikes else place.count
