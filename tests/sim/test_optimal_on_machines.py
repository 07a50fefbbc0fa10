"""`optimal` on simulated machines: never slower than the best other policy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import FitError
from deltatrain.accel.program import Program
from deltatrain.sim.checkpoint_runs import changed, simulated, under, without_end
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.run import synthetic_trace
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.lowering.fastest_policy import fastest, followed
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.step_programs import program_of
from deltatrain.workloads.recorded_step import RecordedStep
from deltatrain.workloads.workload import Workload

CLOSE = 1.005


class Case(NamedTuple):
    """A machine without a column cache, the sizes of a network, and one step of one sample."""

    machine: Architecture
    shape: Shape
    step: RecordedStep
    readout: str


def case(machine: str, cell: str, inputs: int, hidden: list[int], steps: int, readout: str, *fired: float) -> Case:
    occupancies = dict(zip(("occupancy_x", "occupancy_h"), fired, strict=True))
    statistics = {"inputs": inputs, "classes": 20, "steps": steps, **occupancies}
    what = Workload.named(
        "tiny",
        {"dataset": "synthetic", "cell": cell, "hidden": hidden, "synthetic": statistics, "readout": readout}
        | {"training.batch": 1, "theta_x": 0.0, "theta_h": 0.0},
    )
    trace = synthetic_trace(what)
    shape = Shape.of_workload(what, trace.inputs, trace.classes)
    return Case(Architecture.named(machine).without_cache(), shape, trace.recorded[-1], readout)


def cycles_under(case: Case, policy: str, room_bytes: int, *, overlap: bool) -> int | None:
    """Return the simulated cycles of a policy that has so much local memory; None where it does not fit."""
    limited = changed(case.machine, {"checkpoint.local_bytes": room_bytes})
    try:
        found = simulated(under(limited, policy, overlap=overlap), *case[1:])
    except FitError:
        return None
    assert found.local_bytes <= room_bytes
    return found.cycles


def assert_never_slower(case: Case, room_bytes: int, *, overlap: bool) -> int:
    """Compare `optimal` with all others, and return how many of those fit."""
    taken = {name: cycles_under(case, name, room_bytes, overlap=overlap) for name in POLICIES.names()}
    optimal = taken.pop("optimal")
    others = [cycles for cycles in taken.values() if cycles is not None]
    assert not others or optimal is not None
    if optimal is not None and others:
        assert optimal <= CLOSE * min(others), taken
    return len(others)


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize(
    ("sizes", "room_bytes"),
    [
        (("ipu_mk2", "lif_recurrent", 70, [128], 30, "every", 0.2, 0.1), 76),
        (("ipu_mk2", "lif", 70, [320], 24, "every", 0.2, 0.1), 128),
        (("edge", "delta_lstm", 13, [40, 40], 60, "last", 0.2, 0.1), 8_000),
        (("edge", "delta_lstm", 13, [40, 40], 24, "last", 0.05, 0.05), 7_300),
    ],
)
def test_no_policy_is_faster(sizes: tuple, room_bytes: int, overlap: bool) -> None:
    """Where the room is short, what a mean step costs does not say which schedule is fastest: once 2.3 times slower."""
    assert assert_never_slower(case(*sizes), room_bytes, overlap=overlap) > 1


@pytest.mark.long
@pytest.mark.parametrize("seed", range(30))
def test_no_policy_is_faster_in_cases_drawn_at_random(seed: int) -> None:
    rng = np.random.default_rng([20, seed])
    width, steps = int(rng.choice([16, 40, 128])), int(rng.choice([5, 12, 30, 80, 200]))
    fired, share = float(rng.choice([0.05, 0.2, 0.5])), float(rng.choice([0.15, 0.3, 0.5, 0.8]))
    drawn = [
        ("edge", "delta_lstm", 13, [width, width], steps, "last", fired, fired),
        ("ipu_mk2", "lif", 700, [8 * width], steps, "every", fired, fired),
        ("ipu_mk2", "lif_recurrent", 700, [8 * width], steps, "every", fired, fired),
    ][int(rng.integers(3))]
    one = case(*drawn)
    whole = simulated(without_end(*one), *one[1:]).local_bytes
    for overlap in (True, False):
        assert_never_slower(one, max(64, int(share * whole)), overlap=overlap)


def test_programs_are_run_where_followed_ops_do_not_tell_them_apart() -> None:
    """The slowest of three is out; of the others that one is taken which is done first, whatever followed ops say."""
    whole = case("tiny", "delta_rnn", 4, [6], 8, "last", 0.5, 0.5)
    programs = [program_of_steps(whole, steps) for steps in (8, 7, 2)]
    at = [followed(program) for program in programs]
    assert at[1] < at[0] < 1.2 * at[1] and 1.2 * at[2] < at[1]
    asked: list[Program] = []

    def cycles_of(program: Program) -> int:
        asked.append(program)
        return -followed(program)

    chosen = fastest([lambda one=one: one for one in programs[:2]], cycles_of)
    assert chosen is programs[0] and asked == programs[:2]
    assert fastest([lambda one=one: one for one in programs], cycles_of) is programs[2] and asked == programs[:2]


def program_of_steps(whole: Case, steps: int) -> Program:
    short = RecordedStep(
        *(whole.step.epoch, whole.step.update, np.array([steps])),
        fired_x=tuple(mask[:steps] for mask in whole.step.fired_x),
        fired_h=tuple(mask[:steps] for mask in whole.step.fired_h),
    )
    return program_of(whole.machine, whole.shape, short, whole.readout)


@pytest.mark.parametrize("buffer_bytes", [2_048, 65_536])
@pytest.mark.parametrize("policy", ["store_all", "segment", "reversible", "tape_to_dram"])
def test_followed_ops_take_about_what_simulated_ones_take(policy: str, buffer_bytes: int) -> None:
    """With columns off-chip. Measured 0.88 to 1.05 times; what DRAM takes to answer is not followed."""
    one = case("edge", "delta_lstm", 13, [24, 24], 24, "last", 0.1, 0.1)
    machine = changed(one.machine, {"dma.buffer_bytes": buffer_bytes, "checkpoint.local_bytes": 100_000})
    program = program_of(under(machine, policy, overlap=False), *one[1:])
    assert followed(program) == pytest.approx(cycle.count(program).cycles, rel=0.14)
