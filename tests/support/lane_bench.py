"""The lanes on a bench: ops, lists and words go in at given times; what comes out is kept with its cycle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from amaranth.hdl import Value
from amaranth.sim import Simulator
from numpy.typing import NDArray

from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.modes import matvec, matvec_t, outer, update
from deltatrain.rtl.lanes.op import Mode
from deltatrain.rtl.lanes.unit import Lanes
from deltatrain.rtl.parts.lane_runs import addresses, enables

SOURCES = ("ops", "entries", "weights", "weight_gradients")
SINKS = ("results", "new_weights", "new_weight_gradients")
LAW = {Mode.MATVEC: matvec, Mode.MATVEC_T: matvec_t, Mode.OUTER: outer, Mode.UPDATE: update}
SETTLE_CYCLES = 40
"""Cycles after the last op in which nothing more may come out."""


class Part(NamedTuple):
    """Words of a column whose accumulators lie one after the other, in the same banks."""

    address: int
    words: int
    source: int = 0
    target: int = 0
    from_zero: bool = False


@dataclass(frozen=True)
class Job:
    """An op with all that it takes.

    Attributes
    ----------
    parts
        The accumulators of a column, in one part or two: K words together.
    columns, delta
        The list, shape (n,).
    W, gradients
        Fired columns of W, of dW, padded to whole words, shape (K * P, n).
    upper_lane
        Where the upper part begins in the middle of the lower part's last word, its first lane; else 0. That word then
        counts in both parts.
    """

    mode: Mode
    parts: tuple[Part, ...]
    columns: NDArray[np.int64]
    delta: NDArray[np.int64]
    W: NDArray[np.int64]
    gradients: NDArray[np.int64]
    upper_lane: int = 0

    @property
    def count(self) -> int:
        return len(self.columns)

    @property
    def words(self) -> int:
        return sum(part.words for part in self.parts) - bool(self.upper_lane)

    def of_words(self, name: str, lanes: int) -> NDArray[np.int64]:
        """Return the value called `name` of the part of each row of a column, shape (K, P)."""
        return self._of_rows([np.full(part.words, getattr(part, name), dtype=np.int64) for part in self.parts], lanes)

    def places(self, lanes: int) -> NDArray[np.int64]:
        """Return the accumulator of each row of a column, shape (K, P)."""
        return self._of_rows([part.address + np.arange(part.words) for part in self.parts], lanes)

    def _of_rows(self, of_parts: list[NDArray[np.int64]], lanes: int) -> NDArray[np.int64]:
        rows = [np.tile(values[:, None], lanes) for values in of_parts]
        if not self.upper_lane:
            return np.concatenate(rows)
        lower, upper = rows
        mixed = np.where(np.arange(lanes) < self.upper_lane, lower[-1], upper[0])
        return np.concatenate([lower[:-1], mixed[None], upper[1:]])

    def descriptor(self) -> dict[str, int | Mode]:
        """Return the fields of `rtl.lanes.op.Op`."""
        lower, upper = self.parts[0], self.parts[-1]
        return {
            "mode": self.mode,
            "count": self.count,
            "words": self.words,
            "address": lower.address,
            "split": lower.words - bool(self.upper_lane) if len(self.parts) == 2 else 0,
            "upper_address": upper.address,
            **({"upper_lane": self.upper_lane} if self.upper_lane else {}),
            **{name: getattr(lower, name) | getattr(upper, name) << 1 for name in ("source", "target", "from_zero")},
        }

    def taken(self, lanes: int) -> dict[str, list[int | NDArray[np.int64]]]:
        """Return what the op takes from each stream, words as arrays of P."""
        w, dw = self.mode is not Mode.OUTER, self.mode in (Mode.OUTER, Mode.UPDATE)
        listed = self.mode is not Mode.UPDATE
        return {
            "ops": [self.descriptor()],
            "entries": list(zip(self.columns.tolist(), self.delta.tolist(), strict=True)) if listed else [],
            "weights": words_of(self.W, lanes) if w else [],
            "weight_gradients": words_of(self.gradients, lanes) if dw else [],
        }


def words_of(matrix: NDArray[np.int64], lanes: int) -> list[tuple[int, ...]]:
    """Return the words of a matrix, column after column."""
    return [tuple(row) for row in matrix.T.reshape(-1, lanes).tolist()]


class Golden(NamedTuple):
    """What must come out: each stream's payloads in order, and M at the end, shape (places, 2, P)."""

    results: list[tuple[int, int]]
    new_weights: list[tuple[int, ...]]
    new_weight_gradients: list[tuple[int, ...]]
    memory: NDArray[np.int64]


