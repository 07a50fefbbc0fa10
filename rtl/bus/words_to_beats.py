"""Words become beats for the memory, with strobes where a beat is not whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from amaranth.hdl import Module, Mux, Signal
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


class _Making(NamedTuple):
    """What is known of the word, or the beat, in hand.

    Attributes
    ----------
    part
        Which beat of a word, or which word of a beat.
    kept
        Words of a beat that is not whole.
    is_first, last
        The word is the first of the move, the last.
    takes
        The word is taken.
    """

    part: Signal
    kept: data.View
    is_first: Signal
    last: Signal
    takes: Signal


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
        move, taken = self.moves.payload, Signal(COUNT_BITS)
        now = _Making(
            part=Signal(range(max([self._beat_bytes, *(form.bytes for form in self._forms.values())])), name="part"),
            kept=Signal(StrobedBeat(self._beat_bytes), name="kept"),
            is_first=Signal(init=1, name="is_first"),
            last=Signal(name="last"),
            takes=Signal(name="takes"),
        )
        m.d.comb += [now.last.eq(taken + 1 == move.words), self.moves.ready.eq(now.takes & now.last)]
        with m.Switch(move.kind):
            for kind, form in self._forms.items():
                with m.Case(kind):
                    words = getattr(self, kind.name.lower())
                    m.d.comb += words.ready.eq(now.takes)
                    if form.bytes < self._beat_bytes:
                        self._gather(m, form, words, now)
                    else:
                        self._cut(m, form, words, now)
        with m.If(now.takes):
            m.d.sync += [taken.eq(Mux(now.last, 0, taken + 1)), now.is_first.eq(now.last)]
        return m

    def _cut(self, m: Module, form: Form, words: Any, now: _Making) -> None:
        """Offer one part of a word after the other."""
        parts, beats, bits = form.bytes // self._beat_bytes, self.beats, 8 * self._beat_bytes
        offered, last_part = words.valid & self.moves.valid, now.part == parts - 1
        part = now.part[: max(ceil_log2(parts), 1)]
        m.d.comb += [
            beats.valid.eq(offered),
            beats.payload.bytes.eq(form.to_bytes(words.payload).word_select(part, bits)),
            beats.payload.strobes.eq(~0),
            now.takes.eq(offered & beats.ready & last_part),
        ]
        with m.If(offered & beats.ready):
            m.d.sync += now.part.eq(Mux(last_part, 0, now.part + 1))

    def _gather(self, m: Module, form: Form, words: Any, now: _Making) -> None:
        """Put words beside each other; offer a beat with its last word, or with the last of the move."""
        slots, beats, size = self._beat_bytes // form.bytes, self.beats, form.bytes
        slot, whole, beat = Signal(range(slots)), Signal(), Signal(StrobedBeat(self._beat_bytes))
        offered = words.valid & self.moves.valid
        m.d.comb += [
            slot.eq(Mux(now.is_first, self.moves.payload.offset[ceil_log2(size) :], now.part)),
            whole.eq((slot == slots - 1) | now.last),
            beat.eq(now.kept),
            beat.bytes.word_select(slot, 8 * size).eq(form.to_bytes(words.payload)),
            beat.strobes.word_select(slot, size).eq(~0),
            beats.payload.eq(beat),
            beats.valid.eq(offered & whole),
            now.takes.eq(offered & (beats.ready | ~whole)),
        ]
        with m.If(now.takes):
            m.d.sync += [now.kept.eq(beat), now.part.eq(slot + 1)]
            with m.If(whole):
                m.d.sync += [now.kept.strobes.eq(0), now.part.eq(0)]
