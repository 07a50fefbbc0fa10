"""What cannot fit is refused from its lengths alone, and exactly where lowering would refuse it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import EVERY_CELL, architectures, recordings, shapes

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import FitError
from deltatrain.sim import run
from deltatrain.sim.fitting import check_described
from deltatrain.workloads.lowering.lists import dense_lists, fired_lists, idle_lists
from deltatrain.workloads.lowering.tape import Tape
from deltatrain.workloads.workload import Workload

LONG = Workload.named("tiny", {"synthetic.steps": 10**6, "training.batch": 1})


@pytest.mark.parametrize("dense", [True, False])
def test_a_step_that_cannot_fit_is_refused_before_anything_is_drawn(
    dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "synthetic_step", lambda workload: pytest.fail("it was drawn"))
    machine = Architecture.named("edge", {"placement.tape": "local"})
    with pytest.raises(FitError, match=r"local\.bytes = 229376 is too small: with tape"):
        run.simulate(machine, LONG, dense=dense)


def test_a_policy_that_runs_again_makes_room() -> None:
    machine = Architecture.named("edge", {"checkpoint.policy": "optimal"})
    check_described(machine, Workload.named("tiny", {"synthetic.steps": 900, "training.batch": 1}), dense=False)


@settings(max_examples=60)
@given(st.data())
def test_no_step_keeps_less_than_the_idle_one_nor_more_places_than_the_slots_are(data: st.DataObject) -> None:
    machine = data.draw(architectures())
    shape = data.draw(shapes(cells=EVERY_CELL))
    step = data.draw(recordings(shape))
    idle = Tape(machine, shape, idle_lists(step.lengths, shape, machine.engine, machine.tiles.count))
    fired = Tape(machine, shape, fired_lists(step, shape, machine.engine, machine.tiles.count))
    assert (idle.bytes <= fired.bytes).all()
    assert idle.local_bytes <= fired.local_bytes
    assert idle.remote_bytes == fired.remote_bytes
    assert idle.buffer_bytes == fired.buffer_bytes
    listed = (*step.fired_x, *step.fired_h, *(step.asked_x or ()), *(step.asked_h or ()))
    if not any(mask.any() for mask in listed):
        np.testing.assert_array_equal(idle.bytes, fired.bytes)
    every = dense_lists(step.lengths, shape, machine.engine, machine.tiles.count)
    assert idle.own_bytes.shape == Tape(machine, shape, every).own_bytes.shape
