"""The core of the element-wise unit: cells forward and backward, and the loss, on P lanes."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.memory import ReadPort, WritePort
from amaranth.lib.wiring import Component, In, Out, Signature, connect, flipped

from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.engine import Engine
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.modes import SOON_CYCLES, cell_forward
from deltatrain.rtl.elementwise.block_ports import BANK_OF, BlockPorts, part_of, registered_answer
from deltatrain.rtl.elementwise.cells import neuron_of
from deltatrain.rtl.elementwise.chunk_lines import ChunkLines
from deltatrain.rtl.elementwise.coded_tape import CodedTape
from deltatrain.rtl.elementwise.listed_cap import ListedCap, list_neurons
from deltatrain.rtl.elementwise.loss import Loss
from deltatrain.rtl.elementwise.neuron_lane import GRADIENTS_OF_H, NeuronLane, port_bits, select_layout
from deltatrain.rtl.elementwise.op import CoreOp, ElementwiseMode
from deltatrain.rtl.elementwise.plan import BACKWARD, FORWARD, Plan
from deltatrain.rtl.elementwise.rings import ring_addresses
from deltatrain.rtl.elementwise.selects import selects
from deltatrain.rtl.elementwise.squared_loss import SquaredLoss
from deltatrain.rtl.elementwise.timetable import Read, Write, made_after
from deltatrain.rtl.parts.arguments import unequal_units
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.lane_runs import addresses, enables, lane_runs, read_signature, write_signature
from deltatrain.rtl.parts.layouts import word

__all__ = ["ElementwiseCore"]

_BASES = {
    "memory": "memory",
    "state": "state",
    "tape": "tape",
    "g_above": "g_above",
    "g_recurrent": "g_recurrent",
    "carry": "carry",
    "gradient": "later_gradient",
    "new_state": "new_state",
    "new_tape": "tape",
    "new_h": "h",
    "new_carry": "carry",
    "new_gradient": "gradient",
}
"""Member of the op that says where a vector begins, by the port to its memory."""

_TAPE = ("tape", "new_tape")
"""The ports to the tape, on which codes may lie."""

_BLANK = {"memory": "blank", "state": "begins", "carry": "ends", "gradient": "ends"}
"""Member of the op that says whether what a port reads counts as zero; of M, for each of its parts."""


class ElementwiseCore(Component):
    """Runs ops back to back; it never stalls once an op is offered.

    An op begins in the cycle in which it is offered. It stays at the port while it is worked on and is taken in its
    last cycle, so the next may begin in the cycle after. An op of K chunks of P neurons takes K times the cell's slots;
    a loss of C classes takes C times its mode's ``class_cycles``. `done` is high ``drain_cycles`` after the cycle that
    follows the last, for all ops alike, so that they are done in order.

    `rtl/elementwise/cells` draws the way of a chunk through a lane, `rtl.elementwise.loss` that of a class and
    `rtl.elementwise.squared_loss` that of a number. Lanes behind the last neuron make zeros from zeros. Only the tape
    differs: sigmoid(0) is a half there, and it is read only as a factor of zero.

    Parameters
    ----------
    engine
        Lanes and formats; P is a power of two and serves lanes, encoder and element-wise unit alike.
    cell
        A member of `accel.cells`.
    accumulator_words, vector_words, state_words, tape_words, gradient_banks
        Sizes of the memories that it works on; see `CoreOp`.
    most_classes
        Most classes of a loss.
    wanted
        Most numbers that a squared loss may be told, 0 where the loss is of classes.
    is_part
        Whether logits come from all of several tiles.
    gate_lanes, code_bits, rooms
        As of `rtl.commands.sizes.TileSizes`.
    copies, restores
        Whether some ops are copies, which `rtl.elementwise.state_copy` does: their cycles pass here like any other's;
        whether those restore M, to its third bank.
    neuron
        As of `rtl.elementwise.cells.neuron_of`.

    Members
    -------
    ops : In(stream.Signature(CoreOp))
        The ops.
    copied : In(1)
        The last cycle of a copy; present if `copies`.
    soon : Out(1)
        High for one cycle for each op, `SOON_CYCLES` before `done`: what it made is stored.
    done : Out(1)
        High for one cycle for each op, in order: what it made may be read from this cycle on.
    rooms : Out(room_port)
        What room the spikes of a step left (`rtl.elementwise.listed_cap`); present if there are `rooms`.
    result : Out(Result)
        Each output of the network once, as its loss reads it.
    logits : In(ReadPort.Signature)
        The logits summed over all tiles; present if `is_part`, else they are in M.
    memory : In(read_signature)
        M and the logits. Every memory answers in the cycle after it is addressed.
    state, new_state : In(ReadPort.Signature), In(WritePort.Signature)
        The states, c or h_gate, if the cell has one.
    tape, new_tape : In(ReadPort.Signature), In(WritePort.Signature)
        The tape, values of different widths sign-extended.
    new_h : In(WritePort.Signature)
        h.
    g_above, g_recurrent : In(ReadPort.Signature)
        The two parts of the gradient of h; each word is read once.
    carry, new_carry : In(ReadPort.Signature), In(WritePort.Signature)
        What a backward step hands to the one before, if the cell has it.
    gradient, new_gradient : In(read_signature), In(write_signature)
        g(M), and where it and the gradient of the logits go.

    Raises
    ------
    ValueError
        If a size is not positive, or the engine's units have different numbers of lanes.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        cell: str,
        accumulator_words: int,
        vector_words: int,
        state_words: int,
        tape_words: int,
        most_classes: int,
        wanted: int = 0,
        is_part: bool = False,
        gate_lanes: int = 0,
        code_bits: int = 0,
        copies: bool = False,
        restores: bool = False,
        rooms: int = 0,
        neuron: LeakyNeuron | None = None,
        gradient_banks: int = 2,
    ) -> None:
        for reason in unequal_units(engine):
            raise ValueError(reason)
        self._copies, self._restores = copies, restores
        self._engine, self._is_part, self._runs = engine, is_part, lane_runs(gate_lanes, engine.lanes)
        self._arithmetic, self._plan = CELL_ARITHMETIC.load(cell), Plan.of_cell(cell, engine.formats)
        self._neuron = neuron_of(cell, neuron)
        self._cap = ListedCap(lanes=engine.elementwise_lanes, rooms=rooms) if rooms else None
        self._coded = CodedTape(self._plan, self._arithmetic, code_bits) if code_bits else None
        self._op = CoreOp(
            accumulator_words=accumulator_words,
            vector_words=vector_words,
            state_words=state_words,
            tape_words=tape_words,
            most_count=max(vector_words, most_classes),
            wanted=wanted,
            number_bits=engine.formats.memory.bits,
            later_blocks=self._arithmetic.ACCUMULATORS - 1 if gate_lanes else 0,
            lanes=engine.lanes,
            restores=restores,
            rooms=rooms,
            gradient_banks=gradient_banks,
        )
        self._loss = (
            SquaredLoss(engine=engine, op=self._op)
            if wanted
            else Loss(engine=engine, op=self._op, most_classes=most_classes)
        )
        ports = {name: In(self._signature(ReadPort, "read", name)) for name in self._plan.ports("read")}
        ports |= {name: In(self._signature(WritePort, "write", name)) for name in self._plan.ports("write")}
        g_h = ports.pop("g_h")
        ports |= dict.fromkeys(GRADIENTS_OF_H, g_h)
        result = self._loss.signature.members["result"]
        if is_part:
            ports["logits"] = self._loss.signature.members["memory"]
        super().__init__(
            {
                "ops": In(stream.Signature(self._op)),
                **({"copied": In(1)} if copies else {}),
                "soon": Out(1),
                "done": Out(1),
                **ports,
                **({"rooms": self._cap.signature.members["rooms"]} if self._cap else {}),
                "result": result,
            }
        )
        # Which ports there are, the timetables of the cell say.
        self._port_of = {name: getattr(self, name) for name in ports}

    def _signature(self, kind: type[ReadPort] | type[WritePort], direction: str, name: str) -> Signature:
        base = _BASES[GRADIENTS_OF_H[0] if name == "g_h" else name]
        bits = self._engine.formats.memory.bits if name == "memory" else port_bits(self._plan, direction, name)
        if self._coded is not None and name in _TAPE:
            bits = self._coded.bits(bits)
        if name in BANK_OF:
            signature = read_signature if direction == "read" else write_signature
            bank_bits = 1 + self._restores if name == "memory" else self._op["gradient_bank"].width
            return signature(bits, self._runs, bank_bits + self._op[base].width)
        return kind.Signature(addr_width=self._op[base].width, shape=word(bits, self._engine.elementwise_lanes))

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        m.submodules.loss = self._loss
        begins = self._sequence(m)
        beats = [self._beats(m, program, begins[program]) for program in (FORWARD, BACKWARD)]
        select = self._select(m, beats)
        lanes = [NeuronLane(plan=self._plan, neuron=self._neuron) for _ in range(self._engine.elementwise_lanes)]
        for number, lane in enumerate(lanes):
            m.submodules[f"lane_{number}"] = lane
            m.d.comb += lane.select.eq(select)
        self._ports(m, beats, select, lanes)
        return m

    # --- which chunk

    def _sequence(self, m: Module) -> list[Signal]:
        """Describe the op in front; return for each program whether a chunk of it begins in this cycle."""
        op, valid = self.ops.payload, self.ops.valid
        slot, chunk = Signal(range(max(self._plan.slots))), Signal.like(op.count)
        next_chunk, ends = Signal.like(op.count, init=1), Signal()
        writes = self._plan.steps(FORWARD, ("write", "new_tape"))
        tape_words = len(writes) if self._coded is None else self._coded.words.whole
        self._chunk, self._is_last, self._tape_offset = chunk, Signal(), Signal.like(op.tape)
        last_slot = Signal()
        begins = []
        for program, mode in ((FORWARD, ElementwiseMode.CELL_FORWARD), (BACKWARD, ElementwiseMode.CELL_BACKWARD)):
            runs, begin = Signal(name=f"runs_{program}"), Signal(name=f"begins_{program}")
            m.d.comb += [runs.eq(valid & (op.mode == mode)), begin.eq(runs & (slot == 0))]
            with m.If(runs):
                m.d.comb += last_slot.eq(slot == self._plan.slots[program] - 1)
                m.d.sync += slot.eq(Mux(last_slot, 0, slot + 1))
            begins.append(begin)
        m.d.comb += [self._is_last.eq(next_chunk == op.count), ends.eq(last_slot & self._is_last)]
        self._code_places = self._coded.places(m, op, chunk, last_slot, ends) if self._coded is not None else {}
        with m.If(last_slot):
            m.d.sync += [
                chunk.eq(Mux(ends, 0, next_chunk)),
                next_chunk.eq(Mux(ends, 1, next_chunk + 1)),
                self._tape_offset.eq(Mux(ends, 0, self._tape_offset + tape_words)),
            ]
        self._neuron_numbers = [self._counted(m, program, begin) for program, begin in enumerate(begins)]
        ended = Signal()
        m.d.comb += [
            self._loss.valid.eq(valid & (op.mode == ElementwiseMode.LOSS)),
            self._loss.op.eq(op),
            ended.eq(ends | self._loss.ends | (self.copied if self._copies else 0)),
            self.ops.ready.eq(ended),
            self.soon.eq(delayed(m, ended, 1 + cell_forward.drain_cycles(self._engine) - SOON_CYCLES)),
            self.done.eq(delayed(m, self.soon, SOON_CYCLES)),
        ]
        return begins

    def _counted(self, m: Module, program: int, begin: Signal) -> Signal:
        """Return the number of the neuron of `program` that begins, among as many as its rings hold."""
        held = max((ring.neurons for ring in self._plan.rings.values() if ring.program == program), default=1)
        number = Signal(range(held), name=f"neuron_{program}")
        m.d.sync += number.eq(number + begin)
        return number

    def _beats(self, m: Module, program: int, begin: Signal) -> list[Signal]:
        """Return whether a neuron is in its cycle 0, 1, 2, ... of `program`."""
        steps = self._plan.programs[program].steps
        last = max((step.cycle + made_after(step) for step in steps), default=0)
        beats = [begin]
        for _ in range(last):
            beats.append(delayed(m, beats[-1], 1))
        return beats

    def _select(self, m: Module, beats: list[list[Signal]]) -> Signal:
        """Return which choices the lanes make in this cycle; it is known, and registered, in the one before."""
        found = selects(self._plan)
        select = Signal(select_layout(found), name="select")
        for name, choices in found.items():
            for bit, (choice, cycles) in enumerate(choices.items()):
                assert all(cycle > 0 for _, cycle in cycles), (
                    f"{name} {choice}: a neuron's first cycle has only addresses"
                )
                m.d.sync += select[name][bit].eq(Cat(beats[program][cycle - 1] for program, cycle in cycles).any())
        return select

    # --- memory ports

    def _ports(self, m: Module, beats: list[list[Signal]], select: Signal, lanes: list[NeuronLane]) -> None:
        """Connect the lanes' values, and address what they read and write."""
        lines = ChunkLines(m, self._chunk_places(), beats, self._plan.slots)
        rings = ring_addresses(m, self._plan, beats, lines)
        m.d.comb += [lane.rings.eq(rings) for lane in lanes]
        cells = self._plan, self._arithmetic
        bank_bits = self._op["gradient_bank"].width
        blocks = BlockPorts(m, *cells, self._runs, beats, lines, bank_bits, has_third_bank=self._restores)
        for name in self._plan.ports("read"):
            m.d.comb += [lane.blank[name].eq(self._blank(lines, beats, name)) for lane in lanes]
            for member in GRADIENTS_OF_H if name == "g_h" else (name,):
                port = self._port_of[member]
                if self._coded is not None and name in _TAPE:
                    answers = self._coded.read(m, port, port_bits(self._plan, "read", name), beats, lines)
                elif name in BANK_OF:
                    answers = blocks.read(name, port, select)
                else:
                    self._access(m, lines, beats, ("read", name), member)
                    answers = [port.data[number] for number in range(len(lanes))]
                m.d.comb += [lane.read[member].eq(answer) for lane, answer in zip(lanes, answers, strict=True)]
        for name in self._plan.ports("write"):
            values = [lane.write[name] for lane in lanes]
            if self._coded is not None and name in _TAPE:
                self._coded.write(m, self._port_of[name], values, beats, lines)
            elif name in BANK_OF:
                blocks.write(name, self._port_of[name], values)
            else:
                self._access(m, lines, beats, ("write", name), name)
                m.d.comb += [self._port_of[name].data[number].eq(value) for number, value in enumerate(values)]
        self._share_with_loss(m, blocks)
        if self._neuron is not None:
            list_neurons(m, self._plan, self._cap, lanes, beats, lines)
        if self._cap is not None:
            connect(m, self._cap.rooms, flipped(self.rooms))

    def _chunk_places(self) -> dict[str, Value]:
        """Return the address of this cycle's chunk for each port, and what else its later cycles need to know."""
        op = self.ops.payload
        places: dict[str, Value] = {}
        for name, base in _BASES.items():
            offset = self._tape_offset if base == "tape" else self._chunk
            places[name] = (op[base] + offset)[: len(op[base])]
        if len(self._runs) == 1:
            for block in range(1, self._arithmetic.ACCUMULATORS):
                places[f"word_{block}"] = times(op.count, block)[: len(op.memory)]
        else:
            for block, (word_of, lane) in enumerate(zip(op.block_words, op.block_lanes, strict=True), 1):
                places |= {f"word_{block}": word_of, f"lane_{block}": lane}
            places["neurons"] = Mux(self._is_last, op.last_neurons, 0)
        places |= self._code_places
        if self._cap is not None:
            places |= {"first": self._chunk == 0, "last": self._is_last, "most": op.most, "row": op.row}
        third = ("restored",) if self._restores else ()
        places |= {f"neuron_{ring.program}": self._neuron_numbers[ring.program] for ring in self._plan.rings.values()}
        return places | {name: op[name] for name in (*BANK_OF.values(), *_BLANK.values(), *third)}

    def _access(
        self, m: Module, lines: ChunkLines, beats: list[list[Signal]], part: tuple[str, str], member: str
    ) -> None:
        """Say whether a memory port is used in this cycle, and with what address.

        Both are in registers unless a neuron's first cycle uses the port, as a deep memory chooses its block by them.
        """
        asked: Value | int = 0
        port = self._port_of[member]
        steps = [(program, step) for program in (FORWARD, BACKWARD) for step in self._plan.steps(program, part)]
        ahead = int(all(step.cycle > 0 for _, step in steps))
        domain = m.d.sync if ahead else m.d.comb
        for program, step in steps:
            assert isinstance(step, Read | Write)
            beat, place = beats[program][step.cycle - ahead], lines.at(member, step.cycle - ahead, program)
            asked |= beat
            with m.If(beat):
                domain += port.addr.eq(place + step.word)
        domain += port.en.eq(asked)

    def _blank(self, lines: ChunkLines, beats: list[list[Signal]], name: str) -> Value | int:
        """Return whether what is taken of the port `name` in this cycle counts as zero."""
        if name not in _BLANK:
            return 0
        blank: Value | int = 0
        for program in (FORWARD, BACKWARD):
            for step in self._plan.steps(program, ("read", name)):
                assert isinstance(step, Read)
                answered = step.cycle + made_after(step) - 1
                part = part_of(self._arithmetic, name, step.word)
                blank |= beats[program][answered] & lines.at(_BLANK[name], answered, program)[part]
        return blank

    def _share_with_loss(self, m: Module, blocks: BlockPorts) -> None:
        """Let the loss use the memory ports in its cycles; no cell op uses them then. It gets registered answers."""
        loss = self._loss
        m.d.comb += self.result.eq(loss.result)
        if self._is_part:
            m.d.comb += [self.logits.en.eq(loss.memory.en), self.logits.addr.eq(loss.memory.addr)]
            m.d.comb += loss.memory.data.eq(registered_answer(m, "logits", self.logits))
        else:
            m.d.comb += loss.memory.data.eq(blocks.answers["memory"])
            with m.If(loss.memory.en):
                m.d.comb += self.memory.en.eq(1)
                m.d.comb += [address.eq(loss.memory.addr) for address in addresses(self.memory)]
        with m.If(loss.new_gradient.en):
            m.d.comb += self.new_gradient.data.eq(loss.new_gradient.data)
            m.d.comb += [enable.eq(1) for enable in enables(self.new_gradient)]
            m.d.comb += [address.eq(loss.new_gradient.addr) for address in addresses(self.new_gradient)]


def times(value: Value, factor: int) -> Value:
    """Return `value` * `factor` as a sum, for which no multiplier is taken."""
    terms = [value << bit for bit in range(factor.bit_length()) if factor >> bit & 1]
    return sum(terms[1:], start=terms[0])