def golden(engine: Engine, jobs: Sequence[Job], g: NDArray[np.int64], rate: int) -> Golden:
    """Return what `accel.modes` makes of `jobs`; g(M) has shape (places, 2, P), M is zero before."""
    formats, lanes = engine.formats, engine.lanes
    found = Golden([], [], [], np.zeros_like(g))
    for job in jobs:
        places, source, target, from_zero = (
            job.places(lanes),
            *(job.of_words(name, lanes) for name in ("source", "target", "from_zero")),
        )
        every_lane = np.arange(lanes)
        gradient = g[places, source, every_lane].ravel()
        if job.mode is Mode.MATVEC and job.count:
            before = np.where(from_zero, 0, found.memory[places, source, every_lane])
            after = matvec.result(before.ravel(), job.W, job.delta, formats)
            found.memory[places, target, every_lane] = after.reshape(-1, lanes)
        elif job.mode is Mode.MATVEC_T:
            s = matvec_t.result(job.W, gradient, lanes, formats)
            found.results.extend(zip(job.columns.tolist(), s.tolist(), strict=True))
        elif job.mode is Mode.OUTER:
            after = outer.result(job.gradients, gradient, job.delta, formats)
            found.new_weight_gradients.extend(words_of(after, lanes))
        elif job.mode is Mode.UPDATE:
            W, dW = update.result(job.W, job.gradients, rate, formats)
            found.new_weights.extend(words_of(W, lanes))
            found.new_weight_gradients.extend(words_of(dW, lanes))
    return found


def issue_cycles(jobs: Sequence[Job], arrivals: dict[str, NDArray[np.int64]]) -> list[list[int]]:
    """Return for each op the cycles in which its words are issued (its one cycle if it has none).

    The rule: a word is issued in the cycle after the word before it, or when the last of what it needs arrives.
    """
    free, used = 0, dict.fromkeys(SOURCES, 0)
    cycles: list[list[int]] = []
    for job in jobs:
        op = []
        streams = [name for name, items in job.taken(1).items() if items and name not in ("ops", "entries")]
        listed = job.mode is not Mode.UPDATE
        for number in range(max(1, job.count * job.words)):
            free = max(free, arrivals["ops"][used["ops"]])
            if job.count:
                if listed:
                    free = max(free, arrivals["entries"][used["entries"]])
                for name in streams:
                    free = max(free, arrivals[name][used[name]])
                    used[name] += 1
                used["entries"] += listed and (number + 1) % job.words == 0
            op.append(int(free))
            free += 1
        used["ops"] += 1
        cycles.append(op)
    return cycles


@dataclass
class Seen:
    """What came out of the gates, and when.

    Attributes
    ----------
    transfers
        Cycles in which something was taken from each source.
    offered
        Cycle and payload of everything that each sink took.
    done
        Cycles in which `done` was high.
    memory
        M at the end, shape (places, 2, P).
    """

    transfers: dict[str, list[int]] = field(default_factory=dict)
    received: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    done: list[int] = field(default_factory=list)
    memory: NDArray[np.int64] | None = None

    def payloads(self, sink: str, lanes: int, bits: int) -> list[tuple[int, ...]]:
        """Return what `sink` took: (index, value) for results, words for the others."""
        return [_unpacked(payload, sink, lanes, bits) for _, payload in self.received[sink]]


Ready = Callable[[int], bool]


def run_lanes(
    engine: Engine,
    jobs: Sequence[Job],
    g: NDArray[np.int64],
    rate: int,
    arrivals: dict[str, NDArray[np.int64]] | None = None,
    ready: dict[str, Ready] | None = None,
    most_cycles: int = 20_000,
) -> Seen:
    """Run `jobs` on gates; each source offers its k-th item from cycle arrivals[source][k] on, or at once."""
    formats, lanes, places = engine.formats, engine.lanes, len(g)
    upper_lanes = {job.upper_lane for job in jobs} - {0}
    dut = Lanes(
        engine=engine,
        accumulator_words=places,
        gate_lanes=sum(1 << lane for lane in upper_lanes),
        mixed_lanes=lanes if upper_lanes else 0,
    )
    items = {name: [] for name in SOURCES}
    for job in jobs:
        for name, taken in job.taken(lanes).items():
            items[name].extend(_packed(dut, name, item, formats) for item in taken)
    seen = Seen({name: [] for name in SOURCES}, {name: [] for name in SINKS})
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)

    async def bench(ctx):
        await _write_gradients(ctx, dut, g, formats)
        ctx.set(dut.learning_rate, rate)
        await _drive(ctx, dut, items, arrivals or {}, ready or {}, len(jobs), seen, most_cycles)
        seen.memory = await _read_memory(ctx, dut, places, lanes, formats)

    simulator.add_testbench(bench)
    simulator.run()
    return seen


