"""The element-wise unit with the memories that are its own, each op when all it waits for is done."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.unit_counters import UnitCounters, spent_layout
from deltatrain.rtl.commands.waits import Wait, command, counts_layout
from deltatrain.rtl.elementwise.core import ElementwiseCore
from deltatrain.rtl.elementwise.op import ElementwiseOp

__all__ = ["ElementwiseUnit"]

_OWN = {"state": "state_words", "tape": "tape_words", "carry": "vector_words"}
"""Memories that nobody else reads, with the name of their size."""

_SHARED = ("memory", "gradient", "new_gradient", "g_above", "g_recurrent", "new_h")
"""Ports to the memories of others."""


class ElementwiseUnit(Component):
    """Keeps states, tape and what a backward step hands on, beside the unit that works on them.

    Parameters
    ----------
    engine
        Lanes and formats.
    cell
        A member of `accel.cells`.
    sizes
        Of the tile's memories.

    Attributes
    ----------
    commands : In(stream.Signature(command(ElementwiseOp)))
        What to do.
    done_counts : In(counts_layout)
        From `rtl.commands.waits.DoneCounts`.
    running : In(1)
        Whether ops may start.
    memory, gradient, new_gradient, g_above, g_recurrent, new_h, logits : In(...)
        To memories of the other units, see `rtl.elementwise.core`.
    read_region : Out(range), read_banks, read_zeros : In(3)
        Whose M is read, and where it is, see `rtl.lanes.banks`.
    stored_tape, stored_state : Out(ReadPort.Signature)
        For the store of the tape, where that lives off-chip; states if the cell has some.
    loaded_tape, loaded_state : Out(WritePort.Signature)
        For the load of the tape, which does not write in a cycle in which the unit does: before what is loaded is read
        all that was made has been stored.
    soon : Out(1)
        What the oldest op that was not announced yet made is stored.
    spent : Out(spent_layout)
        Busy and stalled cycles.
    """

    def __init__(self, *, engine: Engine, cell: str, sizes: TileSizes) -> None:
        self._sizes = sizes
        self._core = ElementwiseCore(
            engine=engine,
            cell=cell,
            accumulator_words=sizes.accumulator_words,
            vector_words=sizes.vector_words,
            state_words=sizes.state_words,
            tape_words=sizes.tape_words,
            most_classes=sizes.most_classes,
            is_part=sizes.is_part,
        )
        self._op = ElementwiseOp(self._core.ops.payload.shape(), sizes)
        ports = self._core.signature.members
        kept = ("tape", "state") if sizes.tape_is_remote else ()
        self._moved = [name for name in kept if name in ports]
        self._given = _SHARED + ("logits",) * sizes.is_part
        parts = self._core.ops.payload.shape()["banks"].shape
        super().__init__(
            {
                "commands": In(stream.Signature(command(self._op, sizes.units))),
                "done_counts": In(counts_layout(sizes.units)),
                "running": In(1),
                **{name: ports[name] for name in self._given},
                **{f"stored_{name}": ports[name].flip() for name in self._moved},
                **{f"loaded_{name}": ports[f"new_{name}"].flip() for name in self._moved},
                "read_region": Out(range(sizes.regions)),
                "read_banks": In(parts),
                "read_zeros": In(parts),
                "soon": Out(1),
                "spent": Out(spent_layout(1, sizes.units)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Start ops in time, with the banks of M as they are then."""
        m = Module()
        m.submodules.start = start = Wait(self._op, self._sizes.units)
        m.submodules.core = core = self._core
        connect(m, flipped(self.commands), start.i)
        active = Signal()
        m.d.comb += [
            start.counts.eq(self.done_counts),
            active.eq(start.o.valid & self.running),
            core.ops.valid.eq(active),
            start.o.ready.eq(core.ops.ready & self.running),
            core.ops.payload.eq(start.o.payload.op),
            core.ops.payload.banks.eq(self.read_banks),
            core.ops.payload.blank.eq(self.read_zeros),
            self.read_region.eq(start.o.payload.region),
            self.soon.eq(core.soon),
        ]
        for name in self._given:
            connect(m, flipped(getattr(self, name)), getattr(core, name))
        self._keep(m)
        m.submodules.counters = counters = UnitCounters(units=self._sizes.units)
        m.d.comb += [
            counters.running.eq(self.running),
            counters.active.eq(active),
            counters.works.eq(active),
            counters.unmet.eq(start.unmet),
            self.spent.eq(counters.spent),
        ]
        return m

    def _keep(self, m: Module) -> None:
        """Give the unit the memories that the cell needs."""
        ports = self._core.signature.members
        for name, size in _OWN.items():
            if name not in ports:
                continue
            shape = getattr(self._core, name).data.shape()
            memory = Memory(shape=shape, depth=getattr(self._sizes, size), init=[])
            m.submodules[f"{name}_memory"] = memory
            connect(m, memory.read_port(), getattr(self._core, name))
            write, made = memory.write_port(), getattr(self._core, f"new_{name}")
            if name not in self._moved:
                connect(m, write, made)
                continue
            loaded = getattr(self, f"loaded_{name}")
            connect(m, memory.read_port(), flipped(getattr(self, f"stored_{name}")))
            m.d.comb += [
                write.en.eq(made.en | loaded.en),
                write.addr.eq(Mux(made.en, made.addr, loaded.addr)),
                Value.cast(write.data).eq(Mux(made.en, made.data, loaded.data)),
            ]
