"""Optimisers against PyTorch's, step by step, and the contract of the family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.network import Sizes
from deltatrain.workloads.optimisers import OPTIMISERS
from deltatrain.workloads.optimisers._averages import BEGUN
from deltatrain.workloads.training.learning_state import LearningState
from deltatrain.workloads.training.moving import moved
from deltatrain.workloads.weight_masks import first_mask
from deltatrain.workloads.workload import Workload


@pytest.mark.parametrize("name", OPTIMISERS.names())
def test_nothing_is_changed_in_place_and_types_stay(name: str) -> None:
    optimiser = OPTIMISERS.load(name)
    vector, gradient = np.ones(3, np.float32), np.full(3, 0.5, np.float32)
    state = optimiser.start(vector)
    before = {key: array.copy() for key, array in state.items()}
    moved, after = optimiser.update(vector, gradient, state, 0.1, 0.9, 0.01)
    np.testing.assert_array_equal(vector, np.ones(3))
    for key, array in before.items():
        np.testing.assert_array_equal(state[key], array)
        assert after[key].dtype == array.dtype
    assert moved.dtype == np.float32
    assert (moved < vector).all()


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize(("name", "theirs"), [("sgd", "SGD"), ("adamw", "AdamW")])
def test_every_step_equals_that_of_torch(name: str, theirs: str, weight_decay: float) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the independent oracle: pip install '.[torch]'")
    optimiser, rng = OPTIMISERS.load(name), np.random.default_rng(0)
    vector = rng.standard_normal(20)
    tensor = torch.tensor(vector, requires_grad=True)
    momentum = {"momentum": 0.8} if name == "sgd" else {"betas": (0.8, 0.999)}
    other = getattr(torch.optim, theirs)([tensor], lr=0.05, weight_decay=weight_decay, **momentum)
    state = optimiser.start(vector)
    for _ in range(8):
        gradient = rng.standard_normal(20)
        vector, state = optimiser.update(vector, gradient, state, 0.05, 0.8, weight_decay)
        tensor.grad = torch.tensor(gradient)
        other.step()
        np.testing.assert_allclose(vector, tensor.detach().numpy(), rtol=1e-12, atol=1e-12)


AVERAGING = ("nt_asgd", "snt_asgd")


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_averages_are_those_of_torch(weight_decay: float) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the independent oracle: pip install '.[torch]'")
    rng = np.random.default_rng(0)
    first = rng.standard_normal(20)
    gradients = rng.standard_normal((8, 20))
    tensor = torch.tensor(first, requires_grad=True)
    other = torch.optim.ASGD([tensor], lr=0.0625, lambd=0, t0=0, weight_decay=weight_decay)
    vectors = dict.fromkeys(("asgd", *AVERAGING), first)
    states = {name: OPTIMISERS.load(name).start(first) for name in vectors}
    for name in AVERAGING:
        states[name][BEGUN] = np.ones(1, np.int64)
    for gradient in gradients:
        tensor.grad = torch.tensor(gradient)
        other.step()
        for name, vector in vectors.items():
            optimiser = OPTIMISERS.load(name)
            vectors[name], states[name] = optimiser.update(vector, gradient, states[name], 0.0625, 0.0, weight_decay)
            np.testing.assert_allclose(vectors[name], tensor.detach().numpy(), rtol=1e-12, atol=1e-12)
            found = optimiser.evaluated(vectors[name], states[name])
            np.testing.assert_allclose(found, other.state[tensor]["ax"].numpy(), rtol=1e-6)  # its 1/n is float32


@pytest.mark.parametrize("name", AVERAGING)
def test_averages_begin_once_a_loss_is_above_the_lowest_of_those_more_than_five_before(name: str) -> None:
    optimiser, rng = OPTIMISERS.load(name), np.random.default_rng(1)
    for _ in range(30):
        losses = 5 - 0.1 * np.arange(20) + rng.standard_normal(20)
        state, begun = optimiser.start(np.zeros(2)), False
        for epoch, loss in enumerate(losses):
            begun |= epoch > 5 and loss > min(losses[: epoch - 5])
            state = optimiser.after_epoch(state, float(loss))
            assert bool(state[BEGUN][0]) == begun


@pytest.mark.parametrize("name", AVERAGING)
def test_before_its_average_begins_it_is_sgd(name: str) -> None:
    optimiser, sgd, rng = OPTIMISERS.load(name), OPTIMISERS.load("sgd"), np.random.default_rng(0)
    vector = same = rng.standard_normal(6)
    state, other = optimiser.start(vector), sgd.start(vector)
    for _ in range(4):
        gradient = rng.standard_normal(6)
        vector, state = optimiser.update(vector, gradient, state, 0.1, 0.8, 0.01)
        same, other = sgd.update(same, gradient, other, 0.1, 0.8, 0.01)
        np.testing.assert_array_equal(optimiser.evaluated(vector, state), same)


def test_a_grown_weight_has_the_average_of_its_own_steps_with_snt_asgd_alone() -> None:
    """Two moves of a network's weights: against the mean of what each weight was, written down step by step."""
    sizes = Sizes(CELLS.load("delta_rnn"), 3, (5,), 4)
    workload = Workload.from_table(
        {"name": "a", "dataset": "vowels", "cell": "delta_rnn", "hidden": [5], "theta_x": 0.0, "theta_h": 0.0}
        | {"training": {"epochs": 3}, "sparsity": {"rule": "selfish", "density": 0.4, "prune_rate": 0.6}}
    )
    rng = np.random.default_rng(4)
    mask = first_mask(sizes, workload.sparsity, rng)
    vector = rng.standard_normal(mask.shape) * mask
    for name in AVERAGING:
        optimiser = OPTIMISERS.load(name)
        memory = optimiser.start(vector) | {BEGUN: np.ones(1, np.int64)}
        state = LearningState("", "", 0, vector, mask, memory, (), ())
        own: list[list[float]] = [[] for _ in mask]  # what each weight was in the steps since it last began
        steps = 0
        for _ in range(3):
            for _ in range(6):
                gradient = rng.standard_normal(mask.shape) * state.mask
                after, memory = optimiser.update(state.parameters, gradient, state.optimiser, 0.1, 0.0, 0.0)
                state = _with(state, after, memory)
                steps += 1
                for number, weight in enumerate(after):
                    own[number].append(weight)
            before = state.mask
            state = moved(state, workload, sizes, gradient, 0.0)
            for number in np.flatnonzero(~(before & state.mask)):
                own[number] = []
        there = state.mask & np.array([bool(steps) for steps in own])
        expected = np.array([np.mean(steps[1:]) if steps else 0.0 for steps in own])
        found = optimiser.evaluated(state.parameters, state.optimiser)
        younger = there & np.array([len(steps) < 18 for steps in own])
        assert younger.any()
        np.testing.assert_array_equal(found[~state.mask], 0)
        np.testing.assert_allclose(found[there & ~younger], expected[there & ~younger], rtol=1e-12)
        if name == "snt_asgd":
            np.testing.assert_allclose(found[there], expected[there], rtol=1e-12)
        else:  # n of its own steps count as n of the 17, the others as zeros
            shares = np.array([len(steps) / 17 for steps in own])
            full = np.array([np.mean(steps) if steps else 0.0 for steps in own])
            np.testing.assert_allclose(found[younger], (shares * full)[younger], rtol=1e-12)


def _with(state: LearningState, parameters: np.ndarray, memory: dict[str, np.ndarray]) -> LearningState:
    return replace(state, parameters=parameters, optimiser=memory)
