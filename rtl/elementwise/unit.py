"""The element-wise unit: the core that computes, and the memories that only it uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.memory import ReadPort, WritePort
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.engine import Engine
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.unit_counters import count_cycles, spent_layout
from deltatrain.rtl.commands.waits import Wait, command, counts_layout
from deltatrain.rtl.elementwise.core import ElementwiseCore
from deltatrain.rtl.elementwise.op import ElementwiseMode, ElementwiseOp
from deltatrain.rtl.elementwise.plan import Plan
from deltatrain.rtl.elementwise.state_copy import StateCopy
from deltatrain.rtl.engine.ports import SharedMemories
from deltatrain.rtl.parts.lane_runs import addresses
from deltatrain.rtl.parts.of_arrays import of_arrays
from deltatrain.rtl.parts.tape_ports import TapePorts
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

__all__ = ["ElementwiseUnit"]

_COPIED = ("h", "held", "new_held")
_MOVED = {"stored_states": "stored", "loaded_states": "loaded"}


class ElementwiseUnit(Component):
    """Runs the ops of the core, and keeps the states, the tape, and what a backward step hands to the one before.

    Parameters
    ----------
    engine
        Lanes and formats.
    cell
        A member of `accel.cells`.
    sizes
        Of the tile's memories.
    gives_results
        Whether what the network puts out leaves.
    neuron
        As of `rtl.elementwise.cells.neuron_of`.

    Attributes
    ----------
    commands : In(stream.Signature(command(ElementwiseOp)))
        What to do.
    ready_counts : In(counts_layout)
        From `rtl.commands.waits.DoneCounts`.
    running : In(1)
        Whether ops may start.
    shared : In(SharedMemories)
        To the engine's memories.
    new_h : In(WritePort.Signature)
        To the memory of h.
    logits : In(ReadPort.Signature)
        The logits; present in one tile of several, see `rtl.elementwise.core`.
    result, has_room : Out(Result), In(1)
        Each output of the network, as of the core; whether there is room for those of one more op. A loss begins only
        with room. Present if `gives_results`.
    gives : Out(1)
        High for a cycle when a loss begins; likewise.
    stored, loaded : Out(TapePorts), the former an array where the store hands over several words in a cycle
        Read ports for the store of the tape, write ports for its load; present where the tape lives off-chip. The load
        does not write in a cycle in which the unit does: before what is loaded is read, all that was made has been
        stored; or what is loaded has memories of its own, where steps are run again meanwhile.
    stored_states, loaded_states : Out(KeptPorts)
        Likewise of kept states, see `rtl.elementwise.state_copy`; present where states are moved.
    h, held, new_held : In(ReadPort.Signature), In(ReadPort.Signature), In(WritePort.Signature)
        To the memories of h, x-hat and h-hat, for copies of states; present where states are
        kept, the latter two where those have x-hat and h-hat.
    rooms : Out(room_port)
        What room the spikes of a step left, as of the core; present where lists have a cap.
    soon : Out(1)
        High for one cycle for each op, in order: what it made is stored.
    spent : Out(spent_layout)
        Busy and stalled cycles; a loss that waits for room of its results stalls for the stream.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        cell: str,
        sizes: TileSizes,
        gives_results: bool = False,
        neuron: LeakyNeuron | None = None,
    ) -> None:
        self._sizes, self._gives_results = sizes, gives_results
        self._is_recurrent = bool(CELL_ARITHMETIC.load(cell).BLOCKS_H)
        self._core = ElementwiseCore(
            engine=engine,
            cell=cell,
            accumulator_words=sizes.accumulator_words,
            vector_words=sizes.vector_words,
            state_words=sizes.all_state_words,
            tape_words=sizes.all_tape_words,
            most_classes=sizes.most_classes,
            wanted=sizes.wanted,
            is_part=sizes.is_part,
            gate_lanes=sizes.gate_lanes,
            code_bits=sizes.code_bits,
            copies=sizes.keeps_states,
            restores=sizes.restores_sums,
            rooms=sizes.rooms,
            neuron=neuron,
            gradient_banks=sizes.gradient_banks,
        )
        self._copy = None
        if sizes.keeps_states:
            self._copy = StateCopy(engine=engine, plan=Plan.of_cell(cell, engine.formats), sizes=sizes)
        copied = self._copy.signature.members if self._copy else {}
        copy = self._copy.op.shape() if self._copy else None
        self._op = ElementwiseOp(self._core.ops.payload.shape(), sizes, copy)
        ports = self._core.signature.members
        moved: dict[str, object] = {}
        if sizes.tape_is_remote:
            # The core's ports face a memory; these face the store and the load, so they are the other side.
            kept = ("tape", "state", "new_tape", "new_state")
            of_memory = {name: ports[name].signature.flip() for name in kept if name in ports}
            stored = Out(TapePorts(tape=of_memory.get("tape"), state=of_memory.get("state")))
            moved["stored"] = stored if sizes.store_words == 1 else stored.array(sizes.store_words)
            moved["loaded"] = Out(TapePorts(tape=of_memory.get("new_tape"), state=of_memory.get("new_state")))
        super().__init__(
            {
                "commands": In(stream.Signature(command(self._op, sizes.units))),
                "ready_counts": In(counts_layout(sizes.units)),
                "running": In(1),
                "shared": In(SharedMemories(engine, sizes)),
                "new_h": ports["new_h"],
                **({"logits": ports["logits"]} if sizes.is_part else {}),
                **({"result": ports["result"], "has_room": In(1), "gives": Out(1)} if gives_results else {}),
                **moved,
                **({"rooms": ports["rooms"]} if sizes.rooms else {}),
                **{name: copied[name] for name in _COPIED if name in copied},
                **{name: copied[inside] for name, inside in _MOVED.items() if inside in copied},
                "soon": Out(1),
                "spent": Out(spent_layout(1, sizes.units)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Start each op when its waits are done, with the banks of M as they are then."""
        m = Module()
        m.submodules.start = start = Wait(self._op, self._sizes.units, places=2)
        m.submodules.core = core = self._core
        connect(m, flipped(self.commands), start.i)
        active = Signal()
        may_begin = self._give(m, core, active) if self._gives_results else self.running
        m.d.comb += [
            start.counts.eq(self.ready_counts),
            active.eq(start.o.valid & may_begin),
            core.ops.valid.eq(active),
            start.o.ready.eq(core.ops.ready & self.running),
            core.ops.payload.eq(start.o.payload.op),
            self.shared.read_region.eq(start.o.payload.region),
            self.soon.eq(core.soon),
        ]
        self._find_banks(m, core)
        if self._copy is not None:
            self._copy_states(m, core, self._copy, start.o.payload, active)
        if self._sizes.rooms:
            connect(m, core.rooms, flipped(self.rooms))
        self._share(m, core)
        self._keep(m, core)
        count_cycles(
            m,
            self._sizes,
            self.spent,
            running=self.running,
            active=start.o.valid,
            works=active,
            unmet=start.unmet,
        )
        return m

    def _give(self, m: Module, core: ElementwiseCore, active: Signal) -> Value:
        """Give what the network puts out; return whether the op in front may begin, or go on."""
        begun, is_loss = Signal(), Signal()
        m.d.sync += begun.eq(active & ~core.ops.ready)
        m.d.comb += [
            is_loss.eq(core.ops.payload.mode == ElementwiseMode.LOSS),
            self.gives.eq(active & is_loss & ~begun),
            self.result.eq(core.result),
        ]
        return self.running & (~is_loss | begun | self.has_room)

    def _find_banks(self, m: Module, core: ElementwiseCore) -> None:
        """Tell the core in which banks M is: the engine knows, unless it may be a step ahead of the cells already.

        So it may be without a recurrent matrix, where no product waits for a cell: then the command says it.
        """
        op = core.ops.payload
        found = [op.banks.eq(self.shared.read_banks), op.blank.eq(self.shared.read_zeros)]
        if self._is_recurrent:
            m.d.comb += found
        else:
            with m.If(op.mode == ElementwiseMode.LOSS):
                m.d.comb += found

    def _share(self, m: Module, core: ElementwiseCore) -> None:
        """Connect the core with the memories of other units."""
        shared = self.shared
        pairs = [
            (shared.gradient, core.gradient),
            (shared.new_gradient, core.new_gradient),
            (shared.g_above, core.g_above),
            (shared.g_recurrent, core.g_recurrent),
        ]
        if self._copy is None:
            pairs += [(shared.memory, core.memory), (self.new_h, core.new_h)]
        if self._sizes.is_part:
            pairs.append((self.logits, core.logits))
        for port, inside in pairs:
            connect(m, flipped(port), inside)

    def _copy_states(self, m: Module, core: ElementwiseCore, copy: StateCopy, op: data.View, active: Signal) -> None:
        """Let copies work between the core's ops, at the same ports."""
        m.submodules.copy = copy
        m.d.comb += [
            copy.valid.eq(active & (op.op.mode == ElementwiseMode.COPY)),
            copy.op.eq(op.copy),
            core.copied.eq(copy.ends),
        ]
        _share_write(m, self.new_h, core.new_h, copy.new_h)
        for name, inside in (dict(zip(_COPIED, _COPIED, strict=True)) | _MOVED).items():
            if inside in copy.signature.members:
                connect(m, flipped(getattr(self, name)), getattr(copy, inside))
        if self._sizes.restores_sums:
            self._copy_sums(m, core, copy, op)
        else:
            connect(m, flipped(self.shared.memory), core.memory)

    def _copy_sums(self, m: Module, core: ElementwiseCore, copy: StateCopy, op: data.View) -> None:
        """Let copies read M, and say when it is restored."""
        shared, memory = self.shared, self.shared.memory
        m.d.comb += [
            copy.banks.eq(shared.read_banks),
            copy.blank.eq(shared.read_zeros),
            copy.restored.eq(shared.read_restored),
            core.ops.payload.restored.eq(shared.read_restored),
            shared.restore.eq(copy.ends & op.copy.restores),
            memory.en.eq(core.memory.en | copy.memory.en),
            *(port.data.eq(memory.data) for port in (core.memory, copy.memory)),
        ]
        for address, *asked in zip(*(addresses(port) for port in (memory, copy.memory, core.memory)), strict=True):
            m.d.comb += address.eq(Mux(copy.memory.en, *asked))
        connect(m, flipped(shared.restored), copy.new_memory)

    def _keep(self, m: Module, core: ElementwiseCore) -> None:
        """Give the core the memories that the cell needs."""
        sizes, ports = self._sizes, core.signature.members
        moved = sizes.tape_is_remote
        if "tape" in ports:
            tape = ([ports.tape for ports in of_arrays(self.stored)], self.loaded.tape) if moved else None
            self._memory(m, "tape", core.tape, core.new_tape, tape)
        if "state" in ports:
            state = ([ports.state for ports in of_arrays(self.stored)], self.loaded.state) if moved else None
            self._memory(m, "state", core.state, core.new_state, state)
        if "carry" in ports:
            self._memory(m, "carry", core.carry, core.new_carry, None)

    def _memory(
        self, m: Module, name: str, read: ReadPort, new: WritePort, moved: tuple[list[ReadPort], WritePort] | None
    ) -> None:
        """Add a memory that the core reads and writes; `moved` are the ports of the store and of the load, if any."""
        words = {"tape": self._sizes.tape_words, "state": self._sizes.state_words, "carry": self._sizes.vector_words}
        memory = UncheckedMemory(shape=read.data.shape(), depth=words[name])
        m.submodules[f"{name}_memory"] = memory
        shown, write = memory.read_port(), memory.write_port()
        brings = moved is not None and self._sizes.brings_tapes
        if moved is not None and brings:
            shown = self._brought(m, name, shown, *moved, memory.read_port())
        if name == "state" and self._copy is not None:
            _share_read(m, shown, read, self._copy.state)
            _share_write(m, write, new, self._copy.new_state)
            return
        connect(m, shown, read)
        if moved is None:
            connect(m, write, new)
        elif brings:
            _write(m, write, new)
        else:
            stored, loaded = moved
            for port in stored:
                connect(m, memory.read_port(), flipped(port))
            _share_write(m, write, new, loaded)

    def _brought(
        self, m: Module, name: str, made: ReadPort, stored: Sequence[ReadPort], loaded: WritePort, of_store: ReadPort
    ) -> Any:
        """Add the memory of what came back while more is made; return a port to read both by.

        The highest bit of an address there says which memory it is in. What is stored, a word a cycle, was made here.
        """
        words = {"tape": self._sizes.brought_tape_words, "state": self._sizes.brought_state_words}
        memory = UncheckedMemory(shape=made.data.shape(), depth=words[name])
        m.submodules[f"brought_{name}"] = memory
        (to_store,) = stored
        brought, is_brought = memory.read_port(), Signal(name=f"{name}_is_brought")
        any_addr = ReadPort.Signature(addr_width=len(to_store.addr), shape=made.data.shape())
        either = any_addr.create(path=(f"any_{name}",))
        m.d.comb += [
            *(port.addr.eq(either.addr) for port in (made, brought)),
            made.en.eq(either.en & ~either.addr[-1]),
            brought.en.eq(either.en & either.addr[-1]),
            either.data.eq(Mux(is_brought, brought.data, made.data)),
            of_store.en.eq(to_store.en),
            of_store.addr.eq(to_store.addr),
            to_store.data.eq(of_store.data),
        ]
        with m.If(either.en):
            m.d.sync += is_brought.eq(either.addr[-1])
        _write(m, memory.write_port(), loaded)
        return either


def _write(m: Module, write: WritePort, new: WritePort) -> None:
    """Write to a memory that has fewer addresses than the port `new` can name."""
    m.d.comb += [write.en.eq(new.en), write.addr.eq(new.addr), write.data.eq(new.data)]


def _share_read(m: Module, shown: ReadPort, first: ReadPort, second: ReadPort) -> None:
    """Let two read at one port, never in the same cycle."""
    m.d.comb += [
        shown.en.eq(first.en | second.en),
        shown.addr.eq(Mux(first.en, first.addr, second.addr)),
        *(port.data.eq(shown.data) for port in (first, second)),
    ]


def _share_write(m: Module, write: WritePort, first: WritePort, second: WritePort) -> None:
    """Let two write at one port, never in the same cycle."""
    m.d.comb += [
        write.en.eq(first.en | second.en),
        write.addr.eq(Mux(first.en, first.addr, second.addr)),
        Value.cast(write.data).eq(Mux(first.en, first.data, second.data)),
    ]
