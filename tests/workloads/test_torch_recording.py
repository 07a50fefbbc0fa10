"""`deltatrain.torch.record`: the trace of a model of one's own, in closed and in open loop, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="it records models of PyTorch: pip install '.[torch]'")

import torch
from stated_delta_layer import stated_layer
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import deltatrain as dt

Tensor = Any
INPUTS, WIDTH, CLASSES = 5, 6, 3
LENGTHS = torch.tensor([4, 9, 6, 9])
THETAS = [(0.4, 0.1), (0.05, 0.08)]
THETA_X, THETA_H = zip(*THETAS, strict=True)
KINDS = {"delta_rnn": nn.RNN, "delta_gru": nn.GRU, "delta_lstm": nn.LSTM}
CELLS_OF_STEPS = {nn.RNN: nn.RNNCell, nn.GRU: nn.GRUCell, nn.LSTM: nn.LSTMCell}


class Classifier(nn.Module):
    """Two recurrent layers over padded sequences, a read-out of the last step."""

    def __init__(self, rnn: nn.Module, width: int = WIDTH) -> None:
        super().__init__()
        self.encoder, self.head = rnn, nn.Linear(width, CLASSES)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        if lengths is not None:
            _, last = self.encoder(pack_padded_sequence(x, lengths, enforce_sorted=False))
            return self.head((last[0] if isinstance(last, tuple) else last)[-1])
        return self.head(self.encoder(x)[0][-1])


class Apart(nn.Module):
    """The same two layers as modules of their own, with something between them."""

    def __init__(self, whole: nn.RNNBase, between: nn.Module) -> None:
        super().__init__()
        kind = type(whole)
        self.low, self.between, self.high = kind(INPUTS, WIDTH), between, kind(WIDTH, WIDTH)
        for layer, module in enumerate((self.low, self.high)):
            state = {name: one for name, one in whole.state_dict().items() if name.endswith(f"l{layer}")}
            module.load_state_dict({name[:-1] + "0": one for name, one in state.items()})
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.high(self.between(self.low(x)[0]))[0])


def _classifier(kind: type[nn.RNNBase], **options: Any) -> Classifier:
    torch.manual_seed(2)
    model = Classifier(kind(INPUTS, WIDTH, 2, **options)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    return model


def _batch() -> Tensor:
    return torch.randn(9, 4, INPUTS, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def _packed(model: nn.Module, batch: Tensor) -> Tensor:
    return model(batch, LENGTHS)


def _stated(cell: str, rnn: nn.RNNBase, x: Tensor) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The masks of the second statement, padded: fired_x and fired_h of each layer."""
    steps, samples, _ = x.shape
    fired_x = [np.zeros((steps, samples, width), bool) for width in (INPUTS, WIDTH)]
    fired_h = [np.zeros((steps, samples, WIDTH), bool) for _ in range(2)]
    for sample, length in enumerate(LENGTHS.tolist()):
        hs = [x[t, sample] for t in range(length)]
        for layer, theta in enumerate(THETAS):
            W_ih, W_hh, b_ih, b_hh = (getattr(rnn, f"{name}_l{layer}") for name in _NAMES)
            joined = b_ih + b_hh
            if cell == "delta_gru":
                joined = torch.cat([joined[: 2 * WIDTH], b_ih[2 * WIDTH :], b_hh[2 * WIDTH :]])
            ran = stated_layer(cell, W_ih, W_hh, joined, hs, theta)
            fired_x[layer][:length, sample], fired_h[layer][:length, sample] = (
                torch.stack(masks).numpy() for masks in (ran.fired_x, ran.fired_h)
            )
            hs = ran.h
    return fired_x, fired_h


