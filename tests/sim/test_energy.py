"""Energy from action counts, by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import recorded_step

from accel.architecture import Architecture
from accel.energy import ENERGY_TABLES
from accel.gates import GATES
from accel.result import Counters
from sim.energy import access_pj, energy_j
from sim.fidelity import analytic
from workloads.lowering import lower, lower_dense
from workloads.placement import Shape

ROW = {"bytes": [8_192, 32_768, 1_048_576], "pj": [10.0, 20.0, 100.0]}


def _counters(work: dict[str, int], remote_bytes: int) -> Counters:
    shape = Shape(GATES.load("rnn"), (2,), (2,), 2)
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
        ({"multiplies": 1000}, 0, "gates", 775),
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
    shape, machine = Shape(GATES.load("lstm"), (12,), (16,), 4), Architecture.named("edge")
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
    table = ENERGY_TABLES.load(name)
    for action in ("multiply", "add", "compare", "local", "remote"):
        assert table[action]["source"]
        assert min(np.atleast_1d(table[action]["pj"])) > 0
