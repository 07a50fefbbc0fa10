"""The column cache as data: what is accepted, what room it gets, what its tags cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cache_policies import POLICIES, Uses
from deltatrain.accel.column_cache import CacheShape, Lines
from deltatrain.accel.counters import CacheCounters
from deltatrain.accel.description import with_overrides
from deltatrain.accel.energy.prices import prices
from deltatrain.accel.errors import ConfigError, FitError
from deltatrain.accel.presets import MACHINES
from deltatrain.accel.pricing import cache_tags, sram
from deltatrain.accel.pricing.area import area
from deltatrain.accel.program import CACHE, Program
from deltatrain.reports.table import cache_note
from deltatrain.sim.run import simulate
from deltatrain.workloads.lowering.matrix import lower_matrix
from deltatrain.workloads.lowering.step_programs import program_of
from deltatrain.workloads.synthetic import uniform_masks
from deltatrain.workloads.workload import Workload


def _edge(**cache: Any) -> Architecture:
    return Architecture.named("edge", {f"cache.{name}": value for name, value in ({"ways": 8} | cache).items()})


def _plain() -> Architecture:
    return Architecture.named("edge").without_cache()


@pytest.mark.parametrize(
    ("cache", "words"),
    [
        ({"line_bytes": 31}, "cache.line_bytes must be 32 (a word of W or of dW) to 4096"),
        ({"line_bytes": 4097}, "cache.line_bytes must be 32 (a word of W or of dW) to 4096"),
        ({"bytes": 511}, "cache.bytes must hold a set of 8 lines (512 bytes), not 511"),
        ({"bytes": "rest"}, "cache.bytes: must be a number of bytes from 0 on or 'auto', not 'rest'"),
        ({"bytes": -1}, "cache.bytes: must be a number of bytes from 0 on or 'auto', not -1"),
        ({"policy": "fifo"}, "cache.policy must be one of 'lru', 'reverse' or 'belady', not 'fifo'"),
        ({"ways": 0}, "cache.ways must be a positive integer, not 0"),
    ],
)
def test_a_mistake_is_told_by_its_field(cache: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        _edge(**cache)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"tiles.count": 2, "tiles.exchange_bytes_per_cycle": 8, "tiles.exchange_latency_cycles": 4},
            "of 2 tiles it must have a size of its own",
        ),
        ({"engine.arrays": 2}, "there are 2 arrays"),
        ({"local.ports": 1}, "has one port"),
    ],
)
def test_what_is_left_lies_idle_where_it_cannot_be_a_cache(changes: dict[str, Any], why: str) -> None:
    """Inherited, it costs nobody an answer: the machine is one without a cache, and says so. A size is refused."""
    inherits = _edge(bytes="auto").model_dump()
    idle = Architecture.from_table(with_overrides(inherits, changes))
    assert why in idle.idle_cache and idle.column_cache is None
    step = Workload.named("synthetic", {"training.batch": 1, "synthetic.steps": 4})
    found = simulate(idle, step, dense=False)
    assert found.counters == simulate(idle.without_cache(), step, dense=False).counters
    assert why in cache_note(found)
    if "tiles.count" not in changes:  # several tiles have one of such a size
        with pytest.raises(ConfigError, match="column cache"):
            simulate(Architecture.from_table(with_overrides(inherits, changes | {"cache.bytes": 1024})), step)


def test_no_bytes_are_no_cache() -> None:
    none, plain = _edge(bytes=0, ways=4), _plain()
    assert none.column_cache is None and not none.idle_cache
    assert _program(none).local_bytes == _program(plain).local_bytes


def test_a_line_that_is_left_out_has_two_words_of_gradients() -> None:
    lines = {lanes: Architecture.named("edge", {"engine.lanes": lanes, "cache.ways": 2}) for lanes in (4, 8, 32)}
    assert [one.column_cache.line_bytes for one in lines.values() if one.column_cache] == [32, 64, 256]


def test_no_machine_has_one_unless_it_says_so() -> None:
    """Nor do the presets that stand for published hardware; `edge` has one in what is left of its memory."""
    cached = [name for name in MACHINES.names() if Architecture.named(name).column_cache]
    assert cached == ["edge"]
    assert _program(_plain()).cached_runs is None


def _program(machine: Architecture) -> Program:
    from deltatrain.sim.run import synthetic_trace
    from deltatrain.workloads.lowering.step_programs import shape_of

    trace = synthetic_trace(Workload.named("synthetic", {"training.batch": 1, "synthetic.steps": 40}))
    return program_of(machine, shape_of(trace), trace.recorded[0], "last")


def test_a_described_machine_without_one_can_be_given_one() -> None:
    """As a sweep does, whose machine is a table in which the cache is None."""
    table = _plain().model_dump(mode="json")
    assert table["cache"] is None
    assert Architecture.from_table(with_overrides(table, {"cache.ways": 4})) == _edge(ways=4)
    with pytest.raises(ConfigError, match="cache is not a table"):
        with_overrides(table | {"cache": 3}, {"cache.ways": 4})


def test_auto_is_what_nothing_else_takes() -> None:
    plain, cached = _program(_plain()), _program(_edge(bytes="auto"))
    left = 229_376 - sum(plain.local_bytes.values())
    assert cached.local_bytes == plain.local_bytes | {CACHE: left // 512 * 512}
    assert cached.cache == CacheShape(left // 512, 8, 64)


def test_a_cache_of_its_own_size_comes_before_what_may_live_elsewhere() -> None:
    """The tape goes off-chip where the cache leaves it no room, and a cache that does not fit is an error."""
    plain = _program(_plain())
    room = 229_376 - plain.local_bytes["state"] - plain.local_bytes["column buffer"]
    almost = _program(_edge(bytes=room - plain.local_bytes["tape"] + 1))
    assert "tape" in plain.local_bytes and "tape" not in almost.local_bytes
    with pytest.raises(FitError, match="the column cache"):
        _program(_edge(bytes=room + 1))


def test_a_cache_that_takes_the_rest_must_find_room_for_a_set() -> None:
    """Otherwise a machine with a cache would be simulated without one, and nobody told."""
    most = 229_376 - sum(_program(_plain()).local_bytes.values())
    assert _program(_edge(ways=most // 64)).cache == CacheShape(1, most // 64, 64)
    with pytest.raises(FitError, match=rf"a set of the column cache \({64 * (most // 64 + 1)} bytes\), .* missing"):
        _program(_edge(ways=most // 64 + 1))
    all_local = {
        "cache.ways": 65_536,
        "placement.weights": "auto",
        "placement.gradients": "auto",
        "local.bytes": 1 << 20,
    }
    assert _program(Architecture.named("edge", all_local)).cache is None


def test_what_is_left_is_no_cache_if_it_holds_less_than_is_on_its_way() -> None:
    taken, buffer_bytes = sum(_program(_plain()).local_bytes.values()), _plain().dma.buffer_bytes
    for left, sets in ((buffer_bytes, buffer_bytes // 512), (buffer_bytes - 1, None)):
        machine = Architecture.named("edge", {"cache.ways": 8, "local.bytes": taken + left})
        cache = _program(machine).cache
        assert (cache.sets if cache else None) == sets
    step = Workload.named("synthetic", {"training.batch": 1, "synthetic.steps": 40})
    assert "it is less than the column buffer, 8,192 bytes" in cache_note(
        simulate(machine, step, fidelity="analytic", dense=False)
    )


@pytest.mark.parametrize(("local_bytes", "told"), [(11_000, True), (1 << 20, False)])
def test_a_cache_that_lies_idle_is_told_where_matrices_went_off_chip_by_their_size(
    local_bytes: int, told: bool
) -> None:
    homes = {"placement.weights": "auto", "placement.gradients": "auto", "remote.device": "zero_latency"}
    machine = Architecture.named("edge", {**homes, "local.bytes": local_bytes})
    step = Workload.named("synthetic", {"hidden": [16], "training.batch": 1, "synthetic.steps": 4})
    note = cache_note(simulate(machine, step, fidelity="analytic", dense=False))
    assert ("it is less than the column buffer" in note) == told


def test_what_a_tile_has_no_room_for_is_named_whole() -> None:
    machine = Architecture.named("midsize", {"cache.bytes": 262_144})
    with pytest.raises(FitError, match="the column buffer, the column cache and the exchange buffers, "):
        _program(machine)


def test_lines_are_runs_of_columns_numbered_through() -> None:
    machine = Architecture.named("edge", {"placement.weights": "remote", "cache.line_bytes": 64, "cache.ways": 8})
    program = lower_matrix(machine, "matvec", uniform_masks(3, 5, 1.0, 1), 72)  # nine words of 16 bytes, four a line
    found = Lines.of(program.tensors, 64)
    assert found.words.tolist() == [4, 4, 1] * 5
    assert found.first_word.tolist() == [9 * column + word for column in range(5) for word in (0, 4, 8)]
    assert found.address.tolist() == [16 * word for word in found.first_word.tolist()]
    assert found.first.tolist() == [0, 3, 6, 9, 12]


def test_a_matrix_that_is_local_has_no_lines() -> None:
    machine = Architecture.named("edge", {"placement.weights": "local", "cache.bytes": 1024})
    program = lower_matrix(machine, "matvec", uniform_masks(3, 5, 1.0, 1), 72)
    assert len(Lines.of(program.tensors, 64).words) == 0
    assert not program.is_cached.any()


def test_who_knows_the_future_keeps_what_comes_soonest() -> None:
    uses = Uses(*(np.array(values) for values in ([5, 7, 5, 9, 7], [0] * 5, [0] * 5, [1] * 5)))
    ranks = POLICIES["belady"](_program(_edge()).ops, np.zeros(1, np.int32), uses)
    assert len(set(ranks.tolist())) == 5
    assert ranks[0] > ranks[1] > max(ranks[2:])  # 5 comes again before 7; the others never


def test_tags_are_a_memory_of_their_own() -> None:
    machine = _edge(bytes=131_072)
    tags = cache_tags.memory(machine)
    # 512 MiB in lines of 64 bytes are 2^23; valid, dirty; one of eight turns.
    assert cache_tags.tag_bits(machine) == 23 + 2 + 3
    assert tags is not None and tags.bytes == 2048 * 28 // 8
    assert area(machine).mm2["column cache tags"] == sram.area_mm2(tags, prices(machine.area))
    assert cache_tags.memory(_plain()) is None


def test_a_lookup_reads_the_tags_of_a_set_and_writes_one() -> None:
    machine, price = _edge(bytes=131_072), prices("horowitz_45nm")
    tags = cache_tags.memory(machine)
    assert tags is not None
    phases = [CacheCounters(hits=3, misses=4, write_backs=1), CacheCounters(hits=1, misses=0, write_backs=0)]
    words = 28 / 64
    of_one = 8 * words * sram.access_pj(tags, price, "read") + words * sram.access_pj(tags, price, "write")
    assert cache_tags.lookups_pj(machine, phases, price) == pytest.approx(8 * of_one)
