"""Copies a layer's state within local memory: kept from the working state, or restored to it, a word a cycle."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, enum
from amaranth.lib.memory import ReadPort, WritePort
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.elementwise.plan import BACKWARD, FORWARD, Plan
from deltatrain.rtl.lanes.banks import PARTS
from deltatrain.rtl.off_chip.state_words import KeptPorts
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.lane_runs import addresses, lane_runs, read_signature
from deltatrain.rtl.parts.layouts import INDEX_BITS, word
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

__all__ = ["CopyOp", "StateCopy"]


class _Vector(enum.Enum, shape=unsigned(2)):
    """Vectors of a state beside M, in the order in which they are copied: so none overtakes another."""

    HELD_X = 0
    HELD_H = 1
    STATE = 2
    H = 3


class CopyOp(data.StructLayout):
    """One copy of a layer's state. Cycles are counted from 0.

    Members
    -------
    restores : unsigned(1)
        Whether a kept state becomes the working state.
    words : unsigned
        Cycles of the op (`accel.modes.copy`).
    memory, memory_words : unsigned
        First word of M, and how many; they are copied in the first cycles.
    part_words, part_lanes : ArrayLayout(unsigned)
        Word and lane in which the second and the third part of M begin (`rtl.lanes.banks.PARTS`).
    first : unsigned
        The cycle of the first word of other vectors.
    x_words, h_words, state_words : unsigned
        Words of x-hat; of h-hat, and of h; of the cell's own state.
    held_x, held_h, held_restored, h, state : unsigned
        First words of x-hat and h-hat, and whether they are where they were restored; of h; of the cell's own state.
    kept_memory, kept_values : unsigned
        First words of M and of the other vectors where they are kept. Fields of M, x-hat and h-hat are present where
        they are of a state.
    is_loaded : unsigned(1)
        Whether the state that is restored was loaded, and is where such are kept; present where states are moved.
    """

    def __init__(self, sizes: TileSizes, lanes: int) -> None:
        count, lane = unsigned(INDEX_BITS), unsigned(ceil_log2(lanes))
        held = unsigned(ceil_log2(sizes.held_words))
        of_sums = {
            "memory": unsigned(ceil_log2(sizes.accumulator_words)),
            "memory_words": count,
            "part_words": data.ArrayLayout(count, PARTS - 1),
            "part_lanes": data.ArrayLayout(lane, PARTS - 1),
            **dict.fromkeys(("first", "x_words"), count),
            **dict.fromkeys(("held_x", "held_h"), held),
            "held_restored": 1,
            "kept_memory": unsigned(ceil_log2(max(sizes.kept_words, sizes.loaded_words))),
        }
        super().__init__(
            {
                "restores": 1,
                "words": count,
                **(of_sums if sizes.restores_sums else {}),
                **dict.fromkeys(("h_words", "state_words"), count),
                "h": unsigned(ceil_log2(sizes.vector_words)),
                "state": unsigned(ceil_log2(sizes.state_words)),
                "kept_values": unsigned(ceil_log2(max(sizes.kept_values, sizes.loaded_values))),
                **({"is_loaded": 1} if sizes.moves_states else {}),
            }
        )


class StateCopy(Component):
    """Copies states, and keeps them.

    It shares the ports of the element-wise core, and works behind its ops as if it were one of them. So the core's
    timetables say in which cycles it may use which port (`_when`): an op that went before reads and writes a little
    longer than it issues, and the next one begins right behind.

    Parameters
    ----------
    engine
        Lanes and formats.
    plan
        The cell's timetables.
    sizes
        Of the tile's memories.

    Attributes
    ----------
    valid, op, ends : In(1), In(CopyOp), Out(1)
        Whether there is an op; it stays until the cycle of `ends`, its last.
    banks, blank, restored : In(PARTS)
        Where M is, see `rtl.lanes.banks`. These, M, x-hat and h-hat are present where they are of a state.
    memory, new_memory : In(read_signature), In(WritePort.Signature)
        M; its third bank, where it is restored.
    held, new_held : In(ReadPort.Signature), In(WritePort.Signature)
        x-hat and h-hat, and where they are restored, see `rtl.encoder.delta_encoder`.
    state, new_state : In(ReadPort.Signature), In(WritePort.Signature)
        The cell's own state; present if it has one.
    h, new_h : In(ReadPort.Signature), In(WritePort.Signature)
        h.
    stored, loaded : Out(KeptPorts)
        Read ports of the states that were kept, write ports of those that are loaded, which have memories of their own;
        present where states are moved.
    """

    def __init__(self, *, engine: Engine, plan: Plan, sizes: TileSizes) -> None:
        formats, lanes = engine.formats, engine.lanes
        self._lanes, self._sizes = lanes, sizes
        self._has_state = "new_state" in plan.ports("write")
        self._runs = lane_runs(sizes.gate_lanes, lanes)
        self._memory_bits = formats.memory_bits
        self._value_bits = max(formats.activation.bits, formats.state.bits if self._has_state else 0)
        self._read_cycle, self._write_cycles = _when(plan)
        vectors = {"held": (sizes.held_words, formats.activation.bits)} if sizes.restores_sums else {}
        vectors["h"] = sizes.vector_words, formats.activation.bits
        if self._has_state:
            vectors["state"] = sizes.state_words, formats.state.bits
        ports: dict[str, Any] = {}
        for name, (words, bits) in vectors.items():
            width, shape = ceil_log2(words), word(bits, lanes)
            ports[name] = In(ReadPort.Signature(addr_width=width + (name == "held"), shape=shape))
            ports[f"new_{name}"] = In(WritePort.Signature(addr_width=width, shape=shape))
        accumulator, M = ceil_log2(sizes.accumulator_words), word(self._memory_bits, lanes)
        of_sums = {
            **dict.fromkeys(("banks", "blank", "restored"), In(PARTS)),
            "memory": In(read_signature(self._memory_bits, self._runs, accumulator + 2)),
            "new_memory": In(WritePort.Signature(addr_width=accumulator, shape=M)),
        }
        super().__init__(
            {
                "valid": In(1),
                "op": In(CopyOp(sizes, lanes)),
                "ends": Out(1),
                **(of_sums if sizes.restores_sums else {}),
                **ports,
                **(self._moved() if sizes.moves_states else {}),
            }
        )

    def _moved(self) -> dict[str, Any]:
        """Return the ports of the store and the load."""
        sizes, M, value = self._sizes, word(self._memory_bits, self._lanes), word(self._value_bits, self._lanes)
        kept, loaded = (
            {
                "memory": kind(addr_width=ceil_log2(words), shape=M) if words else None,
                "values": kind(addr_width=ceil_log2(values), shape=value),
            }
            for kind, words, values in (
                (ReadPort.Signature, sizes.kept_words, sizes.kept_values),
                (WritePort.Signature, sizes.loaded_words, sizes.loaded_values),
            )
        )
        return {"stored": Out(KeptPorts(**kept)), "loaded": Out(KeptPorts(**loaded))}

    def _kept(self, m: Module, name: str, bits: int, words: int, loaded_words: int) -> tuple[Any, Any, Signal]:
        """Add the memory of kept states, and of loaded ones.

        Return what reads either, what writes the first, and the signal that says whether a loaded state is read.
        """
        shape = word(bits, self._lanes)
        memory = UncheckedMemory(shape=shape, depth=words)
        m.submodules[f"kept_{name}"] = memory
        read, write = memory.read_port(), memory.write_port()
        is_loaded = Signal(name=f"{name}_is_loaded")
        if not self._sizes.moves_states:
            return read, write, is_loaded
        loaded = UncheckedMemory(shape=shape, depth=loaded_words)
        m.submodules[f"loaded_{name}"] = loaded
        connect(m, memory.read_port(), flipped(getattr(self.stored, name)))
        connect(m, loaded.write_port(), flipped(getattr(self.loaded, name)))
        read_loaded, was_loaded = loaded.read_port(), Signal(name=f"{name}_was_loaded")
        width = ceil_log2(max(words, loaded_words))
        either = ReadPort.Signature(addr_width=width, shape=shape).create(path=(f"either_{name}",))
        m.d.comb += [
            *(port.en.eq(either.en) for port in (read, read_loaded)),
            *(port.addr.eq(either.addr) for port in (read, read_loaded)),
            either.data.eq(Mux(was_loaded, read_loaded.data, read.data)),
        ]
        m.d.sync += was_loaded.eq(is_loaded)
        return either, write, is_loaded

    def elaborate(self, platform: object) -> Module:
        """Count the op's cycles; copy M, then the other vectors."""
        m = Module()
        number = Signal(INDEX_BITS)
        m.d.comb += self.ends.eq(self.valid & (number + 1 == self.op.words))
        with m.If(self.valid):
            m.d.sync += number.eq(Mux(self.ends, 0, number + 1))
        if self._sizes.restores_sums:
            self._copy_memory(m, number)
        self._copy_vectors(m, number)
        return m

    def _copy_memory(self, m: Module, number: Signal) -> None:
        """Copy M: a word is read in its cycle, and written in the next."""
        op, sizes = self.op, self._sizes
        read, write, is_loaded = self._kept(m, "memory", self._memory_bits, sizes.kept_words, sizes.loaded_words)
        if sizes.moves_states:
            m.d.comb += is_loaded.eq(op.is_loaded)
        keeps, restores, place = Signal(), Signal(), Signal.like(op.memory)
        works = self.valid & (number < op.memory_words)
        m.d.comb += [
            keeps.eq(works & ~op.restores),
            restores.eq(works & op.restores),
            place.eq(op.memory + number),
            self.memory.en.eq(keeps),
            read.en.eq(restores),
            read.addr.eq(op.kept_memory + number),
            write.en.eq(delayed(m, keeps, 1)),
            write.addr.eq(delayed(m, read.addr, 1)),
            self.new_memory.en.eq(delayed(m, restores, 1)),
            self.new_memory.addr.eq(delayed(m, place, 1)),
            self.new_memory.data.eq(read.data),
        ]
        for run, address in zip(self._runs, addresses(self.memory), strict=True):
            bits = self._of_part(m, number, run)
            m.d.comb += Value.cast(address).eq(bits["banks"] | (place << 1) | (bits["restored"] << (len(place) + 1)))
            blank = delayed(m, bits["blank"], 1)
            m.d.comb += [write.data[lane].eq(Mux(blank, 0, self.memory.data[lane])) for lane in run]

    def _of_part(self, m: Module, number: Signal, run: range) -> dict[str, Signal]:
        """Return what is known of the part of M that the lanes of a run meet in this cycle."""
        op = self.op
        found = {name: Signal(name=f"{name}_{run.start}") for name in ("banks", "blank", "restored")}
        begun = [
            (number > op.part_words[part]) | ((number == op.part_words[part]) & (op.part_lanes[part] <= run.start))
            for part in range(PARTS - 1)
        ]
        for name, bit in found.items():
            of_parts = getattr(self, name)
            m.d.comb += bit.eq(Mux(begun[1], of_parts[2], Mux(begun[0], of_parts[1], of_parts[0])))
        return found

    def _copy_vectors(self, m: Module, number: Signal) -> None:
        """Copy the other vectors, each in the cycles in which its ports are free."""
        sizes = self._sizes
        read, write, is_loaded = self._kept(m, "values", self._value_bits, sizes.kept_values, sizes.loaded_values)
        stages = [self._vector(m, number)]
        for _ in range(max(self._read_cycle + 1, *self._write_cycles.values())):
            stages.append(delayed(m, stages[-1], 1))
        self._keep(m, stages, write)
        self._restore(m, stages, read, is_loaded)

    def _vector(self, m: Module, number: Signal) -> Signal:
        """Return which word of which vector this cycle copies."""
        op = self.op
        at = Signal.like(number, name="at")
        held = self._sizes.restores_sums
        vectors = [(_Vector.HELD_X, op.x_words, op.held_x), (_Vector.HELD_H, op.h_words, op.held_h)] if held else []
        vectors += [(_Vector.STATE, op.state_words, op.state), (_Vector.H, op.h_words, op.h)]
        ends: list[Signal] = []
        for _, words, _ in vectors:
            ends.append(Signal(INDEX_BITS, name=f"end_{len(ends)}"))
            m.d.comb += ends[-1].eq(words + ends[-2] if len(ends) > 1 else words)
        wide = max(len(base) for _, _, base in vectors)
        item = Signal(
            data.StructLayout(
                {
                    **dict.fromkeys(("keeps", "restores", "held_restored", "is_loaded"), 1),
                    "vector": _Vector,
                    "address": unsigned(wide),
                    "kept": op.kept_values.shape(),
                }
            ),
            name="item",
        )
        works, first = Signal(), vectors[0]
        m.d.comb += [
            at.eq(number - op.first if held else number),
            works.eq(self.valid & (number >= (op.first if held else 0)) & (at < ends[-1])),
            item.keeps.eq(works & ~op.restores),
            item.restores.eq(works & op.restores),
            item.held_restored.eq(op.held_restored if held else 0),
            item.is_loaded.eq(op.is_loaded if self._sizes.moves_states else 0),
            item.kept.eq(op.kept_values + at),
            item.vector.eq(first[0]),
            item.address.eq(first[2] + at),
        ]
        for (vector, _, base), begin in zip(vectors[1:], ends[:-1], strict=True):
            with m.If(at >= begin):
                m.d.comb += [item.vector.eq(vector), item.address.eq(base + at - begin)]
        return item

    def _keep(self, m: Module, stages: list[Signal], write: Any) -> None:
        """Read a word of the working state, and keep it in the cycle after."""
        reads, keeps = stages[self._read_cycle], stages[self._read_cycle + 1]
        answers: dict[Any, Any] = {_Vector.H: self.h.data}
        if self._sizes.restores_sums:
            is_held = (reads.vector == _Vector.HELD_X) | (reads.vector == _Vector.HELD_H)
            width = len(self.held.addr) - 1
            m.d.comb += [
                self.held.en.eq(reads.keeps & is_held),
                self.held.addr.eq(reads.address[:width] | (reads.held_restored << width)),
            ]
            answers |= dict.fromkeys((_Vector.HELD_X, _Vector.HELD_H), self.held.data)
        m.d.comb += [
            self.h.en.eq(reads.keeps & (reads.vector == _Vector.H)),
            self.h.addr.eq(reads.address),
            write.en.eq(keeps.keeps),
            write.addr.eq(keeps.kept),
        ]
        if self._has_state:
            answers[_Vector.STATE] = self.state.data
            m.d.comb += [
                self.state.en.eq(reads.keeps & (reads.vector == _Vector.STATE)),
                self.state.addr.eq(reads.address),
            ]
        for lane in range(self._lanes):
            for vector, answer in answers.items():
                with m.If(keeps.vector == vector):
                    m.d.comb += write.data[lane].eq(answer[lane])

    def _restore(self, m: Module, stages: list[Signal], read: Any, is_loaded: Signal) -> None:
        """Read a word of a kept state a cycle before its vector's port is free, and write it then."""
        vectors = {
            **({"held": (_Vector.HELD_X, _Vector.HELD_H)} if self._sizes.restores_sums else {}),
            "h": (_Vector.H,),
            **({"state": (_Vector.STATE,)} if self._has_state else {}),
        }
        for name, among in vectors.items():
            port, cycle = getattr(self, f"new_{name}"), self._write_cycles[name]
            asks, writes = (_is_of(stages[at], among) for at in (cycle - 1, cycle))
            with m.If(asks):
                m.d.comb += [
                    read.en.eq(1),
                    read.addr.eq(stages[cycle - 1].kept),
                    is_loaded.eq(stages[cycle - 1].is_loaded),
                ]
            m.d.comb += [port.en.eq(writes), port.addr.eq(stages[cycle].address)]
            m.d.comb += [port.data[lane].eq(read.data[lane]) for lane in range(self._lanes)]


