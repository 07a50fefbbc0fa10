"""The engine unit where one op adds the weight gradients of several steps: it reads their lists at once."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.begin import Begin
from deltatrain.rtl.engine.entry_router import EntryRouter
from deltatrain.rtl.engine.unit import EngineUnit
from deltatrain.rtl.lanes.groups import GroupLanes
from deltatrain.rtl.lanes.op import Mode
from deltatrain.rtl.lists.group_reader import GroupReader

__all__ = ["GroupEngineUnit"]


class GroupEngineUnit(EngineUnit):
    """Runs the ops of the lanes, of which `outer` may be of the lists of several steps.

    Parameters
    ----------
    engine, sizes
        As of `rtl.engine.unit.EngineUnit`.

    Attributes
    ----------
    lists : In(list_port).array(steps)
        To the stores of lists (`rtl.lists.group_store`).
    commands, soon_counts, ready_counts, running, learning_rate, momentum, vectors, weights, gradients, shared, soon
        As of `rtl.engine.unit.EngineUnit`.
    spent : Out(spent_layout)
        Likewise.
    """

    def _make_lanes(self, of_lanes: dict[str, Any]) -> GroupLanes:
        """Return the lanes."""
        named = ("engine", "accumulator_words", "gate_lanes", "mixed_lanes", "keeps_velocity")
        steps, banks = self._sizes.group_steps, self._sizes.gradient_banks
        return GroupLanes(steps=steps, gradient_banks=banks, **{name: of_lanes[name] for name in named})

    def _make_reader(self, engine: Engine) -> Any:
        """Return the reader of lists and vectors."""
        return GroupReader(engine=engine, sizes=self._sizes)

    def _read(self, m: Module, begin: Begin) -> None:
        """Begin an op when all that work on it have room: readers of its lists and words, takers of its results."""
        m.submodules.reader = reader = self._reader
        m.submodules.router = router = EntryRouter(value_bits=reader.value_bits, steps=self._sizes.group_steps)
        m.submodules.gradients = gradients = self._gradients
        op, mode, fires = begin.op, begin.op.lanes.mode, Signal()
        reader.follow(m, begin, self.lists)
        connect(m, flipped(self.vectors), reader.vectors)
        connect(m, reader.entries, router.i)
        connect(m, router.lanes, self._lanes.entries)
        rooms = [router.has_room, gradients.has_room, reader.has_room]
        for kind in self._kinds(router):
            rooms += self._feed(m, begin, kind, fires)
        m.d.comb += [
            fires.eq(~reader.empty),
            begin.has_room.eq(Cat(rooms).all()),
            begin.item.op.eq(op.lanes),
            begin.item.count.eq(reader.count),
            router.to_lanes.eq(mode != Mode.UPDATE),
            router.enter.eq(begin.begins & fires),
            gradients.op.eq(op.results),
            gradients.op.adjoint.count.eq(Mux(mode == Mode.MATVEC_T, reader.count, 0)),
            gradients.enter.eq(begin.begins & ((mode == Mode.MATVEC_T) | (op.results.adjoint.clear_words != 0))),
        ]
