"""Records of a program become commands of the tile's units, in the order of the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Array, Module, Shape, Signal
from amaranth.lib import stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import Component, In, Out, Signature

from deltatrain.accel.bus.program_format import HEADER, RECORD_UNITS, WORD_BYTES
from deltatrain.accel.bus.registers import NO_THRESHOLD, THRESHOLDS

__all__ = ["Dispatch"]

_WAITING = 8
"""Commands that wait for each unit."""

_WORD_BITS = 8 * WORD_BYTES


class Dispatch(Component):
    """Gathers a command and queues it for its unit; `accel.bus.program_format` says why that cannot wait for ever.

    Parameters
    ----------
    commands
        The stream of commands of each unit that the tile has, by its name.

    Attributes
    ----------
    words : In(stream.Signature(64))
        The program.
    ends : In(1)
        All its words have been taken.
    thresholds : In(unsigned(17)).array(THRESHOLDS)
        What a record may name in place of the threshold of an encoder's command.
    ENCODER, ENGINE, ...
        The commands of each unit by its name in lower case.
    starts_record : Out(1)
        The word in front is a header.
    error : Out(1)
        A record names no unit or not the length of its command, or the program ends within one. Stays high.
    done : Out(1)
        All commands have been queued.
    """

    def __init__(self, commands: Mapping[str, Signature]) -> None:
        self._shapes = {name: commands[name].members["payload"].shape for name in RECORD_UNITS if name in commands}
        self._widths = {name: Shape.cast(shape).width for name, shape in self._shapes.items()}
        super().__init__(
            {
                "words": In(stream.Signature(_WORD_BITS)),
                "ends": In(1),
                "thresholds": In(17).array(THRESHOLDS),
                **{name: Out(stream.Signature(shape)) for name, shape in self._shapes.items()},
                "starts_record": Out(1),
                "error": Out(1),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Read a header, then the words of its command, then queue it."""
        m = Module()
        lengths = {name: -(-width // _WORD_BITS) for name, width in self._widths.items()}
        header = {name: self.words.payload[field.low : field.low + field.bits] for name, field in HEADER.items()}
        unit, left, threshold = (Signal.like(header[name]) for name in ("unit", "words", "threshold"))
        command, number = Signal(_WORD_BITS * max(lengths.values())), Signal(range(max(lengths.values()) + 1))
        known, queues, queued, wrong = Signal(), Signal(), Signal(), Signal()
        m.d.comb += self.error.eq(wrong | (self.ends & ~self.starts_record & (left != 0)))
        with m.Switch(header["unit"]):
            for name, length in lengths.items():
                with m.Case(RECORD_UNITS.index(name)):
                    m.d.comb += known.eq(header["words"] == length)
        with m.FSM(name="record"):
            with m.State("HEADER"):
                m.d.comb += [
                    self.starts_record.eq(1),
                    self.words.ready.eq(known & ~wrong),
                    self.done.eq(self.ends & ~wrong),
                ]
                m.d.sync += [unit.eq(header["unit"]), left.eq(header["words"]), threshold.eq(header["threshold"])]
                m.d.sync += [number.eq(0), wrong.eq(wrong | (self.words.valid & ~known))]
                with m.If(self.words.valid & self.words.ready):
                    m.next = "COMMAND"
            with m.State("COMMAND"):
                m.d.comb += self.words.ready.eq(1)
                with m.If(self.words.valid):
                    m.d.sync += [command.word_select(number, _WORD_BITS).eq(self.words.payload)]
                    m.d.sync += [number.eq(number + 1), left.eq(left - 1)]
                    with m.If(left == 1):
                        m.next = "QUEUE"
            with m.State("QUEUE"):
                m.d.comb += queues.eq(1)
                with m.If(queued):
                    m.next = "HEADER"
        self._queue(m, unit, command, threshold, queues, queued)
        return m

    def _queue(
        self, m: Module, unit: Signal, command: Signal, threshold: Signal, queues: Signal, queued: Signal
    ) -> None:
        """While `queues` is high queue the command for its unit; drive `queued` when there is room for it."""
        for name, width in self._widths.items():
            m.submodules[f"{name}_queue"] = queue = SyncFIFO(width=width, depth=_WAITING)
            port, item = getattr(self, name), Signal(self._shapes[name], name=f"{name}_command")
            m.d.comb += [
                item.as_value().eq(command[:width]),
                queue.w_data.eq(item),
                port.payload.as_value().eq(queue.r_data),
                port.valid.eq(queue.r_rdy),
                queue.r_en.eq(port.ready),
            ]
            with m.If(unit == RECORD_UNITS.index(name)):
                m.d.comb += [queue.w_en.eq(queues), queued.eq(queue.w_rdy)]
            if name == "encoder":
                self._replace_threshold(m, item, threshold)

    def _replace_threshold(self, m: Module, command: Any, threshold: Signal) -> None:
        """Take the least difference that fires from a register, if the record names one."""
        least = command.op.encoder.least
        with m.If(threshold != NO_THRESHOLD):
            m.d.comb += least.eq(Array(self.thresholds)[threshold[: (THRESHOLDS - 1).bit_length()]])