def _is_of(item: Any, vectors: tuple[Any, ...]) -> Value:
    """Return whether a word is restored that is of one of these vectors."""
    found: Value = item.vector == vectors[0]
    for vector in vectors[1:]:
        found = found | (item.vector == vector)
    return item.restores & found


def _when(plan: Plan) -> tuple[int, dict[str, int]]:
    """Return in which cycle of a word vectors other than M are read, and in which each is written at the earliest.

    The core uses a port in cycles c of a chunk, a chunk begins every s cycles, and the last of an op begins s cycles
    before the next op. So the op before a copy uses it until c - s + 1 cycles after the copy has begun, and the op
    after it from c on. What is free for all ops of the cell is free for a copy's words.
    """
    reads = _free(plan, "read", "state")
    memory = _free(plan, "read", "memory")
    if memory.start:
        raise ValueError(f"M must be free when a copy begins, not {memory.start} cycles later")
    writes = {name: max(1, _free(plan, "write", f"new_{name}").start) for name in ("state", "h")}
    return reads.start, writes | {"held": 1}


def _free(plan: Plan, direction: str, port: str) -> range:
    """Return the cycles after its begin in which the word of a copy may use a port of the core."""
    if port not in plan.ports(direction):
        return range(1)
    used = [
        (step.cycle, plan.slots[program])
        for program in (FORWARD, BACKWARD)
        for step in plan.steps(program, (direction, port))
    ]
    found = range(max(0, *(cycle - slots + 1 for cycle, slots in used)), min(cycle for cycle, _ in used) + 1)
    if not found:
        raise ValueError(f"the timetables leave no cycle in which a copy may {direction} {port}")
    return found
