"""DeltaRNN, DeltaGRU, DeltaLSTM against torch.nn, a second statement of the published rule, and our own trainer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the modules are PyTorch's: pip install '.[torch]'")

import torch
from stated_delta_layer import stated_layer
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch_training import batches, first_weights

import deltatrain as dt
from deltatrain.sim.flow import recordings_of
from deltatrain.sim.progress import tell_nobody
from deltatrain.workloads.network.network import from_flat
from deltatrain.workloads.training.training import sizes_of, train
from deltatrain.workloads.training.updates import learning_rate

Tensor = Any
PAIRS = {
    "delta_rnn": (dt.torch.DeltaRNN, nn.RNN),
    "delta_gru": (dt.torch.DeltaGRU, nn.GRU),
    "delta_lstm": (dt.torch.DeltaLSTM, nn.LSTM),
}
LENGTHS = torch.tensor([9, 4, 12, 1, 7])
INPUTS, WIDTH, LAYERS = 5, 6, 2


def _batch(dtype: torch.dtype = torch.float64) -> Tensor:
    return _drawn(int(LENGTHS.max()), len(LENGTHS), INPUTS, dtype=dtype)


def _drawn(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(7), dtype=dtype)


def _pair(cell: str, **options: Any) -> tuple[nn.RNNBase, nn.RNNBase]:
    """A delta module without thresholds and torch's own, of the same weights."""
    ours, theirs = PAIRS[cell]
    torch.manual_seed(3)
    dense = theirs(INPUTS, WIDTH, LAYERS, **options)
    delta = ours(INPUTS, WIDTH, LAYERS, theta_x=0.0, theta_h=0.0, **options)
    delta.load_state_dict(dense.state_dict())
    return delta, dense


def _tensors(output: Any) -> list[Tensor]:
    if isinstance(output, PackedSequence):
        return [output.data, output.batch_sizes]
    return [output] if isinstance(output, torch.Tensor) else [one for part in output for one in _tensors(part)]


def _forms() -> dict[str, tuple[dict[str, Any], Tensor | PackedSequence]]:
    x = _batch()
    longest_first = torch.argsort(LENGTHS, descending=True)
    return {
        "steps first": ({}, x),
        "samples first": ({"batch_first": True}, x.transpose(0, 1)),
        "one sample": ({}, x[:, 0]),
        "packed": ({}, pack_padded_sequence(x, LENGTHS, enforce_sorted=False)),
        "packed in order": ({}, pack_padded_sequence(x[:, longest_first], LENGTHS[longest_first])),
        "without biases": ({"bias": False}, x),
    }


