"""Embeddings and windows that go on from a state, against torch.nn and autograd over a second statement of the rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is the independent oracle: pip install '.[torch]'")

import torch
from stated_delta_layer import stated_layer

from deltatrain.workloads.arrays.layer import State
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.network import (
    Network,
    Parameters,
    Sizes,
    Step,
    forward,
    from_flat,
    initial_parameters,
    training_step,
)
from deltatrain.workloads.network.state import all_after, cells_after

Tensor = Any
WORDS, WIDTH, STEPS, SAMPLES = 11, 5, 6, 4
TORCH_CELLS = {"delta_rnn": "RNN", "delta_gru": "GRU", "delta_lstm": "LSTM"}
RECURRENT = tuple(TORCH_CELLS)


def _case(cell: str, *, tied: bool, hidden: tuple[int, ...] = (6, WIDTH)) -> tuple[Sizes, Parameters, Array]:
    """Return sizes, parameters, and a text: more steps than a window, of words of which some never occur."""
    rng = np.random.default_rng(3)
    sizes = Sizes(CELLS.load(cell), WIDTH, hidden, WORDS, WORDS, tied)
    parameters = from_flat(2 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat(), sizes)
    return sizes, parameters, rng.integers(0, WORDS - 2, (3 * STEPS + 1, SAMPLES))


def _network(sizes: Sizes, theta: float | None, beta: float = 0.0) -> Network:
    thresholds = None if theta is None else ((theta, theta),) * len(sizes.hidden)
    return Network(sizes, thresholds, "every", beta, task="next_word")


class _TorchModel(torch.nn.Module):
    """Embedding, recurrent layers and read-out of torch.nn with the same weights; biases that PyTorch has twice."""

    def __init__(self, cell: str, sizes: Sizes, parameters: Parameters) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(WORDS, WIDTH).double()
        kind = getattr(torch.nn, TORCH_CELLS[cell])
        self.stacks = torch.nn.ModuleList(kind(i, h).double() for i, h in zip(sizes.inputs, sizes.hidden, strict=True))
        self.head = torch.nn.Linear(sizes.hidden[-1], WORDS).double()
        if sizes.tied:
            self.embedding.weight = self.head.weight
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor(parameters.W_out))
            self.head.bias.copy_(torch.tensor(parameters.bias_out))
            if parameters.embedding is not None:
                self.embedding.weight.copy_(torch.tensor(parameters.embedding))
            for stack, layer in zip(self.stacks, parameters.layers, strict=True):
                first, second = _two_biases(cell, layer.bias, layer.W_h.shape[1])
                for name, array in zip(
                    ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"),
                    (layer.W_x, layer.W_h, first, second),
                    strict=True,
                ):
                    getattr(stack, name).copy_(torch.tensor(array))

    def loss(self, words: Array, wanted: Array, states: list[Any]) -> tuple[Tensor, list[Any]]:
        h, after = self.embedding(torch.tensor(words)), []
        for stack, state in zip(self.stacks, states, strict=True):
            h, state = stack(h, state)
            after.append(tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach())
        logits = self.head(h)
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.tensor(wanted).flatten()), after

    def gradients(self, cell: str) -> list[Array]:
        """Return the gradients in the order of `Parameters.arrays`."""
        found = []
        for stack in self.stacks:
            first, second = stack.bias_ih_l0.grad.numpy(), stack.bias_hh_l0.grad.numpy()
            bias = np.concatenate([first, second[2 * stack.hidden_size :]]) if cell == "delta_gru" else first
            found += [stack.weight_ih_l0.grad.numpy(), stack.weight_hh_l0.grad.numpy(), bias]
        found += [self.head.weight.grad.numpy(), self.head.bias.grad.numpy()]
        return found if self.embedding.weight is self.head.weight else [*found, self.embedding.weight.grad.numpy()]


def _two_biases(cell: str, bias: Array, width: int) -> tuple[Array, Array]:
    if cell != "delta_gru":
        return bias, np.zeros_like(bias)
    return bias[: 3 * width], np.concatenate([np.zeros(2 * width), bias[3 * width :]])


def _assert_equal(step: Step, loss: float, gradients: list[Array]) -> None:
    assert step.loss == pytest.approx(loss, abs=1e-12)
    for found, wanted in zip(step.gradients.arrays(), gradients, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("theta", [None, 0.0])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cell", RECURRENT)
def test_windows_of_embedded_words_are_those_of_torch(cell: str, tied: bool, theta: float | None) -> None:
    """Three windows, each from the state that the one before left: torch's truncated back-propagation through time."""
    sizes, parameters, text = _case(cell, tied=tied)
    network, model = _network(sizes, theta), _TorchModel(cell, sizes, parameters)
    before: State = ()
    states: list[Any] = [None] * len(sizes.hidden)
    for window in range(3):
        x, y = (text[window * STEPS + ahead :][:STEPS] for ahead in (0, 1))
        step = training_step(network, parameters, x, np.full(SAMPLES, STEPS), y, before)
        model.zero_grad()
        loss, states = model.loss(x, y, states)
        loss.backward()
        _assert_equal(step, loss.item(), model.gradients(cell))
        before = cells_after(step.forward)
    assert sizes.tied or not step.gradients.embedding[-2:].any(), "words that do not occur have no gradient"