async def _drive(ctx, dut, items, arrivals, ready, ops, seen, most_cycles) -> None:
    """Offer what has arrived, take what is wanted, until all ops are done and nothing more comes."""
    sources = [(name, getattr(dut, name), items[name], arrivals.get(name)) for name in SOURCES]
    sinks = [(name, getattr(dut, name), ready.get(name)) for name in SINKS]
    sampled = [port.ready for _, port, _, _ in sources]
    for _, port, _ in sinks:
        sampled += [port.valid, Value.cast(port.payload)]
    offered = [False] * len(sources)
    position = [0] * len(sources)
    wants = [False] * len(sinks)
    for cycle in range(most_cycles):
        for number, (_, port, wanted, arrival) in enumerate(sources):
            place = position[number]
            if not offered[number] and place < len(wanted) and (arrival is None or arrival[place] <= cycle):
                ctx.set(Value.cast(port.payload), wanted[place])
                ctx.set(port.valid, 1)
                offered[number] = True
        for number, (_, port, is_ready) in enumerate(sinks):
            now = is_ready is None or is_ready(cycle)
            if now != wants[number]:
                ctx.set(port.ready, now)
                wants[number] = now
        _, _, done, *values = await ctx.tick().sample(dut.done, *sampled)
        if done:
            seen.done.append(cycle)
        for number, (name, port, wanted, arrival) in enumerate(sources):
            if offered[number] and values[number]:
                seen.transfers[name].append(cycle)
                place = position[number] = position[number] + 1
                offered[number] = place < len(wanted) and (arrival is None or arrival[place] <= cycle + 1)
                if offered[number]:
                    ctx.set(Value.cast(port.payload), wanted[place])
                else:
                    ctx.set(port.valid, 0)
        for number, (name, _, _) in enumerate(sinks):
            if wants[number] and values[len(sources) + 2 * number]:
                seen.received[name].append((cycle, values[len(sources) + 2 * number + 1]))
        if len(seen.done) >= ops and cycle >= seen.done[-1] + SETTLE_CYCLES:
            return
    raise AssertionError(f"{len(seen.done)} of {ops} ops are done after {most_cycles} cycles")


async def _write_gradients(ctx, dut, g, formats) -> None:
    for enable in enables(dut.new_gradient):
        ctx.set(enable, 1)
    for address, values in enumerate(g.reshape(-1, g.shape[-1]).tolist()):
        for of_run in addresses(dut.new_gradient):
            ctx.set(of_run, address)
        ctx.set(Value.cast(dut.new_gradient.data), _pack(values, formats.gradient.bits))
        await ctx.tick()
    for enable in enables(dut.new_gradient):
        ctx.set(enable, 0)


async def _read_memory(ctx, dut, places, lanes, formats) -> NDArray[np.int64]:
    words = []
    for address in range(2 * places):
        for of_run in addresses(dut.memory):
            ctx.set(of_run, address)
        await ctx.tick()
        words.append(_unpack(ctx.get(Value.cast(dut.memory.data)), lanes, formats.memory_bits))
    return np.array(words).reshape(places, 2, lanes)


def _packed(dut, source, item, formats) -> int:
    if source == "ops":
        return dut.ops.payload.shape().const(item).as_bits()
    if source == "entries":
        return item[0] | (item[1] & ((1 << formats.activation.bits) - 1)) << 16
    return _pack(item, formats.weight.bits if source == "weights" else formats.weight_gradient_bits)


def _unpacked(payload, sink, lanes, bits) -> tuple[int, ...]:
    if sink == "results":
        return payload & 0xFFFF, *_unpack(payload >> 16, 1, bits)
    return _unpack(payload, lanes, bits)


def _pack(values: Sequence[int], bits: int) -> int:
    return sum((value & ((1 << bits) - 1)) << (bits * lane) for lane, value in enumerate(values))


def _unpack(payload: int, lanes: int, bits: int) -> tuple[int, ...]:
    parts = ((payload >> (bits * lane)) & ((1 << bits) - 1) for lane in range(lanes))
    return tuple(part - (part >> (bits - 1) << bits) for part in parts)


def bits_of(formats: Formats) -> dict[str, int]:
    """Return the width of a value at each sink."""
    return {
        "results": formats.gradient.bits,
        "new_weights": formats.weight.bits,
        "new_weight_gradients": formats.weight_gradient_bits,
    }