@pytest.mark.parametrize("form", _forms())
@pytest.mark.parametrize("cell", PAIRS)
def test_without_thresholds_a_module_is_torchs_own(cell: str, form: str) -> None:
    options, given = _forms()[form]
    delta, dense = _pair(cell, dtype=torch.float64, **options)
    mine, theirs = delta(given), dense(given)
    assert type(mine) is type(theirs) and len(_tensors(mine)) == len(_tensors(theirs))
    for one, other in zip(_tensors(mine), _tensors(theirs), strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    for output in (mine, theirs):
        every, final = _tensors(output[0])[0], _tensors(output[1])[0]
        (every.square().sum() + final.sum()).backward()
    for (name, one), other in zip(delta.named_parameters(), dense.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=1e-11, msg=lambda text, name=name: name + text)


@pytest.mark.parametrize("cell", PAIRS)
def test_in_float32_it_is_torchs_own_within_a_millionth(cell: str) -> None:
    delta, dense = _pair(cell)
    mine, theirs = delta(_batch(torch.float32)), dense(_batch(torch.float32))
    for one, other in zip(_tensors(mine), _tensors(theirs), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def _stated(cell: str, module: nn.RNNBase, x: Tensor, thetas: list[tuple[float, float]]) -> list[Tensor]:
    """The outputs of each sample, from the second statement."""
    outputs = []
    for sample, length in enumerate(LENGTHS.tolist()):
        hs = [x[t, sample] for t in range(length)]
        for layer, theta in enumerate(thetas):
            W_ih, W_hh, b_ih, b_hh = (
                getattr(module, f"{kind}_l{layer}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            joined = b_ih + b_hh
            if cell == "delta_gru":  # what is recurrent of n has a memory of its own
                joined = torch.cat([(b_ih + b_hh)[: 2 * WIDTH], b_ih[2 * WIDTH :], b_hh[2 * WIDTH :]])
            hs = stated_layer(cell, W_ih, W_hh, joined, hs, theta).h
        outputs.append(torch.stack(hs))
    return outputs


@pytest.mark.parametrize("cell", PAIRS)
def test_with_thresholds_it_is_the_published_rule_forward_and_backward(cell: str) -> None:
    thetas = [(0.4, 0.1), (0.05, 0.08)]
    module = PAIRS[cell][0](INPUTS, WIDTH, LAYERS, theta_x=(0.4, 0.05), theta_h=(0.1, 0.08), dtype=torch.float64)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(2)
    x, weight = (
        _batch().requires_grad_(),
        _drawn(WIDTH),
    )
    packed, _ = module(pack_padded_sequence(x, LENGTHS, enforce_sorted=False))
    mine, _ = pad_packed_sequence(packed)
    theirs = pad_sequence(_stated(cell, module, x, thetas))
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)
    dense = _stated(cell, module, x, [(0.0, 0.0)] * LAYERS)
    assert (pad_sequence(dense) - theirs).abs().max() > 0.01, "the thresholds change something"

    def gradients(output: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad((output.square() @ weight).sum(), [x, *module.parameters()]))

    for one, other in zip(gradients(mine), gradients(theirs), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


class _Classifier(nn.Module):
    """A recurrent module and a read-out of the last step, as deltatrain has it."""

    def __init__(self, rnn: nn.RNNBase, classes: int) -> None:
        super().__init__()
        self.rnn, self.head = rnn, nn.Linear(rnn.hidden_size, classes, dtype=torch.float64)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        _, last = self.rnn(pack_padded_sequence(x, lengths, enforce_sorted=False))
        return self.head((last[0] if isinstance(last, tuple) else last)[-1])


def _loaded(model: _Classifier, arrays: tuple[np.ndarray, ...], width: int) -> None:
    W_x, W_h, bias, W_out, bias_out = (torch.from_numpy(array) for array in arrays)
    rnn = model.rnn
    split = 3 * width if rnn.mode == "GRU" else len(W_x)
    second = torch.zeros(len(W_x), dtype=torch.float64)
    second[len(W_x) - (len(bias) - split) :] = bias[split:]
    state = {"weight_ih_l0": W_x, "weight_hh_l0": W_h, "bias_ih_l0": bias[:split], "bias_hh_l0": second}
    rnn.load_state_dict(state)
    model.head.load_state_dict({"weight": W_out, "bias": bias_out})


def _joined(model: _Classifier, width: int) -> list[np.ndarray]:
    """The model's parameters as deltatrain has them, one bias a layer."""
    rnn = model.rnn
    b_ih, b_hh = rnn.bias_ih_l0, rnn.bias_hh_l0
    joined = b_ih + b_hh
    if rnn.mode == "GRU":
        joined = torch.cat([joined[: 2 * width], b_ih[2 * width :], b_hh[2 * width :]])
    found = (rnn.weight_ih_l0, rnn.weight_hh_l0, joined, model.head.weight, model.head.bias)
    return [one.detach().numpy() for one in found]


@pytest.mark.parametrize("cell", PAIRS)
def test_a_training_loop_of_torch_trains_what_the_trainer_trains(cell: str) -> None:
    changes = {"cell": cell, "hidden": [12], "training.precision": "float64", "training.epochs": 3}
    workload = dt.Workload.named("vowels", changes | {"training.dense_epochs": 0})
    try:
        recordings = recordings_of("vowels", tell_nobody)
    except dt.NetworkError as error:
        pytest.skip(str(error))
    trained, part = train(workload, recordings), recordings.train
    width, table = workload.hidden[0], workload.training

    module = PAIRS[cell][0](part.features, width, theta_x=0.2, theta_h=0.05, dtype=torch.float64)
    model = _Classifier(module, recordings.classes)
    _loaded(model, from_flat(first_weights(workload, recordings), sizes_of(workload, recordings)).arrays(), width)
    module.join_biases()
    optimiser = torch.optim.AdamW(model.parameters(), betas=(table.momentum, 0.999), weight_decay=table.weight_decay)
    order, losses = list(batches(workload, part)), np.zeros(table.epochs)
    assert len(order) >= 50
    for update, (epoch, chosen) in enumerate(order):
        x, lengths = part.padded(chosen)
        logits = model(torch.from_numpy(x).double(), torch.from_numpy(lengths))
        loss = nn.functional.cross_entropy(logits, torch.from_numpy(part.labels[chosen]))
        losses[epoch] += loss.item() * len(chosen) / len(part)
        optimiser.zero_grad()
        loss.backward()
        norm = torch.cat([one.grad.flatten() for one in model.parameters()]).norm()
        for one in model.parameters():
            one.grad *= min(1.0, table.clip_norm / float(norm))
        optimiser.param_groups[0]["lr"] = learning_rate(table, update, len(order), ())
        optimiser.step()
    np.testing.assert_allclose(losses, [counts.loss for counts in trained.epochs], rtol=0, atol=1e-6)
    assert losses[-1] < losses[0] - 0.1, "it learns"
    for one, other in zip(_joined(model, width), trained.parameters.arrays(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", PAIRS)
def test_joined_biases_compute_the_same_and_stay_joined(cell: str) -> None:
    delta, dense = _pair(cell, dtype=torch.float64)
    delta.join_biases()
    torch.testing.assert_close(delta(_batch())[0], dense(_batch())[0], rtol=0, atol=1e-12)
    delta(_batch())[0].sum().backward()
    shared = delta.bias_hh_l1[: 2 * WIDTH] if cell == "delta_gru" else delta.bias_hh_l1
    assert not shared.any() and not delta.bias_hh_l1.grad[: len(shared)].any()
    assert cell != "delta_gru" or delta.bias_hh_l1.grad[2 * WIDTH :].all()


def test_dropout_is_between_layers_and_in_training_alone() -> None:
    module = dt.torch.DeltaLSTM(INPUTS, WIDTH, 2, theta_x=0.1, theta_h=0.1, dropout=0.5, dtype=torch.float64)
    assert not torch.equal(module(_batch())[0], module(_batch())[0])
    module.eval()
    assert torch.equal(module(_batch())[0], module(_batch())[0])


WRONG = {
    "another state to begin with": (
        lambda: _pair("delta_gru")[0](_batch(torch.float32), torch.ones(LAYERS, len(LENGTHS), WIDTH)),
        "DeltaGRU begins with a state of its own: here h and c begin with zero",
    ),
    "another width": (
        lambda: _pair("delta_gru")[0](torch.ones(3, 2, 4)),
        r"a recurrent module of 5 inputs takes \(steps, samples, 5\), not \(3, 2, 4\)",
    ),
    "half precision": (
        lambda: _pair("delta_gru", dtype=torch.float16)[0](_batch(torch.float16)),
        "a delta layer takes float32 or float64, not torch.float16",
    ),
    "a threshold too many": (
        lambda: dt.torch.DeltaLSTM(3, 4, 2, theta_x=(0.1, 0.1, 0.1), theta_h=0.1),
        "theta_x must be a number, or one for each of the 2 layers",
    ),
    "a negative threshold": (
        lambda: dt.torch.DeltaLSTM(3, 4, theta_x=0.1, theta_h=-0.1),
        "theta_h must be finite and at least 0, not -0.1",
    ),
    "no biases to join": (
        lambda: dt.torch.DeltaRNN(3, 4, theta_x=0.1, theta_h=0.1, bias=False).join_biases(),
        r"join_biases: the module has no biases \(bias=False\)",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_a_module_does_not_take_is_one_line(what: str) -> None:
    done, said = WRONG[what]
    with pytest.raises(dt.ConfigError, match=said):
        done()
