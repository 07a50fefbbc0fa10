"""The exchange with what tiles give to it and where lists arrive: bits of `accel.modes`, and its law."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import connect
from components import assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import always, pattern, plain, run, stream_put

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import SOON_CYCLES, broadcast, encode, reduce
from deltatrain.accel.modes.encode import Fired
from deltatrain.accel.tiles import tile_of
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.lists.store import ListStore
from deltatrain.rtl.tiles.contribution import Contribution
from deltatrain.rtl.tiles.exchange import Exchange
from deltatrain.rtl.tiles.exchange_op import ExchangeKind
from deltatrain.rtl.tiles.part import Part
from deltatrain.rtl.tiles.received_lists import ReceivedLists
from deltatrain.rtl.tiles.tile_array import TileArray

LANES, LISTS, WIDTH, CLASSES, MOST_OPS = 2, 16, 13, 5, 8
LOGITS = 3
SIZES = TileSizes(
    accumulator_words=LOGITS + -(-CLASSES // LANES),
    regions=2,
    input_words=2,
    vector_words=2,
    held_words=8,
    state_words=2,
    tape_words=2,
    lists=LISTS,
    list_entries=128,
    weight_words=2,
    gradient_words=2,
    loaded_lists=0,
    loaded_entries=0,
    most_classes=CLASSES,
    received_lists=MOST_OPS,
    received_entries=128,
    waiting_sums=4,
)
patterns = st.lists(st.booleans(), min_size=1, max_size=8).filter(any).map(pattern)


class Case(NamedTuple):
    """Ops of an exchange, what each tile has for them, and what must come out."""

    architecture: Architecture
    ops: list
    fragments: list  # of each list, of each tile: what fired
    sums: list  # of each tile: (index, sum) of all ops
    logits: np.ndarray  # of each tile and bank
    arrivals: list  # of each op: (index, value)

    @property
    def sizes(self):
        return SIZES._replace(tiles=self.architecture.tiles.count)

    @property
    def issue_cycles(self):
        tiles, formats = self.architecture.tiles, self.architecture.engine.formats
        of_kind = {ExchangeKind.LIST: encode.list_entry_bytes(self.architecture.engine)}
        found = []
        for op, items in zip(self.ops, self.arrivals, strict=True):
            beats = tiles.beats(of_kind.get(op["kind"], formats.memory.bytes))
            law = broadcast if op["kind"] == ExchangeKind.LIST else reduce
            found.append(int(law.issue_cycles(np.array(len(items)), np.array(beats))))
        return found


@st.composite
def cases(draw):
    tiles = draw(st.integers(2, 5))
    described = {
        "engine.lanes": LANES,
        "engine.formats.memory_overflow": draw(st.sampled_from(["wrap", "saturate"])),
        "tiles.count": tiles,
        "tiles.exchange_bytes_per_cycle": draw(st.sampled_from([1, 4, 8])),
        f"tiles.{draw(st.sampled_from(['exchange_latency_cycles', 'hop_cycles']))}": draw(st.integers(0, 3)),
    }
    architecture = Architecture.named("tiny", described)
    formats = architecture.engine.formats
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def wide(*shape):
        span = formats.memory.highest >> int(rng.choice([0, 1, 20]))
        return rng.integers(-span - 1, span, shape, endpoint=True)

    case = Case(architecture, [], [], [[] for _ in range(tiles)], wide(tiles, 2, CLASSES), [])
    place = 0
    for number, kind in enumerate(draw(st.lists(st.sampled_from(ExchangeKind), min_size=1, max_size=MOST_OPS))):
        columns = np.flatnonzero(rng.random(WIDTH) < rng.choice([0, 0.2, 1]))
        if kind == ExchangeKind.LIST:
            delta = rng.integers(formats.activation.lowest, formats.activation.highest, len(columns), endpoint=True)
            owner = tile_of(columns, LANES, tiles)
            case.fragments.append([Fired(columns[owner == tile], delta[owner == tile]) for tile in range(tiles)])
            whole = broadcast.result(case.fragments[-1])
            case.ops.append({"kind": kind, "fragment": len(case.fragments) - 1, "list": number, "place": place})
            case.arrivals.append(list(zip(whole.columns.tolist(), whole.delta.tolist(), strict=True)))
            place += len(columns)
        elif kind == ExchangeKind.SUMS:
            partial = wide(tiles, len(columns))
            for tile in range(tiles):
                case.sums[tile].append(list(zip(columns.tolist(), partial[tile].tolist(), strict=True)))
            s = reduce.result(partial, formats.backward_sum, formats.gradient)
            case.ops.append({"kind": kind})
            case.arrivals.append(list(zip(columns.tolist(), s.tolist(), strict=True)))
        else:
            bank = int(rng.integers(2))
            case.ops.append({"kind": kind, "logits": LOGITS, "classes": CLASSES, "bank": bank})
            logits = reduce.result(case.logits[:, bank], formats.memory, formats.memory)
            case.arrivals.append(list(enumerate(logits.tolist())))
    return case


def joined(case):
    """Return all in one, the exchange, and of each tile: store of fragments, received lists, contribution."""
    m, engine, sizes = Module(), case.architecture.engine, case.sizes
    m.submodules.exchange = exchange = Exchange(architecture=case.architecture, sizes=sizes)
    tiles = []
    for number in range(sizes.tiles):
        part = Part(number, sizes.tiles, LANES)
        store = ListStore(value_bits=engine.formats.activation.bits, entries=sizes.list_entries, lists=LISTS, readers=1)
        received = ReceivedLists(formats=engine.formats, sizes=sizes, part=part)
        given_by = Contribution(engine=engine, sizes=sizes, part=part)
        words = np.zeros((sizes.accumulator_words, 2, LANES), dtype=np.int64)
        for bank in range(2):
            flat = np.zeros((sizes.accumulator_words - LOGITS) * LANES, dtype=np.int64)
            flat[:CLASSES] = case.logits[number, bank]
            words[LOGITS:, bank] = flat.reshape(-1, LANES)
        memory = Memory(
            shape=given_by.partial.data.shape(), depth=2 * len(words), init=words.reshape(-1, LANES).tolist()
        )
        m.submodules += [store, received, given_by, memory]
        connect(m, memory.read_port(), given_by.partial)
        connect(m, store.read[0], given_by.lists)
        connect(m, given_by.given, exchange.tiles[number])
        m.d.comb += [
            received.arrival.eq(exchange.arrival),
        ]
        tiles.append((store, received, given_by))
    return m, exchange, tiles


FILL_CYCLES = 140
"""In which every fragment is listed."""


async def tell(ctx, exchange, soon):
    """Let op k be stored in ``soon[k]``, and done `SOON_CYCLES` later; return when the exchange's own are."""
    told, cycle = [], 0
    while len(told) < len(soon):
        ctx.set(exchange.soon_counts[0], sum(at < cycle for at in soon))
        ctx.set(exchange.ready_counts[0], sum(at + SOON_CYCLES <= cycle + 1 for at in soon))
        ctx.set(exchange.running, 1)
        _, _, high = await ctx.tick().sample(exchange.soon)
        if high:
            told.append(cycle)
        cycle += 1
    await ctx.tick().repeat(2)
    return told


