"""Units that columns are shown with, by their names."""

from __future__ import annotations

import pytest

from deltatrain.accel.origin import WHOLE_TRAINING
from deltatrain.reports.table import energy_rows, phase_rows, unit_rows
from deltatrain.reports.units import counts, heading, takes_prefix, unit_of

UNITS = {
    "%": ("share", "busy", "utilisation", "occupancy", "of_roof", "accuracy", "saved", "workload.occupancy_x"),
    "×": ("speedup", "saving", "phase.total.speedup"),
    "B": ("remote_bytes", "dense_local_bytes", "machine.local.bytes"),
    "s": ("time_s", "seconds", "counters.seconds"),
    "J": ("energy_j", "dense_energy_j"),
    "mm²": ("area_mm2",),
    "Hz": ("machine.engine.clock_hz", "clock_hz"),
    "cycles": ("busy_cycles", "stall_encoder_cycles"),
    "MAC": ("macs", "skipped_macs"),
    "MAC/s": ("macs_per_second", "roof_macs_per_second"),
    "MAC/B": ("macs_per_remote_byte",),
    "B/s": ("bytes_per_second",),
    "B/cycle": ("machine.dma.bytes_per_cycle",),
    "": ("phase", "machine.engine.lanes", "fired", "row_hits"),
}


@pytest.mark.parametrize(("unit", "columns"), UNITS.items())
def test_a_column_is_in_the_unit_that_its_name_ends_in(unit: str, columns: tuple[str, ...]) -> None:
    assert {unit_of(column) for column in columns} == {unit}


def test_numbers_that_add_up_have_a_unit_and_names_have_none(random_result) -> None:
    result = random_result(1)
    for row in (phase_rows(result)[0], unit_rows(result.counters)[0], energy_rows(result)[0]):
        for column, value in row.items():
            if column not in ("fired", "elements"):
                assert bool(unit_of(column)) == (not isinstance(value, str)), column


def test_counts_stand_in_the_heading_and_quantities_take_a_prefix() -> None:
    assert [unit for unit in UNITS if counts(unit)] == ["cycles", "MAC"]
    assert [unit for unit in UNITS if takes_prefix(unit)] == ["B", "s", "J", "Hz", "MAC/s", "B/s"]


def test_headings_are_words_without_the_symbol() -> None:
    names = ("machine.engine.lanes", "moved.local_bytes", "energy_j", "area_mm2", "seconds")
    assert [heading(name) for name in names] == ["engine.lanes", "moved local bytes", "energy", "area", "time"]


def test_what_a_whole_training_costs_has_headings_and_units_of_its_own() -> None:
    told = [(heading(name), unit_of(name)) for name in WHOLE_TRAINING]
    assert told == [
        ("training time", "s"),
        ("training energy", "J"),
        ("training remote bytes", "B"),
        ("error of the training energy", "%"),
    ]
