"""No number that the command line prints differs from what it was; README.md says how the values are written."""

from __future__ import annotations

import copy

import pytest
from golden_cases import CASES, MissingProgramError, differences, measured, stored

VALUES = stored()


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=[pytest.mark.long] * case.long) for case in CASES]
)
def test_a_result_is_what_it_was(case, tmp_path):
    before = VALUES[case.name]
    try:
        now = measured(case, tmp_path)
    except MissingProgramError as missing:
        pytest.skip(str(missing))
    if case.compare == "verilog" and before["yosys"] != now["yosys"]:
        now |= {name: before[name] for name in ("yosys", "cells")}  # another version counts cells in another way
    changed = differences(before, now)
    assert not changed, f"{len(changed)} fields of {case.name!r} changed:\n" + "\n".join(changed)


def test_every_case_has_values_and_a_name_of_its_own():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert set(names) == VALUES.keys()


def test_a_change_is_told_by_field_old_and_new_value():
    before = VALUES["cycle edge"]
    now = copy.deepcopy(before)
    assert differences(before, now, {}) == []
    cycles = before["counters"]["cycles"]
    now["counters"]["cycles"] += 1
    assert differences(before, now, {}) == [f"counters.cycles: was {cycles}, is {cycles + 1}"]
    now = copy.deepcopy(before)
    now["energy_j"]["lanes"] *= 1 + 1e-9
    assert [line.partition(":")[0] for line in differences(before, now, {})] == ["energy_j.lanes"]
    now["energy_j"]["lanes"] = before["energy_j"]["lanes"] * (1 + 1e-15)  # within rounding
    assert differences(before, now, {}) == []


def test_a_field_that_goes_or_comes_is_told_unless_it_is_renamed():
    before = {"counters": {"remote": {"asked_bytes": 5}}, "dense": {"remote": {"asked_bytes": 7}}}
    now = {"counters": {"remote": {"wanted_bytes": 5}}, "dense": {"remote": {"wanted_bytes": 7}}}
    assert len(differences(before, now, {})) == 4
    renamed = {"remote.asked_bytes": "remote.wanted_bytes"}
    assert differences(before, now, renamed) == []
    now["dense"]["remote"]["wanted_bytes"] = 8
    assert differences(before, now, renamed) == ["dense.remote.wanted_bytes: was 7, is 8"]