async def arrivals(ctx, exchange, ops):
    """Return what arrives, op by op."""
    found = [[]]
    while len(found) <= ops:
        _, _, item = await ctx.tick().sample(exchange.arrival)
        if item.work:
            assert item.number == len(found[-1])
            found[-1].append((item.index, item.value))
        if item.ends:
            found.append([])
    return found[:-1]


def waits(exchange, count):
    return [count] + [0] * (len(exchange.soon_counts) - 1)


def run_case(case, soon, offers=always):
    """Run all ops; return when each is told to be stored, what arrived, and the received lists of the tiles."""
    m, exchange, tiles = joined(case)
    commands = [{"waits": waits(exchange, k + 1), "op": op} for k, op in enumerate(case.ops)]
    benches = [
        lambda ctx: tell(ctx, exchange, soon),
        lambda ctx: arrivals(ctx, exchange, len(case.ops)),
        lambda ctx: stream_put(ctx, exchange.commands, commands),
    ]
    for number, (store, _, given_by) in enumerate(tiles):
        lists = [fragments[number] for fragments in case.fragments]
        local = [_local(one, case.sizes.tiles) for one in lists]
        entries, lengths = [entry for one in local for entry in one], [len(one) for one in local]
        ends, numbers = np.cumsum(lengths).tolist(), list(range(len(local)))
        sums = [{"index": j, "value": value} for one in case.sums[number] for j, value in one]
        counts = [len(one) for one in case.sums[number]]
        benches += [
            lambda ctx, s=store, e=entries: stream_put(ctx, s.entries, e),
            lambda ctx, s=store, c=lengths, e=ends: stream_put(ctx, s.counts, c, not_before=e),
            lambda ctx, s=store, n=numbers: stream_put(ctx, s.lists, n),
            lambda ctx, g=given_by, s=sums: stream_put(ctx, g.sums, s, offers),
            lambda ctx, k=number, c=counts: stream_put(ctx, exchange.sum_counts[k], c),
        ]
    told, came, *_, kept = run(m, *benches, lambda ctx: look(ctx, exchange, tiles, case))
    return told, came, kept