@pytest.mark.parametrize("beta", [0.0, 0.1])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cell", RECURRENT)
def test_thresholded_windows_equal_autograd_over_a_second_statement(cell: str, tied: bool, beta: float) -> None:
    """Deltas begin anew in each window: x-hat = h-hat = 0 and M = bias, with h and c of the window before."""
    sizes, parameters, text = _case(cell, tied=tied)
    theta = 0.15
    network = _network(sizes, theta, beta)
    lengths = np.array([STEPS, 3, STEPS, 1])
    first = forward(network, parameters, text[:STEPS], np.full(SAMPLES, STEPS))
    x, y = text[STEPS : 2 * STEPS], text[STEPS + 1 : 2 * STEPS + 1]
    step = training_step(network, parameters, x, lengths, y, cells_after(first))
    assert any(tape.fired_h[:SAMPLES].any() for tape in step.forward.tapes), "h fires into the first step"

    tensors = [torch.tensor(array, requires_grad=True) for array in parameters.arrays()]
    W, b = tensors[3 * len(sizes.hidden) :][:2]
    table = W if tied else tensors[-1]
    total = torch.zeros((), dtype=torch.float64)
    for sample, length in enumerate(lengths):
        lead, hs = [table[word] for word in text[:STEPS, sample]], [table[word] for word in x[:length, sample]]
        for layer in range(len(sizes.hidden)):
            weights = tensors[3 * layer : 3 * layer + 3]
            ran = stated_layer(cell, *weights, [one.detach() for one in lead], (theta, theta))
            state = ran.h[-1].detach(), ran.c.detach()
            stated = stated_layer(cell, *weights, hs, (theta, theta), state)
            lead, hs, total = ran.h, stated.h, total + beta * stated.spent
        logits = torch.stack([W @ h + b for h in hs])
        total = total + torch.nn.functional.cross_entropy(logits, torch.tensor(y[:length, sample]))
    (total / SAMPLES).backward()
    _assert_equal(step, total.item() / SAMPLES, [tensor.grad.numpy() for tensor in tensors])


@pytest.mark.parametrize("theta", [None, 0.0, 0.15])
@pytest.mark.parametrize("cell", [name for name in CELLS.names() if name.startswith("delta")])
def test_windows_that_carry_all_are_one_with_the_whole_stream(cell: str, theta: float | None) -> None:
    sizes, parameters, text = _case(cell, tied=False)
    network, lengths = _network(sizes, theta), np.array([3 * STEPS, 7, 2 * STEPS + 1, STEPS])
    whole = forward(network, parameters, text[:-1], lengths)
    at = {(t, s): row for row, (t, s) in enumerate((t, s) for t in range(lengths.max()) for s in _running(lengths, t))}
    assert len(whole.logits) == len(at)
    before: State = ()
    running = np.arange(SAMPLES)
    for first in range(0, lengths.max(), STEPS):
        going = np.flatnonzero(lengths[running] > first)
        running = running[going]
        of_window = np.minimum(lengths[running] - first, STEPS)
        before = tuple(layer.take(going) for layer in before)
        ran = forward(network, parameters, text[first : first + STEPS, running], of_window, before)
        rows = [at[first + t, running[s]] for t in range(of_window.max()) for s in _running(of_window, t)]
        np.testing.assert_allclose(ran.logits, whole.logits[rows], rtol=0, atol=1e-12)
        before = all_after(network, ran)


def _running(lengths: Array, t: int) -> list[int]:
    """Return the samples that run at a step in packed order: longest first."""
    return [int(s) for s in np.argsort(-lengths, kind="stable") if lengths[s] > t]
