"""Energy from action counts, by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import recorded_step

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.counters import Counters, RemoteCounters
from deltatrain.accel.description import with_overrides
from deltatrain.accel.energy import ENERGY_TABLES
from deltatrain.accel.energy.prices import NEEDED, Prices, at_size, prices
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.memory import Local
from deltatrain.accel.pricing import sram
from deltatrain.accel.pricing.arithmetic import adders, multipliers
from deltatrain.accel.pricing.nodes import mixed_nodes
from deltatrain.accel.pricing.run_energy import LEAKAGE, energy_j, energy_model, not_priced
from deltatrain.sim.fidelity import analytic
from deltatrain.workloads.lowering.lowering import lower, lower_dense
from deltatrain.workloads.lowering.shape import Shape

NOTHING: Mapping[str, int] = MappingProxyType({})
ROW = {"bytes": [8_192, 32_768, 1_048_576], "pj": [10.0, 20.0, 100.0]}
CACTI = [name for name in ENERGY_TABLES.names() if name.startswith("cacti7")]
CACTI_AT_45 = "cacti7_45nm_hp+horowitz_45nm"


def access_pj(size: int, row: dict[str, list[float]]) -> float:
    return at_size(size, row["bytes"], row["pj"])


def _counters(
    work: Mapping[str, int] = NOTHING, remote: Mapping[str, int] = NOTHING, macs: Mapping[str, int] = NOTHING
) -> Counters:
    """Return the counters of a short run in which nothing was done but this."""
    shape = Shape(CELL_ARITHMETIC.load("rnn"), (2,), (2,), 2)
    machine = Architecture.named("tiny")
    counters = analytic.count(lower(machine, shape, recorded_step(shape, np.array([2]), 0.5, 1), "last"))
    nothing = dict.fromkeys(RemoteCounters.model_fields.keys() - {"bus_ticks"}, 0)
    return counters.model_copy(
        update={
            "work": {**dict.fromkeys(counters.work, 0), **work},
            "remote": RemoteCounters(**{**nothing, **remote}),
            "phases": {name: p.model_copy(update={"macs": macs.get(name, 0)}) for name, p in counters.phases.items()},
        }
    )


@pytest.mark.parametrize(
    ("done", "component", "picojoules"),
    [
        ({"macs": {"FP": 1000}}, "lanes", 1000 * (3.1 / 4 + 0.1 * 40 / 32)),
        ({"macs": {"RF": 1000}}, "lanes", 1000 * (3.1 / 4 + 0.1 * 40 / 32)),
        ({"macs": {"BP": 1000}}, "lanes", 1000 * (3.1 / 4 + 0.1 * 40 / 32)),
        ({"macs": {"WG": 1000}}, "lanes", 1000 * (3.1 / 4 + 0.1)),
        ({"macs": {"WU": 1000}}, "lanes", 1000 * (3.1 / 2 + 0.1 / 2)),
        ({"work": {"multiplies": 1000}}, "elementwise", 1000 * 3.1 / 4),
        ({"work": {"compares": 1000}}, "encoder", 1000 * 0.05),
        # 64 KiB: between 32 KiB at 20 pJ and 1 MiB at 100 pJ, a fifth of the way in doublings
        ({"work": {"local_read_bytes": 800}}, "local memory", 100 * 20 * 5 ** (1 / 5)),
        ({"work": {"local_write_bytes": 800}}, "local memory", 100 * 20 * 5 ** (1 / 5)),
    ],
)
def test_one_kind_of_action_costs_one_component(
    done: dict[str, dict[str, int]], component: str, picojoules: float
) -> None:
    energy = energy_j(_counters(**done), Architecture.named("tiny"))
    assert energy.pop(component) == pytest.approx(picojoules * 1e-12)
    assert set(energy.values()) == {0.0}


def test_energy_follows_the_bits_of_what_each_phase_multiplies_and_adds() -> None:
    """No two formats alike, by hand."""
    bits = {"weight": 8, "activation": 10, "gate": 9, "state": 18, "gradient": 12, "learning_rate": 15}
    formats: dict[str, int] = {f"engine.formats.{name}.bits": width for name, width in bits.items()}
    formats |= {f"engine.formats.{name}.fraction_bits": 6 for name in bits}
    formats |= {"engine.formats.memory_bits": 30, "engine.formats.weight_gradient_bits": 24}
    machine = Architecture.named("tiny", formats)
    multiply, add = 3.1 / 32**2, 0.1 / 32
    for phase, picojoules in {
        "FP": 8 * 10 * multiply + 30 * add,
        "RF": 8 * 10 * multiply + 30 * add,
        "BP": 8 * 12 * multiply + 30 * add,
        "WG": 10 * 12 * multiply + 24 * add,
        "WU": 24 * 15 * multiply + 8 * add,
    }.items():
        assert energy_j(_counters(macs={phase: 1000}), machine)["lanes"] == pytest.approx(1000 * picojoules * 1e-12)
    elementwise = energy_j(_counters({"multiplies": 1000}), machine)["elementwise"]
    assert elementwise == pytest.approx(1000 * 18 * 18 * multiply * 1e-12)
    assert energy_j(_counters({"compares": 1000}), machine)["encoder"] == pytest.approx(1000 * 0.05 * 10 / 16 * 1e-12)


def test_each_phase_has_one_mode_on_the_lanes_with_the_operands_that_are_priced() -> None:
    """The macs of a phase are those of the mode whose widths `lane_operands` gives, in a program of all phases."""
    shape, machine = Shape(CELL_ARITHMETIC.load("lstm"), (3,), (4,), 2), Architecture.named("tiny")
    ops = lower(machine, shape, recorded_step(shape, np.array([3, 2]), 0.5, 1), "last").ops
    for phase, mode in {"FP": "matvec", "BP": "matvec_t", "WG": "outer", "WU": "update"}.items():
        lanes = ops.is_phase(phase) & ops.is_mode("matvec", "matvec_t", "outer", "update")
        assert lanes.any() and (lanes == ops.is_mode(mode)).all(), phase


def test_the_rule_of_widths_holds_between_published_rows() -> None:
    """Horowitz publishes 8 bits beside 32: 0.2 pJ a multiplication, 0.03 an addition; energysim 0.05 for 16 bits."""
    known = prices("horowitz_45nm")
    assert multipliers(known, 8, 8) * known("multiply", "pj") == pytest.approx(0.2, rel=0.04)
    assert adders(known, 8) * known("add", "pj") == pytest.approx(0.03, rel=0.17)
    assert adders(known, 16) * known("add", "pj") == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("device", "bus_bits", "why"),
    [
        ("lpddr4_4266", 16, "no source publishes currents of LPDDR4-4266"),
        ("zero_latency", 16, "zero_latency is described by its latency alone"),
    ],
)
def test_a_memory_without_currents_is_priced_by_the_table_and_says_so(device: str, bus_bits: int, why: str) -> None:
    machine = Architecture.named("tiny", {"remote.device": device, "remote.bus_bits": bus_bits})
    counted = {"read_bytes": 2000, "write_bytes": 6000, "activates": 9, "active_ticks": 99}
    energy = energy_j(_counters(remote=counted), machine)
    assert energy["remote memory"] == pytest.approx(1000 * 1300e-12)
    assert not any(component.startswith("DRAM") for component in energy)
    assert any(why in line and "a table prices its bytes" in line for line in not_priced(machine))
    known = Architecture.named("tiny")
    assert not any("off-chip memory" in line for line in not_priced(known))
    assert energy_model(machine) == "horowitz_45nm, off-chip memory by the table"
    assert energy_model(known) == "horowitz_45nm, off-chip memory by its currents"


def test_tables_of_different_nodes_are_named() -> None:
    """CACTI at 22 nm beside arithmetic at 45; areas at 45 and 40 nm, as by default; all of 45 nm and one SRAM."""
    mixed = mixed_nodes(Architecture.named("tiny", {"energy": "cacti7_22nm_hp+horowitz_45nm"}))
    assert mixed["energy"] == (
        "tables of different nodes side by side: local of 22 nm beside multiply, add, compare of 45 nm",
    )
    assert mixed["area"] == (
        "tables of different nodes side by side: local of 45 nm beside multiply, add of 40 nm",
        "local memory: energy of 22 nm beside area of 45 nm",
    )
    one = Architecture.named("tiny", {"energy": CACTI_AT_45, "area": "cacti7_45nm_hp"})
    assert mixed_nodes(one) == {}


@pytest.mark.parametrize("name", ENERGY_TABLES.names())
def test_every_table_says_its_node(name: str) -> None:
    assert f"_{ENERGY_TABLES.load(name)['node_nm']}nm" in name


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
    shape, machine = Shape(CELL_ARITHMETIC.load("lstm"), (12,), (16,), 4), Architecture.named("edge").without_cache()
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
    assert both("multiply", "pj") == 3.1
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
    counters = _counters({"local_read_bytes": 8 * reads, "local_write_bytes": 8 * writes})
    for banks, read_pj, write_pj in ((1, 21.2, 18.7), (8, 6.05, 7.41)):
        machine = Architecture.named("tiny", {"energy": CACTI_AT_45, "local.banks": banks})
        expected = (reads * read_pj + writes * write_pj) * 1e-12
        assert energy_j(counters, machine)["local memory"] == pytest.approx(expected)


def test_leakage_is_power_times_time_and_known_only_where_the_table_tells() -> None:
    counters = _counters()
    leaky = Architecture.named("tiny", {"energy": CACTI_AT_45})  # 64 kB: 72.6 mW
    assert energy_j(counters, leaky)[LEAKAGE] == pytest.approx(72.6e-3 * counters.cycles / counters.clock_hz)
    assert not any("leakage of the local" in what for what in not_priced(leaky))
    plain = Architecture.named("tiny")
    assert LEAKAGE not in energy_j(counters, plain) and "leakage of the local memory" in not_priced(plain)


def test_dram_is_priced_by_what_each_counter_says() -> None:
    """DDR3-1600 by hand, two x8 devices at 1.35 V and 1.25 ns: no two counters alike, each with currents of its own."""
    counted = {"activates": 3, "refreshes": 5, "read_bursts": 7, "write_bursts": 11}
    counters = _counters()
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
    counters, exchange = _counters(), {"tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 9}
    one, many = (Architecture.named("tiny", exchange | {"energy": CACTI_AT_45, "tiles.count": n}) for n in (1, 5))
    assert energy_j(counters, many)[LEAKAGE] == pytest.approx(5 * energy_j(counters, one)[LEAKAGE])
    assert set(not_priced(many)) - set(not_priced(one)) == {"exchange between tiles"}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("pj_per_bit = 0.2", "wire.pj_per_bit is not a quantity: a wire has pj_per_bit_mm"),
        ('source = "mine"', "wire.pj_per_bit_mm is missing"),
        ("pj_per_bit_mm = 1e300", r"wire.pj_per_bit_mm must be a number from 0 on, below 1e30, not 1e\+300"),
    ],
)
def test_a_price_of_wires_that_is_none_is_refused(tmp_path: Path, row: str, said: str) -> None:
    (tmp_path / "mine.toml").write_text(f'about = "mine"\nnode_nm = 45\n[wire]\n{row}\n')
    with pytest.raises(ConfigError, match=said):
        Architecture.named("tiny", {"energy": f"{Architecture.named('tiny').energy}+{tmp_path / 'mine.toml'}"})


def test_tiles_a_metre_apart_are_the_farthest() -> None:
    mesh = {"tiles.count": 2, "tiles.exchange_bytes_per_cycle": 4, "tiles.hop_cycles": 1}
    assert Architecture.named("tiny", mesh | {"tiles.pitch_mm": 1000}).tiles.pitch_mm == 1000
    with pytest.raises(ConfigError, match=r"tiles\.pitch_mm must be at most 1000.*, not 1e\+300"):
        Architecture.named("tiny", mesh | {"tiles.pitch_mm": 1e300})


@pytest.mark.parametrize(("kind", "pitches"), [({"hop_cycles": 1}, 8), ({"exchange_latency_cycles": 4}, 4 * 1 + 4 * 2)])
def test_wires_of_the_exchange_cost_by_their_length(tmp_path: Path, kind: dict[str, int], pitches: int) -> None:
    """Nine tiles in three rows: a tree of eight links, or from the middle four lines of one pitch and four of two."""
    (tmp_path / "mine.toml").write_text('about = "mine"\nnode_nm = 45\n[wire]\npj_per_bit_mm = 0.2\n')
    exchange = {f"tiles.{name}": value for name, value in kind.items()} | {"tiles.exchange_bytes_per_cycle": 4}
    tables = f"{Architecture.named('tiny').energy}+{tmp_path / 'mine.toml'}"
    machine = Architecture.named("tiny", exchange | {"tiles.count": 9, "tiles.pitch_mm": 0.5, "energy": tables})
    spent = energy_j(_counters({"exchange_bytes": 1000}), machine)["exchange wires"]
    assert spent == pytest.approx(8 * 1000 * pitches * 0.5 * 0.2e-12)
    assert "switches and adders of the exchange" in not_priced(machine)
    for unknown in ({"tiles.pitch_mm": None}, {"energy": Architecture.named("tiny").energy}):
        without = Architecture.from_table(with_overrides(machine.model_dump(mode="json"), unknown))
        assert "exchange wires" not in energy_j(_counters({"exchange_bytes": 1000}), without)
        assert "exchange between tiles" in not_priced(without)
