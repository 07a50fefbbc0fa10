"""Words become beats for the memory, with strobes where a beat is not whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.rtl.bus.beats_to_words import Awaited
from deltatrain.rtl.bus.words import COUNT_BITS, Form
from deltatrain.rtl.parts.arguments import check_power_of_two

__all__ = ["StrobedBeat", "WordsToBeats"]


class StrobedBeat(data.StructLayout):
    """The ``bytes`` of a beat, and a bit of ``strobes`` for each that is written."""

    def __init__(self, beat_bytes: int) -> None:
        super().__init__({"bytes": 8 * beat_bytes, "strobes": beat_bytes})


class WordsToBeats(Component):
    """Takes the words of one move after the other, each from the stream of its kind.

    Parameters
    ----------
    forms
        How the words of each kind lie in memory; a word has a power of two of bytes.
    beat_bytes
        Bytes of a beat, a power of two.

    Attributes
    ----------
    moves : In(stream.Signature(Awaited(beat_bytes)))
        Which words come next, and where in a beat the first of them lies; taken with the last word.
    words
        The words of each kind by its name in lower case: In(stream.Signature(...)).
    beats : Out(stream.Signature(StrobedBeat(beat_bytes)))
        The beats.
    """

    def __init__(self, *, forms: Mapping[Any, Form], beat_bytes: int) -> None:
        check_power_of_two("beat_bytes", beat_bytes)
        self._forms, self._beat_bytes = forms, beat_bytes
        for kind, form in forms.items():
            check_power_of_two(f"bytes of {kind.name.lower()}", form.bytes)
        super().__init__(
            {
                "moves": In(stream.Signature(Awaited(beat_bytes))),
                **{
                    kind.name.lower(): In(stream.Signature(form.values * form.value_bits))
                    for kind, form in forms.items()
                },
                "beats": Out(stream.Signature(StrobedBeat(beat_bytes))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count the words of the move in front, and the parts of a word or of a beat."""
        m = Module()
        move, taken, is_first = self.moves.payload, Signal(COUNT_BITS), Signal(init=1)
        part = Signal(range(max([self._beat_bytes, *(form.bytes for form in self._forms.values())])))
        kept = Signal(StrobedBeat(self._beat_bytes))  # words of a beat that is not whole
        takes, last = Signal(), Signal()
        m.d.comb += [last.eq(taken + 1 == move.words), self.moves.ready.eq(takes & last)]
        with m.Switch(move.kind):
            for kind, form in self._forms.items():
                with m.Case(kind):
                    words = getattr(self, kind.name.lower())
                    offered = words.valid & self.moves.valid
                    m.d.comb += words.ready.eq(takes)
                    if form.bytes < self._beat_bytes:
                        self._gather(m, form, words.payload, offered, is_first, last, part, kept, takes)
                    else:
                        self._cut(m, form, words.payload, offered, part, takes)
        with m.If(takes):
            m.d.sync += [taken.eq(Mux(last, 0, taken + 1)), is_first.eq(last)]
        return m

    def _cut(self, m: Module, form: Form, word: Value, offered: Value, part: Signal, takes: Signal) -> None:
        """Offer one part of a word after the other."""
        parts, beats, bits = form.bytes // self._beat_bytes, self.beats, 8 * self._beat_bytes
        m.d.comb += [
            beats.valid.eq(offered),
            beats.payload.bytes.eq(form.to_bytes(word).word_select(part[: max(ceil_log2(parts), 1)], bits)),
            beats.payload.strobes.eq(~0),
            takes.eq(offered & beats.ready & (part == parts - 1)),
        ]
        with m.If(offered & beats.ready):
            m.d.sync += part.eq(Mux(part == parts - 1, 0, part + 1))

    def _gather(
        self,
        m: Module,
        form: Form,
        word: Value,
        offered: Value,
        is_first: Signal,
        last: Signal,
        part: Signal,
        kept: data.View,
        takes: Signal,
    ) -> None:
        """Put words beside each other; offer a beat with its last word, or with the last of the move."""
        slots, beats, size = self._beat_bytes // form.bytes, self.beats, form.bytes
        slot, whole, now = Signal(range(slots)), Signal(), Signal(StrobedBeat(self._beat_bytes))
        m.d.comb += [
            slot.eq(Mux(is_first, self.moves.payload.offset[ceil_log2(size) :], part)),
            whole.eq((slot == slots - 1) | last),
            now.eq(kept),
            now.bytes.word_select(slot, 8 * size).eq(form.to_bytes(word)),
            now.strobes.word_select(slot, size).eq(~0),
            beats.payload.eq(now),
            beats.valid.eq(offered & whole),
            takes.eq(offered & (beats.ready | ~whole)),
        ]
        with m.If(takes):
            m.d.sync += [kept.eq(now), part.eq(slot + 1)]
            with m.If(whole):
                m.d.sync += [kept.strobes.eq(0), part.eq(0)]
