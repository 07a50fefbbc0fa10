"""Calibration: fields are found again from times that a machine of known fields took; faults of the file are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.calibration import Measured, calibrate, check_target, measurements, write_machine
from deltatrain.sim.steady_step import SteadyStep

_STEPS = [
    SteadyStep("delta_gru", 4, 16, 1, 9.0),
    SteadyStep("delta_gru", 4, 16, 2, 20.0),
    SteadyStep("delta_gru", 4, 32, 1, 30.0),
    SteadyStep("delta_gru", 12, 48, 1, 6.0),
    SteadyStep("delta_gru", 12, 48, 1, 60.0),
]
_TRUE = {"engine.clock_hz": 83_000_000, "engine.layer_cycles": 31, "dma.request_cycles": 9}
_HEADER = "cell,inputs,hidden,layers,columns,seconds\n"


def _measured(machine: Architecture) -> list[Measured]:
    return [Measured(step, step.cycles(machine, 3) / machine.engine.clock_hz) for step in _STEPS]


def test_fields_are_found_again_and_the_written_machine_takes_the_measured_times(tmp_path: Path) -> None:
    one_at_a_time = {"dma.columns_in_flight": 1}
    measured = _measured(Architecture.named("edgedrnn", _TRUE | one_at_a_time))
    found = calibrate(Architecture.named("edgedrnn", one_at_a_time), measured, tuple(_TRUE))
    for field, value in _TRUE.items():
        assert found.values[field] == pytest.approx(value, rel=0.01, abs=1)
    assert np.abs(found.off).max() < 0.01
    assert found.without_effect == ()
    write_machine(tmp_path / "board.toml", "edgedrnn", found, "board.csv")
    written = Architecture.named(tmp_path / "board.toml", one_at_a_time)
    assert written.engine == found.machine.engine


def test_a_field_that_changes_no_time_is_left_and_said() -> None:
    measured = _measured(Architecture.named("edgedrnn"))
    found = calibrate("edgedrnn", measured, ("engine.clock_hz", "dma.buffer_bytes"))
    assert found.without_effect == ("dma.buffer_bytes",)
    assert found.values["dma.buffer_bytes"] == Architecture.named("edgedrnn").dma.buffer_bytes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lacks the columns cell, inputs"),
        ("cell,inputs\n", "lacks the columns hidden"),
        (_HEADER, "no measured step"),
        (_HEADER + "lstm,8,16,1,3,1e-6\n", "row 2: cell must be one of"),
        (_HEADER + "delta_gru,8,16,1,3,1e-6\ndelta_gru,x,0,1,3,1e-6\n", "row 3: inputs must be a whole number"),
        (_HEADER + "delta_gru,8,16,1,-3,1e-6\n", "row 2: columns must be a number of 0 or more"),
        (_HEADER + "delta_gru,8,16,1,25,1e-6\n", "row 2: columns must be at most 24"),
        (_HEADER + "delta_gru,8,16,1,3,0\n", "row 2: seconds must be above 0"),
        (_HEADER + "delta_gru,8,16,1,3,1e-320\n", "row 2: seconds must be above 0, at least 1e-12, not '1e-320'"),
        (_HEADER + "delta_gru,8,16,1,3,5,0,000003\n", "row 2 has more values than there are columns"),
        (_HEADER + "delta_gru,8,1000000000,1,3,1\n", "row 2: hidden must be a whole number from 1 to 100000"),
        (_HEADER + "lif,8,16,2,25,1\n", "row 2: columns must be at most 24"),
        ("seconds,seconds," + _HEADER, "has the columns seconds more than once"),
        (_HEADER + "delta_gru,8,16,1,3,nan\n", "row 2: seconds must be a number of 0 or more"),
        (_HEADER + "delta_gru,8,16,1\n", "row 2: columns must be a number"),
    ],
)
def test_a_wrong_file_names_row_column_value_and_what_is_accepted(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "board.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        measurements(path)


def test_fewer_steps_than_fields_and_fields_that_hold_no_number_are_refused() -> None:
    measured = _measured(Architecture.named("edgedrnn"))
    for few in (measured[:1], measured[:1] * 9):
        with pytest.raises(ConfigError, match="1 different measured steps cannot tell 4 fields apart"):
            calibrate("edgedrnn", few)
    for field in ("engine.in_turn", "engine.nothing", "name", "remote.device"):
        with pytest.raises(ConfigError, match="cannot be fitted"):
            calibrate("edgedrnn", measured, (field,))


@pytest.mark.parametrize("cell", ["delta_dense", "lif"])
def test_of_a_cell_without_recurrence_the_columns_of_x_fire(cell: str) -> None:
    few, many = (SteadyStep(cell, 8, 16, 2, columns).cycles(Architecture.named("edge"), 3) for columns in (2.0, 24.0))
    assert few < many


def test_a_fit_that_leaves_what_a_machine_can_be_says_so() -> None:
    step = SteadyStep("delta_gru", 8, 16, 1, 3.0)
    with pytest.raises(ConfigError, match=r"the fit leaves what a machine can be.*engine.clock_hz must be at least"):
        calibrate("edgedrnn", [Measured(step, 1e6)], ("engine.clock_hz",))


def test_a_fitted_machine_is_not_written_over_what_it_is_fitted_to(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"board.csv: the name of a machine's file must end in .toml"):
        check_target("board.csv")
    with pytest.raises(ConfigError, match="is what the search begins with"):
        check_target(tmp_path / "mine.toml", "board.csv", tmp_path / "mine.toml")
