"""Optimisers against PyTorch's, step by step, and the contract of the family."""

from __future__ import annotations

import numpy as np
import pytest

from deltatrain.workloads.optimisers import OPTIMISERS


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
