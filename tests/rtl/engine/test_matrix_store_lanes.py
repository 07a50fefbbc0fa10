"""The lanes between their two stores, of W and of dW: bit for bit what `accel.modes` says, at the law's pace."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from amaranth.hdl import Module
from amaranth.lib.wiring import connect
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lane_bench import LAW, SETTLE_CYCLES, Job, Part, golden, words_of
from lane_jobs import PLACES, engines, integers
from streams import always, pattern, plain, run

from deltatrain.accel.modes import BEGIN_CYCLES, SOON_CYCLES, outer, update
from deltatrain.rtl.engine.matrix_store import MatrixStore
from deltatrain.rtl.lanes.op import Mode
from deltatrain.rtl.lanes.unit import Lanes
from deltatrain.rtl.lists.entry_reader import READ_CYCLES

few = settings(suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 2**32 - 1)

READS = {"W": (Mode.MATVEC, Mode.MATVEC_T, Mode.UPDATE), "dW": (Mode.OUTER, Mode.UPDATE)}
WRITES = {"W": (Mode.UPDATE,), "dW": (Mode.OUTER, Mode.UPDATE)}
AT_ONCE = -1


class Matrix(NamedTuple):
    """Where a matrix is in both stores: its first word, words a column, columns."""

    base: int
    words: int
    columns: int


@dataclass
class Scene:
    """Ops in their order, and what the stores hold before and after.

    Attributes
    ----------
    homes
        The matrix of each op.
    awaited
        The last op before that wrote what the op reads, or AT_ONCE.
    before, after
        The words of each store.
    """

    jobs: list[Job]
    homes: list[Matrix]
    awaited: list[int]
    before: dict[str, list[tuple[int, ...]]]
    after: dict[str, list[tuple[int, ...]]]
    g: np.ndarray
    rate: int


def some_matrices(rng, count, most_words):
    matrices, base = [], 0
    for _ in range(count):
        words, columns = int(rng.integers(1, most_words + 1)), int(rng.integers(1, 5))
        matrices.append(Matrix(base, words, columns))
        base += words * columns
    return matrices


def image(values, lanes):
    return [word for matrix in values for word in words_of(matrix, lanes)]


def a_scene(rng, engine, order, most_words=3, modes=tuple(Mode)):
    """Return a random op on each matrix of `order`; an update works through all columns, others through what fired."""
    formats, lanes = engine.formats, engine.lanes
    matrices = max(order) + 1
    homes = some_matrices(rng, matrices, most_words)
    number_formats = {"W": formats.weight, "dW": formats.weight_gradient}
    values = {
        kind: [integers(rng, number, (home.words * lanes, home.columns)) for home in homes]
        for kind, number in number_formats.items()
    }
    g = integers(rng, formats.gradient, (PLACES, 2, lanes))
    rate = int(integers(rng, formats.learning_rate, ()))
    scene = Scene([], [], [], {kind: image(values[kind], lanes) for kind in values}, {}, g, rate)
    last_writer = {(kind, which): AT_ONCE for kind in values for which in range(matrices)}
    for number, which in enumerate(order):
        mode = modes[rng.integers(len(modes))]
        W, dW = values["W"][which], values["dW"][which]
        fired = np.flatnonzero(rng.random(homes[which].columns) < rng.choice([0.0, 0.5, 1.0]))
        columns = np.arange(homes[which].columns) if mode is Mode.UPDATE else fired
        part = Part(int(rng.integers(PLACES - homes[which].words)), homes[which].words, *rng.integers(0, 2, 2).tolist())
        job = Job(
            mode, (part,), columns, integers(rng, formats.activation, len(columns)), W[:, columns], dW[:, columns]
        )
        if mode is Mode.OUTER:
            of_rows = g[job.places(lanes), job.of_words("source", lanes), np.arange(lanes)].ravel()
            dW[:, columns] = outer.result(job.gradients, of_rows, job.delta, formats)
        if mode is Mode.UPDATE:
            W[:], dW[:] = update.result(W, dW, rate, formats)
        scene.jobs.append(job)
        scene.homes.append(homes[which])
        scene.awaited.append(max([last_writer[kind, which] for kind in values if mode in READS[kind]]))
        last_writer |= {(kind, which): number for kind in values if mode in WRITES[kind] and job.count}
    scene.after = {kind: image(values[kind], lanes) for kind in values}
    return scene


class Source:
    """Offers items at a port, each some cycles after the op that it awaits was announced by `soon`, or later."""

    def __init__(self, port, items, lag_cycles, may_offer) -> None:
        self.port, self.items, self.lag_cycles, self.may_offer = port, items, lag_cycles, may_offer
        self.offers = False
        self.transfers: list[int] = []

    def offer(self, ctx, cycle: int, soon: list[int]) -> None:
        if self.offers or len(self.transfers) == len(self.items):
            return
        payload, awaited = self.items[len(self.transfers)]
        known = awaited < len(soon) and (awaited == AT_ONCE or soon[awaited] + self.lag_cycles <= cycle)
        if known and cycle >= self.lag_cycles and self.may_offer(cycle):
            ctx.set(self.port.payload, payload)
            ctx.set(self.port.valid, 1)
            self.offers = True

    def sampled(self, ctx, cycle: int, ready: int) -> None:
        if self.offers and ready:
            self.transfers.append(cycle)
            self.offers = False
            ctx.set(self.port.valid, 0)


class Bench:
    """Lanes and stores, joined."""

    def __init__(self, engine, words: int) -> None:
        formats = engine.formats
        bits = {"W": formats.weight.bits, "dW": formats.weight_gradient_bits}
        self.lanes = Lanes(engine=engine, accumulator_words=PLACES)
        self.stores = {
            kind: MatrixStore(value_bits=bits[kind], lanes=engine.lanes, words=max(words, 2)) for kind in bits
        }
        self.module = m = Module()
        m.submodules.lanes, m.submodules.w, m.submodules.dw = self.lanes, self.stores["W"], self.stores["dW"]
        connect(m, self.stores["W"].read_words, self.lanes.weights)
        connect(m, self.stores["dW"].read_words, self.lanes.weight_gradients)
        connect(m, self.lanes.new_weights, self.stores["W"].new_words)
        connect(m, self.lanes.new_weight_gradients, self.stores["dW"].new_words)

    def sources(self, scene: Scene, may_offer) -> list[Source]:
        """Return what is offered: ops and columns to the stores, ops and entries to the lanes.

        A store's op is there a cycle after the op begins, its column when it is read, the lanes' op with `done`.
        """
        found = []
        rows = list(zip(scene.jobs, scene.homes, scene.awaited, strict=True))
        for kind, store in self.stores.items():
            reading = [row for row in rows if row[0].mode in READS[kind]]
            ops = [(descriptor(job, home, job.mode in WRITES[kind]), awaited) for job, home, awaited in reading]
            columns = [(column, awaited) for job, _, awaited in reading for column in job.columns.tolist()]
            of_store = ((store.ops, ops, 1), (store.entries, columns, READ_CYCLES))
            found += [Source(port, items, BEGIN_CYCLES + lag, next(may_offer)) for port, items, lag in of_store]
        ops = [(job.descriptor(), awaited) for job, _, awaited in rows]
        entries = [
            ({"index": index, "value": value}, awaited)
            for job, _, awaited in rows
            if job.mode is not Mode.UPDATE
            for index, value in zip(job.columns.tolist(), job.delta.tolist(), strict=True)
        ]
        found.append(Source(self.lanes.entries, entries, SOON_CYCLES, next(may_offer)))
        return [*found, Source(self.lanes.ops, ops, SOON_CYCLES, next(may_offer))]


def descriptor(job, home, writes_back):
    return {"base": home.base, "columns": job.count, "words": home.words, "writes_back": int(writes_back)}


@dataclass
class Seen:
    """What happened: cycles from the first `soon` on, results, and what is held at the end."""

    soon: list[int]
    done: list[int]
    op_taken: list[int]
    results: list[tuple[int, int]]
    memory: np.ndarray
    stored: dict[str, list[tuple[int, ...]]]


async def work(ctx, bench, scene, sources, is_ready, most_cycles=20_000) -> Seen:
    """Load, let all ops run, read back."""
    lanes = bench.lanes
    for kind, store in bench.stores.items():
        await load(ctx, store, scene.before[kind])
    await load_gradients(ctx, lanes, scene.g)
    ctx.set(lanes.learning_rate, scene.rate)
    soon, done, results = [], [], []
    for cycle in range(most_cycles):
        if ctx.get(lanes.soon):
            soon.append(cycle)
        if ctx.get(lanes.done):
            done.append(cycle)
        for source in sources:
            source.offer(ctx, cycle, soon)
        ready = is_ready(cycle)
        ctx.set(lanes.results.ready, ready)
        _, _, valid, result, *taken = await ctx.tick().sample(
            lanes.results.valid, lanes.results.payload, *(source.port.ready for source in sources)
        )
        if valid and ready:
            results.append((result.index, result.value))
        for source, was_taken in zip(sources, taken, strict=True):
            source.sampled(ctx, cycle, was_taken)
        if len(done) >= len(scene.jobs) and cycle >= done[-1] + SETTLE_CYCLES:
            break
    assert len(done) == len(scene.jobs), f"{len(done)} of {len(scene.jobs)} ops are done"
    assert all(len(source.transfers) == len(source.items) for source in sources)
    stored = {kind: await read_back(ctx, store, len(scene.before[kind])) for kind, store in bench.stores.items()}
    return Seen(soon, done, sources[-1].transfers, results, await read_memory(ctx, lanes), stored)


async def load(ctx, store, words):
    ctx.set(store.host.host_writes.valid, 1)
    for address, word in enumerate(words):
        ctx.set(store.host.host_writes.payload, {"address": address, "word": word})
        await ctx.tick().until(store.host.host_writes.ready)
    ctx.set(store.host.host_writes.valid, 0)


async def read_back(ctx, store, count):
    """Ask for a word a cycle; each comes in the cycle after."""
    words = []
    ctx.set(store.host.host_words.ready, 1)
    ctx.set(store.host.host_addresses.valid, 1)
    for address in range(count):
        ctx.set(store.host.host_addresses.payload, address)
        await ctx.tick()
        assert ctx.get(store.host.host_words.valid)
        words.append(plain(ctx.get(store.host.host_words.payload)))
    ctx.set(store.host.host_addresses.valid, 0)
    return words


async def load_gradients(ctx, lanes, g):
    ctx.set(lanes.new_gradient.en, 1)
    for address, values in enumerate(g.reshape(-1, g.shape[-1]).tolist()):
        ctx.set(lanes.new_gradient.addr, address)
        ctx.set(lanes.new_gradient.data, values)
        await ctx.tick()
    ctx.set(lanes.new_gradient.en, 0)


async def read_memory(ctx, lanes):
    words = []
    for address in range(2 * PLACES):
        ctx.set(lanes.memory.addr, address)
        await ctx.tick()
        words.append(plain(ctx.get(lanes.memory.data)))
    return np.array(words).reshape(PLACES, 2, -1)


def run_scene(engine, scene, may_offer, is_ready=always) -> Seen:
    bench = Bench(engine, len(scene.before["W"]))
    sources = bench.sources(scene, iter(may_offer))
    (seen,) = run(bench.module, lambda ctx: work(ctx, bench, scene, sources, is_ready))
    return seen


def check_values(seen, engine, scene):
    expected = golden(engine, scene.jobs, scene.g, scene.rate)
    assert seen.results == expected.results
    assert (seen.memory == expected.memory).all()
    assert seen.stored == scene.after
    assert seen.done == [cycle + SOON_CYCLES for cycle in seen.soon]


def check_pace(engine, scene):
    seen = run_scene(engine, scene, itertools.repeat(always))
    check_values(seen, engine, scene)
    free, taken, done = SOON_CYCLES, [], []
    for job, awaited in zip(scene.jobs, scene.awaited, strict=True):
        law = LAW[job.mode]
        free = max(free, done[awaited] if awaited != AT_ONCE else 0)
        free += int(law.issue_cycles(np.array(job.count), job.words))
        taken.append(free - 1)
        done.append(free + law.drain_cycles(engine))
    assert seen.op_taken == taken
    assert seen.done == done


@settings(few, max_examples=16)
@given(engines(lanes=(1, 2, 4)), seeds, st.integers(2, 6))
def test_ops_take_the_law_s_cycles_and_leave_accel_s_words(engine, seed, matrices):
    """Back to back where they need nothing of each other; otherwise from the cycle in which the other is done."""
    rng = np.random.default_rng(seed)
    check_pace(engine, a_scene(rng, engine, rng.integers(matrices, size=16).tolist()))


@settings(few, max_examples=8)
@given(engines(lanes=(1, 2, 8)), seeds, st.sampled_from([Mode.OUTER, Mode.UPDATE]))
def test_words_that_all_return_come_one_a_cycle(engine, seed, mode):
    """Long runs of ops that write back, each on a matrix of its own, so that none awaits another."""
    rng = np.random.default_rng(seed)
    scene = a_scene(rng, engine, rng.permutation(14).tolist(), most_words=2, modes=(mode,))
    assert set(scene.awaited) == {AT_ONCE}
    check_pace(engine, scene)


@settings(few, max_examples=12)
@given(engines(lanes=(1, 2, 4)), seeds)
def test_nothing_is_lost_or_read_too_soon_when_anything_comes_late(engine, seed):
    rng = np.random.default_rng(seed)
    scene = a_scene(rng, engine, rng.integers(3, size=14).tolist())
    stalls = [pattern([*(rng.random(29) < rng.choice([0.2, 0.7, 1.0])).tolist(), True]) for _ in range(7)]
    check_values(run_scene(engine, scene, stalls[:6], stalls[6]), engine, scene)


async def returns_of(ctx, store, count):
    """Return from each word's taking to its return in cycles, of `count` words that all return."""
    taken, returned, cycle = [], [], 0
    while len(returned) < count:
        port, back = store.read_words, store.new_words
        _, _, valid, ready, comes = await ctx.tick().sample(port.valid, port.ready, back.valid)
        taken += [cycle] * (valid and ready)
        returned += [cycle] * comes
        cycle += 1
    return [after - before for before, after in zip(taken, returned, strict=True)]


@settings(few, max_examples=6)
@given(engines(lanes=(1, 2, 8)), seeds, st.sampled_from([Mode.OUTER, Mode.UPDATE]))
def test_words_return_as_many_cycles_later_as_the_modes_say(engine, seed, mode):
    """A word is taken in the cycle after its address, and stored in that of its return."""
    scene = a_scene(np.random.default_rng(seed), engine, list(range(6)), modes=(mode,))
    words = sum(job.count * home.words for job, home in zip(scene.jobs, scene.homes, strict=True))
    bench = Bench(engine, len(scene.before["W"]))
    sources = bench.sources(scene, itertools.repeat(always))
    law = (
        {"dW": outer.RETURN_CYCLES[0]}
        if mode is Mode.OUTER
        else dict(zip(("W", "dW"), update.RETURN_CYCLES, strict=True))
    )
    watches = [lambda ctx, kind=kind: returns_of(ctx, bench.stores[kind], words) for kind in law]
    _, *seen = run(bench.module, lambda ctx: work(ctx, bench, scene, sources, always), *(watches if words else []))
    for found, cycles in zip(seen, law.values(), strict=False):
        assert set(found) == {cycles - 1}
