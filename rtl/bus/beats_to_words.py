"""Beats from the memory become words: a beat holds several words, or a word takes several beats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.rtl.bus.words import COUNT_BITS, Form, Kind
from deltatrain.rtl.parts.arguments import check_power_of_two

__all__ = ["Awaited", "BeatsToWords"]


class Awaited(data.StructLayout):
    """Words that will come: their ``kind``, how many ``words``, and the ``offset`` of the first in its beat."""

    def __init__(self, beat_bytes: int) -> None:
        super().__init__({"kind": Kind, "words": COUNT_BITS, "offset": ceil_log2(beat_bytes)})


class _Taking(NamedTuple):
    """What is known of the word, or the beat, in hand.

    Attributes
    ----------
    earlier
        Beats of a word that is not whole.
    part
        Which beat of a word, or which word of a beat.
    is_first
        The word is the first of what is awaited.
    comes, whole, beat_ends
        A beat is there; the word is whole with it; the beat has no other word.
    """

    earlier: Signal
    part: Signal
    is_first: Signal
    comes: Signal
    whole: Signal
    beat_ends: Signal


class BeatsToWords(Component):
    """Gives a word in the cycle after its last beat came; a beat of several words waits until each has been given.

    Parameters
    ----------
    forms
        How the words of each kind lie in memory; a word has a power of two of bytes.
    beat_bytes
        Bytes of a beat, a power of two of at least 2.

    Attributes
    ----------
    awaited : In(stream.Signature(Awaited(beat_bytes)))
        What comes, in order; taken with the last word.
    beats : In(stream.Signature(8 * beat_bytes))
        The beats.
    words : Out(...)
        For each kind by its name in lower case: ``valid``, high for a cycle for each word, and its ``payload``. Who
        asked for a word has room for it.
    idle : Out(1)
        No word is on its way from here.
    """

    def __init__(self, *, forms: Mapping[Any, Form], beat_bytes: int) -> None:
        check_power_of_two("beat_bytes", beat_bytes)
        self._forms, self._beat_bytes = forms, beat_bytes
        words = {}
        for kind, form in forms.items():
            check_power_of_two(f"bytes of {kind.name.lower()}", form.bytes)
            words[f"{kind.name.lower()}_valid"] = Out(1)
            words[f"{kind.name.lower()}_word"] = Out(form.values * form.value_bits)
        super().__init__(
            {
                "awaited": In(stream.Signature(Awaited(beat_bytes))),
                "beats": In(stream.Signature(8 * beat_bytes)),
                **words,
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count the words of what is awaited, and the parts of a word or of a beat."""
        m = Module()
        awaited, beats = self.awaited, self.beats
        most = max([self._beat_bytes, *(form.bytes for form in self._forms.values())])
        now = _Taking(
            earlier=Signal(8 * max(most - self._beat_bytes, 1), name="earlier"),
            part=Signal(range(max(most, 2)), name="part"),
            is_first=Signal(init=1, name="is_first"),
            comes=Signal(name="comes"),
            whole=Signal(name="whole"),
            beat_ends=Signal(name="beat_ends"),
        )
        given, last, gives = Signal(COUNT_BITS), Signal(), Signal()
        m.d.comb += [
            now.comes.eq(beats.valid & awaited.valid),
            gives.eq(now.comes & now.whole),
            last.eq(given + 1 == awaited.payload.words),
            beats.ready.eq(awaited.valid & (now.beat_ends | (now.whole & last))),
            awaited.ready.eq(gives & last),
        ]
        with m.Switch(awaited.payload.kind):
            for kind, form in self._forms.items():
                with m.Case(kind):
                    self._take(m, kind, form, now)
        with m.If(gives):
            m.d.sync += [given.eq(Mux(last, 0, given + 1)), now.is_first.eq(last)]
        with m.If(awaited.ready):
            m.d.sync += now.part.eq(0)
        valid = [getattr(self, f"{kind.name.lower()}_valid") for kind in self._forms]
        m.d.comb += self.idle.eq(~Cat(valid).any())
        for kind, one in zip(self._forms, valid, strict=True):
            m.d.sync += one.eq(gives & (awaited.payload.kind == kind))
        return m

    def _take(self, m: Module, kind: Any, form: Form, now: _Taking) -> None:
        """Take a part of a word, or a word out of a beat."""
        beat, word = self.beats.payload, getattr(self, f"{kind.name.lower()}_word")
        parts, slots = form.bytes // self._beat_bytes, self._beat_bytes // form.bytes
        if slots > 1:
            slot = Signal(range(slots), name=f"{kind.name.lower()}_slot")
            first = self.awaited.payload.offset[ceil_log2(form.bytes) :]
            m.d.comb += [
                slot.eq(Mux(now.is_first, first, now.part)),
                now.whole.eq(1),
                now.beat_ends.eq(slot == slots - 1),
            ]
            with m.If(now.comes):
                m.d.sync += word.eq(form.from_bytes(beat.word_select(slot, 8 * form.bytes)))
                m.d.sync += now.part.eq(Mux(now.beat_ends, 0, slot + 1))
            return
        m.d.comb += [now.whole.eq(now.part == parts - 1), now.beat_ends.eq(1)]
        bits = 8 * (form.bytes - self._beat_bytes)
        with m.If(now.comes):
            m.d.sync += now.part.eq(Mux(now.whole, 0, now.part + 1))
            m.d.sync += word.eq(form.from_bytes(self._joined(now.earlier, bits)))
            if bits:
                m.d.sync += now.earlier.eq(Cat(now.earlier, beat)[8 * self._beat_bytes :])

    def _joined(self, earlier: Signal, bits: int) -> Value:
        """Return the last `bits` of the beats before, and this one behind them."""
        return Cat(earlier[len(earlier) - bits :] if bits else Cat(), self.beats.payload)
