"""The study of codes on the tape: what it trains, and against what each row is held."""

from __future__ import annotations

from pathlib import Path

import pytest

from deltatrain.sim.studies import _training, tape_codes
from deltatrain.sim.studies._training import Outcome


def test_points_and_bytes_are_those_lost_and_saved_against_values_in_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tape_codes.SMALL_SETTINGS
    right = dict(zip(settings.trials, (0.9, 0.8, 0.7, 0.65), strict=True))
    outcomes = {(name, 1): Outcome(share, 0.3, 0.2, 12.0, 0.5, 0.2) for name, share in right.items()}
    monkeypatch.setattr(_training, "trained", lambda *_: outcomes)
    table = {str(row["trial"]): row for row in tape_codes.rows(settings, tmp_path, lambda stage, share, detail: None)}
    assert [*table] == [
        "delta_gru, float, values",
        "delta_gru, float, 3 bits",
        "delta_gru, edge, values",
        "delta_gru, edge, 3 bits",
    ]
    assert [row["lost_points"] for row in table.values()] == [0, 10, 0, 5]
    assert [row["neuron_bits"] for row in table.values()] == [80, 44, 80, 44]
    entries = 12 * 4  # an activation and its index, 2 bytes each
    assert [row["tape_B"] for row in table.values()] == [48 * bits / 8 + entries for bits in (80, 44, 80, 44)]
    assert table["delta_gru, edge, 3 bits"]["smaller_times"] == round((480 + 48) / (264 + 48), 2)


def test_half_of_the_trainings_are_in_the_numbers_of_the_machine() -> None:
    for settings in (tape_codes.SETTINGS, tape_codes.SMALL_SETTINGS):
        for name in settings.trials:
            workload = settings.trial(name, 1)
            assert (workload.training.machine_numbers is not None) == (", edge," in name)
            assert (workload.code_bits is None) == name.endswith("values")