def _local(fragment, tiles):
    """Return a fragment as its tile's encoder lists it, counting only that tile's elements."""
    number = [column // (LANES * tiles) * LANES + column % LANES for column in fragment.columns.tolist()]
    return [{"index": j, "value": value} for j, value in zip(number, fragment.delta.tolist(), strict=True)]


async def look(ctx, exchange, tiles, case):
    """Return of each tile and list, when all has arrived: its entries, and how many of them are the tile's."""
    left = len(case.ops)
    while left:
        _, _, high = await ctx.tick().sample(exchange.soon)
        left -= high
    kept = []
    for _, received, _ in tiles:
        of_tile = []
        for op in case.ops:
            if op["kind"] != ExchangeKind.LIST:
                continue
            ctx.set(received.read.table.list, op["list"])
            _, _, place, own = await ctx.tick().sample(received.read.table.place, received.own)
            entries = []
            ctx.set(received.read.ring.en, 1)
            for k in range(place.count):
                ctx.set(received.read.ring.addr, (place.base + k) % SIZES.received_entries)
                await ctx.tick()
                entries.append(tuple(plain(ctx.get(received.read.ring.data)).values()))
            of_tile.append((entries, own))
        kept.append(of_tile)
    return kept


def check_numbers(case, came, kept):
    assert came == case.arrivals
    for tile, of_tile in enumerate(kept):
        lists = [one for one, op in zip(case.arrivals, case.ops, strict=True) if op["kind"] == ExchangeKind.LIST]
        assert [entries for entries, _ in of_tile] == lists
        assert [own for _, own in of_tile] == [len(fragments[tile].columns) for fragments in case.fragments]


def check_law(case, data):
    soon = (FILL_CYCLES + np.cumsum([data.draw(st.integers(0, 12)) for _ in case.ops])).tolist()
    told, came, kept = run_case(case, soon)
    check_numbers(case, came, kept)
    drain_cycles = reduce.drain_cycles(case.architecture.engine, case.architecture.tiles)
    law, free = [], 0
    for cycle, issue in zip(soon, case.issue_cycles, strict=True):
        free = max(free, cycle + SOON_CYCLES) + issue
        law.append(free + drain_cycles - SOON_CYCLES)
    assert told == law


def check_late_sums(case, offers):
    soon = [FILL_CYCLES] * len(case.ops)
    _, came, kept = run_case(case, soon, offers)
    check_numbers(case, came, kept)


@settings(max_examples=12)
@given(cases(), st.data())
def test_all_arrives_everywhere_as_soon_as_the_law_says(case, data):
    check_law(case, data)


@settings(max_examples=8)
@given(cases(), patterns)
def test_nothing_is_lost_where_sums_come_late(case, offers):
    check_late_sums(case, offers)


@pytest.mark.long
@settings(max_examples=100)
@given(cases(), st.data(), patterns)
def test_a_hundred_cases_of_both(case, data, offers):
    check_law(case, data)
    check_late_sums(case, offers)


def test_one_tile_is_no_array_of_tiles():
    message = "tiles must be those of the machine, at least 2, not 1"
    assert_refused(TileArray, message, architecture=Architecture.named("tiny"), cell="rnn", sizes=SIZES)
