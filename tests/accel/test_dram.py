"""DRAM parts: the standards' orders of size, sources beside every value, one truth where two files have a value."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.dram import FIELDS, DramController, DramPart, fields_of
from deltatrain.accel.dram_parts import DRAM_PARTS
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.pricing.dram_energy import Actions, energy_of

# GB/s of the channel that a part is usually built into
PEAKS = {
    **{"ddr3_1600": 12.8, "ddr4_2400": 19.2, "ddr4_3200": 25.6, "lpddr4_3200": 12.8, "lpddr4_4266": 17.06},
    **{
        "hbm2_2000": 16.0,
        "hbm2_legacy": 32.0,
        "ddr5_4800": 19.2,
        "lpddr5_6400": 12.8,
        "hbm3_6400": 25.6,
        "gddr6_14000": 28.0,
    },
}


@pytest.mark.parametrize("name", DRAM_PARTS.names())
def test_values_stand_in_the_standards_order(name: str) -> None:
    part = DramPart.named(name)
    t = part.timing
    assert part.peak_bytes_per_second(part.usual_bus_bits) / 1e9 == pytest.approx(PEAKS[name], rel=1e-3)
    assert abs(t.tRC - t.tRAS - t.tRP) <= 1  # HBM3's and GDDR6's are rounded to clocks apart
    assert t.tRC <= t.tRFC < t.tREFI
    assert t.tRP <= t.tRPab and t.CWL <= t.CL
    assert t.tRRD_S <= t.tRRD_L and t.tCCD_S <= t.tCCD_L and t.tWTR_S <= t.tWTR_L
    assert t.tFAW >= 3 * t.tRRD_S
    if t.tRFCpb is not None and t.tREFIpb is not None:
        assert t.tRFCpb < t.tRFC
        assert t.tREFI * 0.99 <= t.tREFIpb * part.banks <= t.tREFI
    if part.bank_groups == 1:
        assert (t.tRRD_S, t.tCCD_S, t.tWTR_S) == (t.tRRD_L, t.tCCD_L, t.tWTR_L)


@pytest.mark.parametrize("name", DRAM_PARTS.names())
def test_every_file_names_its_sources_with_a_commit(name: str) -> None:
    text = DRAM_PARTS.text(name)
    assert re.search(r"at [0-9a-f]{7}\)", text)
    assert DramPart.named(name).source.split()[0] in text.partition("about =")[0]


@given(st.permutations(FIELDS))
def test_any_order_of_fields_is_a_map(fields: list[str]) -> None:
    assert fields_of("".join(fields)) == tuple(fields)
    without = [field for field in fields if field != "Bg"]
    place = without.index("Ba")
    assert fields_of("".join(without)) == (*without[: place + 1], "Bg", *without[place + 1 :])
    without = [field for field in fields if field != "Pc"]
    place = without.index("Ch")
    assert fields_of("".join(without)) == (*without[:place], "Pc", *without[place:])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"timing.tRFC": 6240}, "timing: tRFC must be less than tREFI (6240), not 6240"),
        ({"timing.tRAS": 40}, "timing: tRAS must be less than tRC (39), not 40"),
        ({"timing.tFAW": 0}, "timing.tFAW must be a positive integer, not 0"),
        ({"timing.tFWA": 1}, "timing.tFWA is not a field, did you mean 'tFAW'?"),
        ({"currents.vdd_v": -1.0}, "currents.vdd_v must be a positive number, not -1.0"),
        ({"burst_length": 5}, "burst_length must be a power of two from 2 on, not 5"),
        ({"burst_length": 1}, "burst_length must be a power of two from 2 on, not 1"),
        ({"burst_length": 16}, "burst_length must be 4 or 8, which DDR3 has, not 16"),
        (
            {"device_row_bytes": 4},
            "device_row_bytes must be a multiple of a device's burst, 8 x 8 bits in whole bytes, not 4",
        ),
        (
            {"device_row_bytes": 1020},
            "device_row_bytes must be a multiple of a device's burst, 8 x 8 bits in whole bytes, not 1020",
        ),
        (
            {"device_bits": 1, "burst_length": 4},
            "device_row_bytes must be a multiple of a device's burst, 1 x 4 bits in whole bytes, not 1024",
        ),
        (
            {"currents.idd0_ma": 20},
            "currents.idd0_ma must be at least what standby takes in a tRC, 36.31, not 20",
        ),
        ({"currents.idd4r_ma": 37.0}, "currents: idd4r_ma must be at least idd3n_ma (38), not 37"),
        ({"currents.idd4w_ma": 37.0}, "currents: idd4w_ma must be at least idd3n_ma (38), not 37"),
        ({"currents.idd5_ma": 37.0}, "currents: idd5_ma must be at least idd3n_ma (38), not 37"),
        ({"currents.idd2n_ma": 39.0}, "currents: idd3n_ma must be at least idd2n_ma (39), not 38"),
        ({"currents.idd4r_ma": 1e300}, "currents: idd4r_ma must be at most 100,000, not 1e+300"),
        ({"tck_ps": 10**7}, "tck_ps must be at most 1,000,000, not 10000000"),
        ({"rows": 10**12}, "rows must be at most 16,777,216, not 1000000000000"),
        ({"banks_per_group": 64, "bank_groups": 2}, "bank_groups x banks_per_group must be at most 64, not 128"),
        ({"timing.CL": 10**8}, "timing: CL must be at most 10,000,000, not 100000000"),
        (
            {"timing.tRFC": 6239},
            "timing.tRFC must leave 46 clocks for a row until the bank's next refresh, 1 x tREFI later (6240), "
            "not be 6239",
        ),
        ({"beats_per_clock": 3}, "burst_length must be a multiple of beats_per_clock (3), not 8"),
        (
            {"tck_ps": "1250/0"},
            "tck_ps: picoseconds must be a positive number or a ratio such as '1250/3', not '1250/0'",
        ),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        DramPart.named("ddr3_1600", changes)
    assert str(error.value) == f"ddr3_1600: {said}"


def test_more_banks_than_bits_of_a_word_are_not_refreshed_one_by_one() -> None:
    part = DramPart.named("hbm2_2000", {"banks_per_group": 16})
    assert "for more than 62 banks" in DramController(bus_bits=64, refresh="per_bank").fits(part)
    assert DramController(bus_bits=64).fits(part) == ""


@pytest.mark.parametrize(
    "field", ["channels", "pseudo_channels", "ranks", "read_queue", "write_queue", "most_bypasses", "bus_bits"]
)
def test_a_controller_larger_than_any_is_refused_before_anything_is_made(field: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{field} must be at most [\d,]+[^\n]*, not 10{{18}}$"):
        DramController.from_table({"bus_bits": 64, field: 10**18})


currents_ma = st.fixed_dictionaries(
    {f"currents.idd{name}_ma": st.floats(1, 300) for name in ("0", "2n", "3n", "4r", "4w", "5")}
)
geometries = st.fixed_dictionaries(
    {
        "burst_length": st.integers(1, 20),
        "device_row_bytes": st.integers(1, 64),
        "device_bits": st.integers(1, 16),
    }
)


@given(currents_ma, geometries)
def test_what_is_accepted_stays_in_its_physical_range(currents: dict[str, object], geometry: dict[str, object]) -> None:
    """Every action's energy at least nothing; a row of whole bursts, and a burst of whole bytes."""
    try:
        part = DramPart.named("ddr3_1600", currents)
    except ConfigError:
        pass
    else:
        for action in range(len(Actions._fields)):
            actions = Actions._make(int(action == other) for other in range(len(Actions._fields)))
            found = energy_of(part, DramController(bus_bits=64), actions)
            assert all(joules >= -1e-24 for joules in found.values())
    try:
        part = DramPart.named("ddr3_1600", geometry)
    except ConfigError:
        return
    bus_bits = 4 * part.device_bits
    assert part.row_bytes(bus_bits) % part.burst_bytes(bus_bits) == 0
    moved = part.burst_bytes(bus_bits) / (part.burst_cycles * part.tck_ps * 1e-12)
    assert moved == pytest.approx(part.peak_bytes_per_second(bus_bits))


@pytest.mark.parametrize(
    ("given", "exact", "written"),
    [(1250, 1250, 1250), (416.67, Fraction(41667, 100), "41667/100"), ("1250/3", Fraction(1250, 3), "1250/3")],
)
def test_a_clock_period_is_exact_and_is_written_as_it_is_read(given: object, exact: object, written: object) -> None:
    part = DramPart.named("ddr3_1600", {"tck_ps": given, "standard": "mine"})
    assert part.tck_ps == exact and part.model_dump(mode="json")["tck_ps"] == written
    assert DramPart.from_table(part.model_dump(mode="json"), "") == part


def test_data_of_a_clock_four_times_as_fast_are_not_taken_for_double_data_rate() -> None:
    part = DramPart.named("lpddr5_6400")
    assert part.burst_cycles == 2 and part.peak_bytes_per_second(16) == pytest.approx(12.8e9)
    assert DramPart.named("ddr5_4800").peak_bytes_per_second(32) == pytest.approx(19.2e9, rel=1e-12)


def test_defaults_fit_every_part() -> None:
    for name in DRAM_PARTS.names():
        part = DramPart.named(name)
        assert DramController(bus_bits=part.usual_bus_bits).fits(part) == ""
