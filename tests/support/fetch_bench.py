"""Fetch and lanes as gates in lock-step with the memory behind the port; all other units by their modes' laws."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from amaranth.hdl import Module, Value
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator
from numpy.typing import NDArray

from deltatrain.accel.modes import BEGIN_CYCLES, MODES, SOON_CYCLES, matvec, matvec_t, outer, update
from deltatrain.accel.number import NumberFormat
from deltatrain.accel.program import MODE_NAMES, NO_OP, UNITS, Program
from deltatrain.rtl.lanes.op import Mode
from deltatrain.rtl.lanes.unit import Lanes
from deltatrain.rtl.lists.entry_reader import READ_CYCLES
from deltatrain.rtl.off_chip.fetch import Fetch
from deltatrain.rtl.off_chip.request import Matrix
from deltatrain.sim.gates.remote_host import RemoteHost
from deltatrain.sim.memory.clock import Clock
from deltatrain.sim.memory.port import Arrival, RemotePort

KINDS = ("weights", "gradients")
STREAM = {"weights": "weights", "gradients": "weight_gradients"}


def to_bytes(values: NDArray[np.int64], number: NumberFormat) -> bytes:
    """Return `values` as they lie in memory."""
    return np.ascontiguousarray(values.astype("<i8")).view(np.uint8).reshape(-1, 8)[:, : number.bytes].tobytes()


def from_bytes(data: bytes, number: NumberFormat) -> NDArray[np.int64]:
    """Return the values that lie in memory as `data`."""
    read = np.frombuffer(data, np.uint8).reshape(-1, number.bytes)
    negative = (read[:, -1:] & 0x80) != 0
    wide = np.where(negative, np.uint8(0xFF), np.uint8(0)).repeat(8, axis=1)
    wide[:, : number.bytes] = read
    return np.ascontiguousarray(wide).view("<i8").ravel()


def pack(values, bits: int) -> int:
    return sum((int(value) & ((1 << bits) - 1)) << (bits * lane) for lane, value in enumerate(values))


def unpack(payload: int, bits: int, lanes: int) -> list[int]:
    parts = (payload >> (bits * lane) & ((1 << bits) - 1) for lane in range(lanes))
    return [part - (part >> (bits - 1) << bits) for part in parts]


@dataclass
class Outcome:
    """What became known at the end of a run of the gates, or of the golden model."""

    image: bytes
    results: list[tuple[int, int]]
    memory: NDArray[np.int64]


@dataclass
class Operands:
    """Random values for a program: the image, deltas of each listed column, g(M), learning rate, a word that is local.

    Attributes
    ----------
    local
        What every local word of a kind holds, shape (P,).
    """

    program: Program
    seed: int
    image: bytearray = field(init=False)

    def __post_init__(self) -> None:
        random, formats = np.random.default_rng(self.seed), self.program.architecture.engine.formats
        lanes = self.program.architecture.engine.lanes

        def values(number: NumberFormat, shape) -> NDArray[np.int64]:
            return random.integers(number.lowest, number.highest, shape, endpoint=True)

        tensors, ops = self.program.tensors, self.program.ops
        self.formats = {"weights": formats.weight, "gradients": formats.weight_gradient}
        self.places = max([1, *(tensor.words for tensor in tensors)])
        engine = self.program.unit == UNITS.index("engine")
        self.delta = [values(formats.activation, int(n)) for n in ops.count * engine]
        self.g = values(formats.gradient, self.places * lanes)
        self.rate = int(values(formats.learning_rate, ()))
        self.local = {kind: values(number, lanes) for kind, number in self.formats.items()}
        self.image = bytearray(max([0, *(t.address + t.bytes for t in tensors if t.remote)]))
        for tensor in tensors:
            if tensor.remote:
                number = self.formats[tensor.kind]
                data = to_bytes(values(number, tensor.columns * tensor.words * lanes), number)
                self.image[tensor.address : tensor.address + tensor.bytes] = data

    def matrices(self, op: int) -> dict[str, object]:
        """Return the op's remote matrices by kind."""
        ops = self.program.ops
        named = [self.program.tensors[i] for i in (ops.tensor[op], ops.second_tensor[op]) if i >= 0]
        return {tensor.kind: tensor for tensor in named if tensor.remote}

    def columns(self, op: int) -> list[int]:
        begin = int(self.program.ops.list_start[op])
        return self.program.columns[begin : begin + int(self.program.ops.count[op])].tolist()

    def golden(self) -> Outcome:
        """Return what `accel.modes` makes of the program, op after op."""
        program, formats = self.program, self.program.architecture.engine.formats
        lanes, image = program.architecture.engine.lanes, bytearray(self.image)
        memory, results = np.zeros(self.places * lanes, dtype=np.int64), []
        for op in np.flatnonzero(program.unit == UNITS.index("engine")).tolist():
            mode, columns, remote = MODE_NAMES[program.ops.mode[op]], self.columns(op), self.matrices(op)
            height = int(program.ops.words[op]) * lanes
            place = {kind: [self._place(tensor, j) for j in columns] for kind, tensor in remote.items()}
            held = {
                kind: np.stack([from_bytes(image[at], self.formats[kind]) for at in place[kind]], axis=1)
                if place.get(kind)
                else np.tile(np.tile(self.local[kind], height // lanes)[:, None], (1, len(columns)))
                for kind in KINDS
            }
            if not columns:
                continue
            if mode == "matvec":
                memory[:height] = matvec.result(memory[:height], held["weights"], self.delta[op], formats)
            elif mode == "matvec_t":
                s = matvec_t.result(held["weights"], self.g[:height], lanes, formats)
                results += list(zip(columns, s.tolist(), strict=True))
            elif mode == "outer":
                held["gradients"] = outer.result(held["gradients"], self.g[:height], self.delta[op], formats)
            else:
                held["weights"], held["gradients"] = update.result(
                    held["weights"], held["gradients"], self.rate, formats
                )
            for kind in remote:
                for at, column in zip(place[kind], held[kind].T, strict=True):
                    image[at] = to_bytes(column, self.formats[kind])
        return Outcome(bytes(image), results, memory)

    @staticmethod
    def _place(tensor, column: int) -> slice:
        size = tensor.words * tensor.word_bytes
        return slice(tensor.address + column * size, tensor.address + (column + 1) * size)


class OtherUnits:
    """Encoder, element-wise unit, load and store, stepped cycle by cycle; `done` and `soon` are of all ops."""

    def __init__(self, program: Program, host: RemoteHost, port: RemotePort) -> None:
        self._program, self._port, self._ops = program, port, program.ops
        self._word_bytes = host.word_bytes("vectors")
        names = [UNITS[unit] for unit in program.unit]
        self._waiting = {
            name: deque(i for i, unit in enumerate(names) if unit == name) for name in UNITS if name != "engine"
        }
        self._working: dict[str, int] = {}
        self._ends: dict[int, int] = {}
        self._issue, self._drain = program.issue_cycles.tolist(), program.drain_cycles.tolist()
        self._depends = [[d for d in row if d != NO_OP] for row in program.ops.depends.tolist()]
        self.done: dict[int, int] = {}
        self.soon: dict[int, int] = {}
        self._due: dict[int, int] = {}
        self._asking: dict[str, int] = {}

    def may_start(self, op: int) -> bool:
        return all(d in self.done for d in self._depends[op])

    def begin(self, now: int) -> None:
        """Let ops be done, end and start, until nothing changes."""
        changed = True
        while changed:
            changed = False
            for op in [op for op, at in self._due.items() if at == now]:
                self.done[op] = self._due.pop(op)
                changed = True
            for name, waiting in self._waiting.items():
                op = self._working.get(name)
                if op is not None and self._ends.get(op) == now:
                    del self._working[name]
                    self._due[op] = now + self._drain[op]
                    self.soon[op] = now + self._drain[op] - SOON_CYCLES
                    op, changed = None, True
                if op is None and waiting and self.may_start(waiting[0]):
                    self._start(name, waiting.popleft(), now)
                    changed = True

    def _start(self, name: str, op: int, now: int) -> None:
        self._working[name] = op
        if name in ("load", "store") and self._ops.count[op] > 0:
            self._asking[name] = op
        else:
            self._ends[op] = now + self._issue[op]

    def transfer(self, now: int) -> None:
        """Make the requests of ops that started in this cycle: the store's, then the load's."""
        for name in ("store", "load"):
            op = self._asking.pop(name, None)
            if op is None:
                continue
            address, size = int(self._ops.address[op]), int(self._ops.count[op])
            if name == "store":
                self._ends[op] = self._port.write(now, address, size) + 1
            else:
                self._port.read(now, address, size, self._word_bytes, partial(self._loaded, op))

    def _loaded(self, op: int, arrival: Arrival) -> None:
        self._ends[op] = arrival.ready


class FetchBench:
    """One run of a program; `run` returns what came out, `units.done` says when."""

    def __init__(self, operands: Operands) -> None:
        program = self._program = operands.program
        self._operands, self._ops = operands, program.ops
        architecture = program.architecture
        self._engine, self._capacity = architecture.engine, architecture.dma.buffer_bytes
        self.host = RemoteHost(architecture, bytearray(operands.image), Clock())  # for its bytes
        self.port = RemotePort(architecture)
        self.units = OtherUnits(program, self.host, self.port)
        self._remote = [kind for kind in KINDS if any(t.remote and t.kind == kind for t in program.tensors)]
        self._bits = {
            "weights": self._engine.formats.weight.bits,
            "gradients": self._engine.formats.weight_gradient.bits,
        }
        self._rows = np.flatnonzero(program.unit == UNITS.index("engine")).tolist()
        self._fetched = [op for op in self._rows if operands.matrices(op)]
        self._awaited = self._awaited_by_fetch()
        self._due: dict[str, deque] = {kind: deque() for kind in KINDS}
        self._data: dict[str, deque] = {kind: deque() for kind in KINDS}
        self._acks: dict[str, dict[int, int]] = {kind: {} for kind in KINDS}
        self._last: dict[object, int] = {}
        self.requests: list[tuple[int, int, int]] = []
        self.results: list[tuple[int, int]] = []
        self.cycles = 0

    def run(self, most_cycles: int = 30_000) -> Outcome:
        m = Module()
        engine = self._engine
        m.submodules.lanes = self.lanes = Lanes(engine=engine, accumulator_words=self._operands.places)
        m.submodules.fetch = self.fetch = Fetch(
            engine=engine,
            buffer_bytes=self._capacity,
            most_asked=self._program.architecture.dma.columns_in_flight,
            **{kind: kind in self._remote for kind in KINDS},
        )
        for kind in self._remote:
            connect(m, self.fetch.matrices[kind].lane_words, getattr(self.lanes, STREAM[kind]))
        simulator = Simulator(m)
        simulator.add_clock(1e-6)
        outcome = []

        async def bench(ctx):
            self._last = {}
            await self._prepare(ctx)
            await self._drive(ctx, most_cycles)
            memory = []
            for address in range(self._operands.places):
                ctx.set(self.lanes.memory.addr, 2 * address)
                await ctx.tick()
                data = ctx.get(Value.cast(self.lanes.memory.data))
                memory += unpack(data, engine.formats.memory_bits, engine.lanes)
            outcome.append(Outcome(bytes(self.host._image), self.results, np.array(memory)))

        simulator.add_testbench(bench)
        simulator.run()
        return outcome[0]

    async def _prepare(self, ctx) -> None:
        """Write g(M); make all sinks ready; offer what is local for good."""
        lanes, formats = self.lanes, self._engine.formats
        ctx.set(lanes.new_gradient.en, 1)
        for place, values in enumerate(self._operands.g.reshape(-1, self._engine.lanes)):
            ctx.set(lanes.new_gradient.addr, 2 * place)
            ctx.set(Value.cast(lanes.new_gradient.data), pack(values, formats.gradient.bits))
            await ctx.tick()
        ctx.set(lanes.new_gradient.en, 0)
        ctx.set(lanes.learning_rate, self._operands.rate)
        for port in (lanes.results, lanes.new_weights, lanes.new_weight_gradients, self.fetch.requests):
            ctx.set(port.ready, 1)
        for kind in KINDS:
            if kind in self._remote:
                ctx.set(self.fetch.matrices[kind].posts.ready, 1)
            else:
                port = getattr(lanes, STREAM[kind])
                ctx.set(Value.cast(port.payload), pack(self._operands.local[kind], self._bits[kind]))
                ctx.set(port.valid, 1)

    async def _drive(self, ctx, most_cycles: int) -> None:
        """Step by step: what is due, what starts, the requests of this cycle in their order, what is due at once."""
        lanes, fetch, units = self.lanes, self.fetch, self.units
        entries = self._entries()
        fetch_ops, columns, beginning = deque(self._fetched), self._columns(), deque(self._fetched)
        engine_ops, soon, done = deque(self._rows), deque(self._rows), deque(self._rows)
        for now in range(-SOON_CYCLES, most_cycles):
            if ctx.get(lanes.soon):
                units.soon[soon.popleft()] = now
            if ctx.get(lanes.done):
                units.done[done.popleft()] = now
            if now >= 0:
                self._hear(now)
                units.begin(now)
            if len(units.done) == len(self._ops) and now > self.port.last_cycle and not any(self._data.values()):
                self.cycles = self.port.finish(max(units.done.values(), default=0))
                return
            self._offer(ctx, lanes.ops, self._engine_op(engine_ops[0]) if self._may_issue(engine_ops, now) else None)
            self._offer(ctx, lanes.entries, entries[0] if entries else None)
            listed = fetch_ops and self._begins(fetch_ops[0]) + 1 <= now
            self._offer(ctx, fetch.ops, self._fetch_op(fetch_ops[0]) if listed else None)
            listed = columns and self._begins(columns[0][0]) + READ_CYCLES <= now
            self._offer(ctx, fetch.columns, columns[0][1] if listed else None)
            may_begin = now >= 0 and beginning and all(op in units.done for op in self._awaited[beginning[0]])
            self._set(ctx, fetch.may_begin, int(bool(may_begin)))
            for kind in self._remote:
                self._set(ctx, fetch.matrices[kind].written, self._acks[kind].pop(now, 0))
                self._offer_words(ctx, kind, now)
            self._post(ctx, now)
            units.transfer(now)
            self._request(ctx, now)
            taken = [ctx.get(p.ready) for p in (lanes.ops, lanes.entries, fetch.ops, fetch.columns)]
            for queue, is_taken, port in zip(
                (engine_ops, entries, fetch_ops, columns),
                taken,
                (lanes.ops, lanes.entries, fetch.ops, fetch.columns),
                strict=True,
            ):
                if is_taken and self._last.get(id(port)) is not None:
                    queue.popleft()
            if ctx.get(fetch.begins):
                beginning.popleft()
            self._collect(ctx)
            await ctx.tick()
        raise AssertionError(f"{len(units.done)} of {len(self._ops)} ops are done after {most_cycles} cycles")

    def _set(self, ctx, signal, value: int) -> None:
        if self._last.get(id(signal)) != value:
            ctx.set(signal, value)
            self._last[id(signal)] = value

    def _offer(self, ctx, port, payload: int | None) -> None:
        """Offer `payload`, or nothing."""
        if self._last.get(id(port)) == payload:
            return
        if payload is not None:
            ctx.set(Value.cast(port.payload), payload)
        ctx.set(port.valid, payload is not None)
        self._last[id(port)] = payload

    def _offer_words(self, ctx, kind: str, now: int) -> None:
        due = self._due[kind]
        port = self.fetch.matrices[kind].words
        self._offer(ctx, port, due[0][1] if due and due[0][0] <= now else None)

    def _post(self, ctx, now: int) -> None:
        for kind in self._remote:
            port = self.fetch.matrices[kind].posts
            if ctx.get(port.valid):
                address, words = ctx.get(port.payload.address), ctx.get(port.payload.words)
                payloads = [self._data[kind].popleft() for _ in range(words)]
                self.host._put(address, payloads, kind)
                taken = self.port.write(now, address, words * self.host.word_bytes(kind))
                acks = self._acks[kind]
                acks[taken] = acks.get(taken, 0) + words

    def _request(self, ctx, now: int) -> None:
        port = self.fetch.requests
        if ctx.get(port.valid):
            kind = "weights" if ctx.get(port.payload.matrix) == Matrix.WEIGHTS else "gradients"
            request = port.payload.request
            address, words = ctx.get(request.address), ctx.get(request.words)
            self.requests.append((now, address, words * self.host.word_bytes(kind)))
            size = self.host.word_bytes(kind)
            payloads = [int.from_bytes(row.tobytes(), "little") for row in self.host._rows(address, words, kind)]
            self.port.read(now, address, words * size, size, passed=partial(self._passed, kind, deque(payloads)))
            self._hear(now)
            self._offer_words(ctx, kind, now)

    def _passed(self, kind: str, payloads: deque[int], due: NDArray[np.int64]) -> None:
        """Take words that are due, as memory held them when they were asked for."""
        self._due[kind].extend((cycle, payloads.popleft()) for cycle in due.tolist())

    def _hear(self, now: int) -> None:
        """Let the memory tell which words are due when."""
        while self.port.next_cycle <= now:
            self.port.advance(now)

    def _collect(self, ctx) -> None:
        """Take what the lanes hand out and what the fetch took in this cycle."""
        lanes = self.lanes
        for kind in self._remote:
            fetched, made = self.fetch.matrices[kind].words, getattr(lanes, f"new_{STREAM[kind]}")
            if self._last.get(id(fetched)) is not None:
                assert ctx.get(fetched.ready), "a word has come and there is no room for it"
                self._due[kind].popleft()
                self._last[id(fetched)] = "taken"
            if ctx.get(made.valid):
                self._data[kind].append(ctx.get(Value.cast(made.payload)))
        if ctx.get(lanes.results.valid):
            payload = lanes.results.payload
            self.results.append((ctx.get(payload.index), ctx.get(payload.value)))

    def _may_issue(self, engine_ops: deque, now: int) -> bool:
        return bool(engine_ops) and now >= 0 and self.units.may_start(engine_ops[0])

    def _begins(self, op: int) -> int:
        """Return from when on the list of `op` is looked up."""
        listed = int(self._ops.list_from[op])
        return BEGIN_CYCLES + (-SOON_CYCLES if listed == NO_OP else self.units.soon.get(listed, 10**9))

    def _awaited_by_fetch(self) -> dict[int, list[int]]:
        awaited, last_writer = {}, {}
        for op in self._fetched:
            tensors = int(self._ops.tensor[op]), int(self._ops.second_tensor[op])
            before = [int(self._ops.list_from[op]), *(last_writer.get(tensor, NO_OP) for tensor in tensors)]
            awaited[op] = [one for one in before if one != NO_OP]
            if getattr(MODES.load(MODE_NAMES[self._ops.mode[op]]), "WRITES_BACK", False):
                last_writer[tensors[0]] = op
        return awaited

    def _columns(self) -> deque:
        return deque((op, column) for op in self._fetched for column in self._operands.columns(op))

    def _entries(self) -> deque:
        """Return the payloads of all entries; `update` takes none."""
        bits = self._engine.formats.activation.bits
        return deque(
            column | (int(delta) & ((1 << bits) - 1)) << 16
            for op in self._rows
            if MODE_NAMES[self._ops.mode[op]] != "update"
            for column, delta in zip(self._operands.columns(op), self._operands.delta[op], strict=True)
        )

    def _engine_op(self, op: int) -> int:
        fields = {
            "mode": Mode[MODE_NAMES[self._ops.mode[op]].upper()],
            "count": int(self._ops.count[op]),
            "words": int(self._ops.words[op]),
        }
        return self.lanes.ops.payload.shape().const(fields).as_bits()

    def _fetch_op(self, op: int) -> int:
        remote = self._operands.matrices(op)
        words = int(self._ops.words[op])
        most = self._capacity // 2 // sum(tensor.word_bytes for tensor in remote.values())
        fields = {
            "count": int(self._ops.count[op]),
            "words": words,
            "segment_words": min(words, most),
            "writes_back": MODE_NAMES[self._ops.mode[op]] in ("outer", "update"),
        }
        for kind, tensor in remote.items():
            fields |= {kind: 1, f"{kind}_address": tensor.address}
        return self.fetch.ops.payload.shape().const(fields).as_bits()
