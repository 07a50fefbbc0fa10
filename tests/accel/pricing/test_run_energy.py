"""Energy from action counts, by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import recorded_step

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.energy import ENERGY_TABLES
from deltatrain.accel.energy.prices import NEEDED, Prices, at_size, prices
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.memory import Local
from deltatrain.accel.pricing import sram
from deltatrain.accel.pricing.run_energy import LEAKAGE, energy_j, not_priced
from deltatrain.accel.result import Counters
from deltatrain.sim.fidelity import analytic
from deltatrain.workloads.lowering.lowering import lower, lower_dense
from deltatrain.workloads.lowering.placement import Shape

ROW = {"bytes": [8_192, 32_768, 1_048_576], "pj": [10.0, 20.0, 100.0]}
CACTI = [name for name in ENERGY_TABLES.names() if name.startswith("cacti7")]
CACTI_AT_45 = "cacti7_45nm_hp+horowitz_45nm"


def access_pj(size: int, row: dict[str, list[float]]) -> float:
    return at_size(size, row["bytes"], row["pj"])


def _counters(work: dict[str, int], remote_bytes: int) -> Counters:
    shape = Shape(CELL_ARITHMETIC.load("rnn"), (2,), (2,), 2)
    machine = Architecture.named("tiny")
    counters = analytic.count(lower(machine, shape, recorded_step(shape, np.array([2]), 0.5, 1), "last"))
    remote = counters.remote.model_copy(
        update={"read_bytes": remote_bytes // 4, "write_bytes": remote_bytes - remote_bytes // 4}
    )
    return counters.model_copy(update={"work": dict.fromkeys(counters.work, 0) | work, "remote": remote})


@pytest.mark.parametrize(
    ("work", "remote_bytes", "component", "picojoules"),
    [
        ({"macs": 1000}, 0, "lanes", 1000 * (0.775 + 0.1)),
        ({"multiplies": 1000}, 0, "elementwise", 775),
        ({"compares": 1000}, 0, "encoder", 50),
        ({"local_read_bytes": 800}, 0, "local memory", None),
        ({"local_write_bytes": 800}, 0, "local memory", None),
        ({}, 8000, "remote memory", 1000 * 1300),
    ],
)
def test_one_kind_of_action_costs_one_component(
    work: dict[str, int], remote_bytes: int, component: str, picojoules: float | None
) -> None:
    machine = Architecture.named("tiny")
    if picojoules is None:  # 64 KiB: between 32 KiB at 20 pJ and 1 MiB at 100 pJ, a fifth of the way in doublings
        picojoules = 100 * 20 * 5 ** (1 / 5)
    energy = energy_j(_counters(work, remote_bytes), machine)
    assert energy.pop(component) == pytest.approx(picojoules * 1e-12)
    assert set(energy.values()) == {0.0}


@given(st.integers(1, 2**30), st.integers(1, 2**30))
def test_a_larger_memory_never_costs_less(one: int, other: int) -> None:
    small, large = sorted((one, other))
    assert access_pj(small, ROW) <= access_pj(large, ROW)


@given(st.floats(0, 1), st.integers(0, 1))
def test_between_two_sizes_holds_the_power_law_through_them(share: float, which: int) -> None:
    (low, high), (cheap, dear) = list(pairwise(ROW["bytes"]))[which], list(pairwise(ROW["pj"]))[which]
    size = round(low * (high / low) ** share)
    exponent = math.log(dear / cheap) / math.log(high / low)
    assert access_pj(size, ROW) == pytest.approx(cheap * (size / low) ** exponent)


def test_the_table_holds_at_its_own_sizes_and_beyond() -> None:
    for size, pj in zip(ROW["bytes"], ROW["pj"], strict=True):
        assert access_pj(int(size), ROW) == pytest.approx(pj)
    assert access_pj(16, ROW) == pytest.approx(10)
    assert access_pj(2**30, ROW) == pytest.approx(100)


def test_fewer_deltas_never_cost_more_energy() -> None:
    shape, machine = Shape(CELL_ARITHMETIC.load("lstm"), (12,), (16,), 4), Architecture.named("edge")
    lengths = np.array([8, 5])
    spent = [
        energy_j(analytic.count(lower(machine, shape, recorded_step(shape, lengths, occupancy, 1), "last")), machine)
        for occupancy in (0.0, 0.3, 0.7, 2.0)
    ]
    for fewer, more in pairwise(spent):
        assert all(fewer[component] <= more[component] for component in fewer)
    dense = energy_j(analytic.count(lower_dense(machine, shape, lengths, "last")), machine)
    assert dense["lanes"] == spent[-1]["lanes"]


@pytest.mark.parametrize("name", ENERGY_TABLES.names())
def test_every_row_of_a_table_says_where_it_is_from(name: str) -> None:
    rows = {row: entry for row, entry in ENERGY_TABLES.load(name).items() if isinstance(entry, dict)}
    assert rows
    for row, entry in rows.items():
        assert entry["source"]
        for quantity, value in entry.items():
            assert quantity == "source" or min(np.atleast_1d(value)) > 0
            if "bytes" in entry and quantity != "source":
                assert len(value) == len(entry["bytes"]), (row, quantity)
                assert all(one < other for one, other in pairwise(value)), (row, quantity)  # larger costs more


def test_cacti_agrees_with_horowitz_as_far_as_two_sources_do() -> None:
    """6.0, 17.0 and 77 pJ at 45 nm where Horowitz lists 10, 20 and 100 for caches, which have tags too."""
    ours, theirs = prices("cacti7_45nm_hp"), prices("horowitz_45nm")
    for size, least, most in ((8_192, 0.6, 0.61), (32_768, 0.85, 0.86), (1_048_576, 0.77, 0.78)):
        assert least <= ours.of_size("local", "read_pj", size) / theirs.of_size("local", "read_pj", size) <= most


@pytest.mark.parametrize("name", CACTI)
def test_read_energy_grows_as_the_root_of_the_size(name: str) -> None:
    """Bit lines and word lines of a square memory are as long as its root: a law that no row was made with."""
    known = prices(name)
    exponent = np.polyfit(
        *np.log([(size, known.of_size("local", "read_pj", size)) for size in 2 ** np.arange(13, 22)]).T, 1
    )
    assert 0.35 < exponent[0] < 0.65


def test_of_several_tables_the_first_that_has_a_row_prices_it() -> None:
    both = Prices("cacti7_22nm_hp + horowitz_45nm")
    assert both.of_size("local", "read_pj", 2**20) == pytest.approx(21.1)
    assert both("multiply", "pj") == 0.775
    assert not both.has("local", "leakage_mw"), "a row is one table's, with all that it does not know"
    assert Prices("horowitz_45nm+cacti7_22nm_hp").of_size("local", "read_pj", 2**20) == pytest.approx(100)


@pytest.mark.parametrize(("row", "quantity"), NEEDED)
def test_what_is_not_priced_is_refused_with_the_table_and_the_row(row: str, quantity: str) -> None:
    known = Prices("horowitz_45nm")
    del known._rows[row][quantity]
    with pytest.raises(ConfigError, match=rf"'horowitz_45nm' has no {quantity} in a row \[{row}\], '") as refused:
        known.check()
    assert len(str(refused.value).splitlines()) == 1
    with pytest.raises(ConfigError, match=rf"\[{row}\]"):
        known.of_size(row, quantity, 8_192) if row == "local" else known(row, quantity)


def test_a_machine_whose_tables_lack_a_row_is_refused_before_it_runs() -> None:
    with pytest.raises(ConfigError, match=r"table 'cacti7_32nm_hp' has no pj in a row \[multiply\]"):
        Architecture.named("tiny", {"energy": "cacti7_32nm_hp"})
    assert Architecture.named("tiny", {"energy": "cacti7_32nm_hp+horowitz_45nm"}).energy


@given(st.sampled_from([2**power for power in range(13, 21)]), st.sampled_from([1, 2, 4, 8, 64]))
def test_banks_are_priced_one_by_one(size: int, banks: int) -> None:
    whole, parts = Local(bytes=size), Local(bytes=size, banks=banks)
    known, row = prices(CACTI_AT_45), ENERGY_TABLES.load("cacti7_45nm_hp")["local"]
    bank = max(size // banks, row["bytes"][0])
    place = row["bytes"].index(bank)
    assert sram.access_pj(parts, known, "write") == pytest.approx(row["write_pj"][place])
    assert sram.leakage_w(parts, known) == pytest.approx(banks * row["leakage_mw"][place] * 1e-3)
    assert sram.area_mm2(parts, known) == pytest.approx(banks * row["mm2"][place])
    for way in ("read", "write"):
        assert sram.access_pj(parts, known, way) <= sram.access_pj(whole, known, way)


@given(st.floats(1, 64))
def test_beyond_the_largest_memory_there_are_more_of_it(times: float) -> None:
    known, largest = prices(CACTI_AT_45), 2_097_152
    one, more = Local(bytes=largest), Local(bytes=int(times * largest))
    share = more.bytes / largest
    assert sram.access_pj(more, known, "read") == pytest.approx(sram.access_pj(one, known, "read"))
    for cost in (sram.leakage_w, sram.area_mm2):
        assert cost(more, known) == pytest.approx(share * cost(one, known))


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_reads_and_writes_have_prices_of_their_own(reads: int, writes: int) -> None:
    """64 kB at 45 nm: 21.2 pJ to read 8 bytes, 18.7 to write them; in 8 banks of 8 kB 6.05 and 7.41."""
    counters = _counters({"local_read_bytes": 8 * reads, "local_write_bytes": 8 * writes}, 0)
    for banks, read_pj, write_pj in ((1, 21.2, 18.7), (8, 6.05, 7.41)):
        machine = Architecture.named("tiny", {"energy": CACTI_AT_45, "local.banks": banks})
        expected = (reads * read_pj + writes * write_pj) * 1e-12
        assert energy_j(counters, machine)["local memory"] == pytest.approx(expected)


def test_leakage_is_power_times_time_and_known_only_where_the_table_tells() -> None:
    counters = _counters({}, 0)
    leaky = Architecture.named("tiny", {"energy": CACTI_AT_45})  # 64 kB: 72.6 mW
    assert energy_j(counters, leaky)[LEAKAGE] == pytest.approx(72.6e-3 * counters.cycles / counters.clock_hz)
    assert not any("leakage of the local" in what for what in not_priced(leaky))
    plain = Architecture.named("tiny")
    assert LEAKAGE not in energy_j(counters, plain) and "leakage of the local memory" in not_priced(plain)


def test_dram_is_priced_by_what_each_counter_says() -> None:
    """DDR3-1600 by hand, two x8 devices at 1.35 V and 1.25 ns: no two counters alike, each with currents of its own."""
    counted = {"activates": 3, "refreshes": 5, "read_bursts": 7, "write_bursts": 11}
    counters = _counters({}, 0)
    remote = counters.remote.model_copy(update=counted | {"active_ticks": 1300, "idle_ticks": 1700})
    energy = energy_j(counters.model_copy(update={"remote": remote}), Architecture.named("tiny"))
    joules = 1.35 * 1e-3 * 1.25e-9 * 2
    expected = {
        "DRAM activate and precharge": 3 * (55 * 39 - 38 * 28 - 32 * 11),
        "DRAM read": 7 * (157 - 38) * 4,
        "DRAM write": 11 * (125 - 38) * 4,
        "DRAM refresh": 5 * (235 - 38) * 208,
        "DRAM standby": 1300 * 38 + 1700 * 32,
    }
    found = {name: spent for name, spent in energy.items() if name.startswith("DRAM")}
    assert found == pytest.approx({name: clocks * joules for name, clocks in expected.items()})
    assert "remote memory" not in energy


def test_every_tile_leaks() -> None:
    counters, exchange = _counters({}, 0), {"tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 9}
    one, many = (Architecture.named("tiny", exchange | {"energy": CACTI_AT_45, "tiles.count": n}) for n in (1, 5))
    assert energy_j(counters, many)[LEAKAGE] == pytest.approx(5 * energy_j(counters, one)[LEAKAGE])
    assert set(not_priced(many)) - set(not_priced(one)) == {"exchange between tiles"}