_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@pytest.mark.parametrize("cell", KINDS)
def test_in_closed_loop_fires_what_the_published_rule_says(cell: str) -> None:
    model = _classifier(KINDS[cell])
    trace = dt.torch.record(model, [_batch()], THETA_X, THETA_H, call=_packed)
    (step,) = trace.recorded
    assert step.lengths.tolist() == LENGTHS.tolist()
    fired_x, fired_h = _stated(cell, model.encoder, _batch())
    for mine, theirs in zip((*step.fired_x, *step.fired_h), (*fired_x, *fired_h), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    workload = trace.workload
    assert (workload.cell, workload.hidden, workload.readout) == (cell, (WIDTH, WIDTH), "last")
    assert (trace.inputs, trace.classes, workload.thresholds) == (INPUTS, CLASSES, tuple(THETAS))
    assert workload.recorded is not None and workload.recorded.loop == "closed"
    assert workload.recorded.source == "PyTorch Classifier: encoder"


def _dense(kind: type[nn.RNNBase], rnn: nn.RNNBase, x: Tensor) -> list[np.ndarray]:
    """The h of each layer, by cells of torch that are called step by step."""
    every = []
    for layer in range(2):
        cell = CELLS_OF_STEPS[kind](x.shape[2], WIDTH).double()
        cell.load_state_dict({name: getattr(rnn, f"{name}_l{layer}") for name in _NAMES})
        state, hs = None, []
        for step in x:
            state = cell(step, state)
            hs.append(state[0] if isinstance(state, tuple) else state)
        x = torch.stack(hs)
        every.append(x.detach().numpy())
    return every


@pytest.mark.parametrize("cell", KINDS)
def test_in_open_loop_thresholds_are_put_on_what_the_model_has_without_them(cell: str) -> None:
    model, x = _classifier(KINDS[cell]), _batch()
    trace = dt.torch.record(model, [(x, "labels")], THETA_X, THETA_H, loop="open")
    h = _dense(KINDS[cell], model.encoder, x)
    told = {"cell": cell, "classes": CLASSES, "theta_x": THETA_X, "theta_h": THETA_H}
    expected = dt.Trace.from_activations(x.numpy(), h, **told)
    for mine, theirs in zip(trace.recorded[0].masks().values(), expected.recorded[0].masks().values(), strict=True):
        assert all(np.array_equal(one, other) for one, other in zip(mine, theirs, strict=True))
    assert trace.workload.recorded is not None and trace.workload.recorded.loop == "open"
    closed = dt.torch.record(model, [(x, "labels")], THETA_X, THETA_H)
    assert closed != trace and np.array_equal(closed.recorded[0].fired_x[0], trace.recorded[0].fired_x[0])
    differ = closed.recorded[0].fired_h[0] != trace.recorded[0].fired_h[0]
    assert differ.any(), "a delta network runs otherwise"


def test_results_say_which_loop_it_was(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    from deltatrain.sim.cli import main

    for loop, said in (("closed", "the delta network ran"), ("open", "a network that ran without them")):
        trace = dt.torch.record(_classifier(nn.GRU), [_batch()], 0.1, 0.1, loop=loop)
        trace.save(tmp_path / f"{loop}.npz")
        result = dt.simulate("tiny", trace, fidelity="analytic")
        assert f"recorded in {loop} loop" in str(result) and said in str(result)
        assert main(["simulate", str(tmp_path / f"{loop}.npz"), "--on", "tiny", "--fidelity", "analytic"]) == 0
        assert f"recorded in {loop} loop" in " ".join(capsys.readouterr().out.split())
        assert f"recorded in {loop} loop" in dt.report(result)


def test_layers_may_be_modules_of_their_own() -> None:
    whole = _classifier(nn.LSTM)
    apart = Apart(whole.encoder, nn.Dropout(0.5)).double()
    for loop in ("closed", "open"):
        one = dt.torch.record(whole, [_batch()], THETA_X, THETA_H, loop=loop, name="x", readout="every")
        other = dt.torch.record(apart, [_batch()], THETA_X, THETA_H, loop=loop, name="x")
        assert other.workload.recorded is not None and other.workload.recorded.source == "PyTorch Apart: low, high"
        pairs = zip(one.recorded[0].masks().values(), other.recorded[0].masks().values(), strict=True)
        assert all(np.array_equal(a, b) for masks in pairs for a, b in zip(*masks, strict=True))
        assert (one.workload.thresholds, one.workload.readout) == (other.workload.thresholds, other.workload.readout)


def test_a_delta_module_has_thresholds_of_its_own() -> None:
    dense = _classifier(nn.GRU)
    module = dt.torch.DeltaGRU(INPUTS, WIDTH, 2, theta_x=THETA_X, theta_h=THETA_H)
    delta = Classifier(module).double()
    delta.load_state_dict(dense.state_dict())
    one, other = dt.torch.record(dense, [_batch()], THETA_X, THETA_H), dt.torch.record(delta, [_batch()])
    assert one == other
    with pytest.raises(dt.ConfigError, match="encoder is a delta network itself, so it is recorded in closed loop"):
        dt.torch.record(delta, [_batch()], loop="open")


def test_batches_are_steps_and_the_model_is_left_as_it_was() -> None:
    model = _classifier(nn.LSTM, dropout=0.3)
    model.train()
    model.head.eval()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    batches = [_batch(), _batch() * 2, _batch() * 3]
    trace = dt.torch.record(model, iter(batches), 0.2, 0.1, batches=2)
    assert [step.update for step in trace.recorded] == [0, 1]
    again = dt.torch.record(model, batches[1:], 0.2, 0.1)
    assert np.array_equal(trace.recorded[1].fired_h[1], again.recorded[0].fired_h[1])
    assert model.training and model.encoder.training and not model.head.training
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert "forward" not in vars(model.encoder)
    with pytest.raises(ValueError, match="stop here"):
        dt.torch.record(model, batches, 0.2, 0.1, call=_stop)
    assert model.training and "forward" not in vars(model.encoder)


def _stop(model: nn.Module, batch: Any) -> Any:
    raise ValueError("stop here")


def test_what_is_recorded_is_simulated_on_several_machines() -> None:
    trace = dt.torch.record(_classifier(nn.LSTM), [_batch()], THETA_X, THETA_H)
    given = dt.Trace.from_masks(
        trace.recorded[0].fired_x, trace.recorded[0].fired_h, cell="delta_lstm", classes=CLASSES
    )
    for machine in ("edge", "reneta"):
        result = dt.simulate(machine, trace)
        assert result.counters == dt.simulate(machine, given).counters and result.speedup > 1


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_with_a_learning_rate_gates_run_the_step(kind: type[nn.RNNBase], tmp_path: Any) -> None:
    torch.manual_seed(2)
    model = Classifier(kind(3, 4), width=4)
    x, labels = torch.randn(4, 2, 3), torch.tensor([2, 0])
    trace = dt.torch.record(model, [(x, labels)], 0.2, 0.05, learning_rate=0.1)
    numbers = trace.recorded[0].numbers
    assert numbers is not None and numbers.labels.tolist() == [2, 0] and float(numbers.learning_rate) == 0.1
    np.testing.assert_array_equal(numbers.inputs, x.numpy())
    trace.save(tmp_path / "numbers.npz")
    assert dt.Trace.load(tmp_path / "numbers.npz") == trace
    gates = dt.simulate("tiny", trace, fidelity="rtl", engine="amaranth")
    assert gates.counters == dt.simulate("tiny", trace).counters


class _Own(nn.LSTM):
    def forward(self, given: Any, hx: Any = None) -> Any:
        return super().forward(given * 2, hx)


class _Twice(Classifier):
    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        return self.head(self.encoder(x)[0][-1] + self.encoder(x)[0][0])


class _Two(Apart):
    def __init__(self) -> None:
        super().__init__(nn.GRU(INPUTS, WIDTH, 2), nn.Identity())
        self.high = nn.LSTM(WIDTH, WIDTH)


class _Begun(Classifier):
    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        return self.head(self.encoder(x, torch.ones(2, x.shape[1], WIDTH, dtype=x.dtype))[0][-1])


class _Bare(Classifier):
    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Any:
        return self.encoder(x)


class _Scaled(Classifier):
    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        return 2 * super().forward(x, lengths)


def _recorded(model: nn.Module, **options: Any) -> Any:
    return lambda: dt.torch.record(model, [_batch().float()], **{"theta_x": 0.1, "theta_h": 0.1} | options)


WRONG = {
    "relu": (_recorded(Classifier(nn.RNN(INPUTS, WIDTH, nonlinearity="relu"))), "encoder has the nonlinearity relu"),
    "both ways": (_recorded(Classifier(nn.GRU(INPUTS, 3, bidirectional=True))), "encoder is bidirectional"),
    "projections": (_recorded(Classifier(nn.LSTM(INPUTS, 9, proj_size=6))), r"encoder has projections \(proj_size=6\)"),
    "cells": (_recorded(Classifier(nn.LSTMCell(INPUTS, WIDTH))), "encoder is a cell that is called step by step"),
    "nothing recurrent": (_recorded(Classifier(nn.Linear(INPUTS, WIDTH))), "Classifier has no nn.RNN, nn.GRU"),
    "no model": (
        lambda: dt.torch.record("model", [], 0.1, 0.1),
        "the model must be a torch.nn.Module, not str 'model'",
    ),
    "a forward of its own": (_recorded(Classifier(_Own(INPUTS, WIDTH))), "encoder is a _Own with a forward of its own"),
    "two kinds": (_recorded(_Two()), "all recurrent layers must be of one kind: low is GRU, high is LSTM"),
    "called twice": (_recorded(_Twice(nn.GRU(INPUTS, WIDTH))), "encoder is called 2 times in one call of the model"),
    "never called": (_recorded(nn.Sequential(Classifier(nn.GRU(INPUTS, WIDTH))), call=lambda m, x: x), "0 times"),
    "a state": (_recorded(_Begun(nn.GRU(INPUTS, WIDTH, 2))), "GRU begins with a state of its own"),
    "a state, open": (
        _recorded(_Begun(nn.GRU(INPUTS, WIDTH, 2)), loop="open"),
        "encoder begins with a state of its own",
    ),
    "something between": (
        _recorded(Apart(nn.GRU(INPUTS, WIDTH, 2), nn.LayerNorm(WIDTH))),
        "high does not take what low gives as it is: only a stack is simulated",
    ),
    "no thresholds": (_recorded(Classifier(nn.GRU(INPUTS, WIDTH)), theta_x=None), "theta_x and theta_h must both be"),
    "too many thresholds": (
        _recorded(Classifier(nn.GRU(INPUTS, WIDTH)), theta_x=(0.1, 0.2)),
        "theta_x must be a number, or one for each of the 1 layers",
    ),
    "no labels": (_recorded(Classifier(nn.GRU(INPUTS, WIDTH)), learning_rate=0.1), "learning_rate needs labels"),
    "a rate in open loop": (
        _recorded(Classifier(nn.GRU(INPUTS, WIDTH)), learning_rate=0.1, loop="open"),
        "learning_rate goes with loop='closed'",
    ),
    "a read-out of more": (
        lambda: dt.torch.record(
            _Scaled(nn.GRU(INPUTS, WIDTH)), [(_batch().float(), LENGTHS % 3)], 0.1, 0.1, learning_rate=1.0
        ),
        "learning_rate needs a model that returns a Linear of the top layer's last h, and no more",
    ),
    "another loop": (_recorded(Classifier(nn.GRU(INPUTS, WIDTH)), loop="ajar"), "loop must be 'closed' or 'open'"),
    "no batch": (lambda: dt.torch.record(Classifier(nn.GRU(INPUTS, WIDTH)), [], 0.1, 0.1), "the loader gives no batch"),
    "no logits": (_recorded(_Bare(nn.GRU(INPUTS, WIDTH))), "classes and readout must be given"),
    "other inputs": (_recorded(Classifier(nn.GRU(7, WIDTH))), "a recurrent module of 7 inputs takes"),
    "half precision": (
        lambda: dt.torch.record(Classifier(nn.GRU(INPUTS, WIDTH)).bfloat16(), [_batch().bfloat16()], 0.1, 0.1),
        "a delta layer takes float32 or float64, not torch.bfloat16",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_recorded_is_one_line_that_names_it(what: str) -> None:
    done, said = WRONG[what]
    with pytest.raises(dt.ConfigError, match=said) as caught:
        done()
    assert "\n" not in str(caught.value)
