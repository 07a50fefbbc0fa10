"""M and what the encoders hold run backwards exactly, for a thousand steps."""

from __future__ import annotations

import numpy as np
import pytest
from checkpoint_cases import CELL_NAMES, FORMATS, integer_case, integer_replay
from checkpoint_execution import execute
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.lowering.checkpoint.check import check
from deltatrain.workloads.lowering.checkpoint.policies import reversible, store_all
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, Costs
from deltatrain.workloads.lowering.checkpoint.sizes import Occupancy
from deltatrain.workloads.lowering.checkpoint.sizes import budget as budget_of
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.training import integer_layer

COSTS = Costs(1, 1, 1, 1, 1, 1, 0, 0, 1)
every_cell = pytest.mark.parametrize("cell", [name for name in CELL_NAMES if CELL_ARITHMETIC.load(name).KEPT])


@every_cell
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 12))
def test_undoing_a_step_gives_state_tape_and_h_back(cell, seed, steps):
    network, parameters, x, _ = integer_case(cell, steps, seed)
    layer, parts = parameters.layers[0], network.cell
    states, lefts = [integer_layer.first_state(parts, layer)], []
    for t, row in enumerate(x):
        state, left = integer_layer.forward(parts, layer, network.thresholds[0], states[-1], row, first=t == 0)
        states.append(state)
        lefts.append(left)
    state = states[-1]
    for t in reversed(range(steps)):
        left = lefts[t]
        state, again, h = integer_layer.undo(parts, layer, state, left.fired_x, left.fired_h, states[t].cell_state)
        for name in ("memory", "cell_state", "x_hat", "h_hat"):
            assert np.array_equal(getattr(state, name), getattr(states[t], name)), name
        assert np.array_equal(h, states[t + 1].h)
        assert np.array_equal(again.tape, left.tape)


@every_cell
def test_a_thousand_steps_backwards_are_exact(cell):
    case = integer_case(cell, 1000, 3, hidden=(6,), inputs=4)
    forth, whole = integer_replay(*case)
    execute(store_all.schedule(1000, Budget(1, 1, 1000, 0), COSTS), forth)
    back, gradients = integer_replay(*case)
    ran = execute(reversible.schedule(1000, Budget(1, 10, 2010, 0, 1), COSTS), back)
    assert ran.forward_steps == ran.undone_steps == 1000
    for ours, theirs in zip(gradients.matrices(), whole.matrices(), strict=True):
        assert np.array_equal(ours, theirs)


def test_a_memory_that_saturates_is_refused():
    network, parameters, x, label = integer_case("lstm", 3, 0)
    formats = FORMATS.model_copy(update={"memory_overflow": "saturate"})
    network = network._replace(engine=network.engine.model_copy(update={"formats": formats}))
    replay, _ = integer_replay(network, parameters, x, label)
    with pytest.raises(ValueError, match="must wrap"):
        execute(reversible.schedule(3, Budget(1, 2, 10, 0, 1), COSTS), replay)


@pytest.mark.parametrize("cell", ["lif", "lif_recurrent"])
def test_a_reset_is_not_run_backwards_and_the_policy_says_so(cell):
    network, parameters, x, label = integer_case(cell, 3, 0)
    replay, _ = integer_replay(network, parameters, x, label)
    with pytest.raises(ValueError, match="what it forgets is gone"):
        execute(reversible.schedule(3, Budget(1, 2, 10, 0, 1), COSTS), replay)
    room = budget_of(Architecture.named("edge"), Shape.of(cell, 3, (5, 4), 4), Occupancy(*[(0.3, 0.3)] * 4))
    for ask in (reversible.demand, reversible.schedule):
        with pytest.raises(ConfigError, match="reset of a spiking neuron"):
            ask(3, room, COSTS)


@given(steps=st.integers(1, 300), residue=st.integers(1, 5), more=st.integers(0, 9), room=st.integers(12, 400))
def test_segments_are_run_backwards_where_not_all_residues_fit(steps, residue, more, room):
    budget = Budget(3, residue + more, max(room, 2 * (residue + more)), 10**6, residue)
    taken = reversible.demand(steps, budget, COSTS)
    assert check(reversible.schedule(steps, budget, COSTS), budget) == taken
    assert taken.forward_steps == 2 * steps - reversible.segment_steps(steps, budget)
