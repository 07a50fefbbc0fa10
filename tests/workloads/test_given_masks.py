"""Traces made of masks and of activations: what is simulated is what was given, and what is wrong is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deltatrain as dt
from deltatrain.sim.run import synthetic_trace

STEPS, SAMPLES, INPUTS, HIDDEN = 6, 3, 4, (5, 7)
LENGTHS = [6, 2, 4]


def _random_masks(seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    running = np.arange(STEPS)[:, None] < np.array(LENGTHS)

    def mask(width: int) -> np.ndarray:
        return (rng.random((STEPS, SAMPLES, width)) < 0.4) & running[..., None]

    fired_x, fired_h = [mask(INPUTS), mask(HIDDEN[0])], [mask(width) for width in HIDDEN]
    for one in fired_h:
        one[0] = False
    return fired_x, fired_h


def _activations(seed: int = 1) -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    walks = [rng.standard_normal((STEPS, SAMPLES, width)).cumsum(axis=0) for width in (INPUTS, *HIDDEN)]
    return walks[0], [np.tanh(walk) for walk in walks[1:]]


@pytest.mark.parametrize("cell", ["delta_rnn", "delta_gru", "delta_lstm", "lif_recurrent"])
def test_masks_are_simulated_as_those_of_a_trace_that_was_drawn(cell: str) -> None:
    drawn = synthetic_trace(dt.Workload.named("tiny", {"cell": cell, "theta_x": 0, "theta_h": 0}))
    step = drawn.recorded[0]
    given = dt.Trace.from_masks(step.fired_x, step.fired_h, cell=cell, classes=drawn.classes)
    for fidelity in ("analytic", "cycle"):
        one, other = (dt.simulate("tiny", trace, fidelity=fidelity) for trace in (drawn, given))
        assert (one.counters, one.dense) == (other.counters, other.dense)


def test_a_trace_of_masks_loads_back_equal_and_says_what_it_is(tmp_path: Path) -> None:
    fired_x, fired_h = _random_masks()
    trace = dt.Trace.from_masks(
        [mask.astype(int) for mask in fired_x], fired_h, cell="delta_gru", classes=3, lengths=LENGTHS, theta_x=[0.1, 0]
    )
    trace.save(tmp_path / "own.npz")
    again = dt.Trace.load(tmp_path / "own.npz")
    assert again == trace and again.inputs == INPUTS and again.workload.hidden == HIDDEN
    step = again.recorded[0]
    assert all((a == b).all() for a, b in zip((*step.fired_x, *step.fired_h), (*fired_x, *fired_h), strict=True))
    result = dt.simulate("tiny", tmp_path / "own.npz", fidelity="analytic")
    assert result.workload["recorded"]["loop"] == "given" and "given as masks" in str(result)
    biases = 2 * SAMPLES  # a GRU's input and recurrent matrix each have one, a column more at step 0
    columns = [int(x.sum() + h.sum()) + biases for x, h in zip(fired_x, fired_h, strict=True)]
    read_out = (HIDDEN[-1] + 1) * SAMPLES * 3
    assert result.counters.phases["FP"].macs == sum(3 * H * n for H, n in zip(HIDDEN, columns, strict=True)) + read_out


def test_descriptions_without_a_recording_keep_their_digests() -> None:
    assert "recorded" not in dt.Workload.named("tiny").model_dump()


def _fires(values: np.ndarray, theta: float) -> list[bool]:
    """One element over time, by the definition: what was last sent, and whether it is sent again."""
    sent, fired = 0.0, []
    for value in values:
        moved = abs(value - sent) >= theta and value != sent
        fired.append(bool(moved))
        sent = value if moved else sent
    return fired


def test_activations_fire_as_an_element_at_a_time_says() -> None:
    x, h = _activations()
    x[3, 0] = x[2, 0]  # moves by nothing
    thetas = ((0.8, 0.3), (0.0, 0.15))
    trace = dt.Trace.from_activations(
        x, h, cell="delta_lstm", classes=2, lengths=LENGTHS, theta_x=[0.8, 0.0], theta_h=[0.3, 0.15]
    )
    step = trace.recorded[0]
    assert trace.workload.thresholds == thetas and trace.workload.recorded is not None
    assert trace.workload.recorded.loop == "open"
    for layer, (theta_x, theta_h) in enumerate(thetas):
        below, above = (x, *h)[layer], h[layer]
        for sample, length in enumerate(LENGTHS):
            for element in range(below.shape[2]):
                expected = _fires(below[:length, sample, element], theta_x) + [False] * (STEPS - length)
                assert step.fired_x[layer][:, sample, element].tolist() == expected
            for element in range(above.shape[2]):
                expected = [False, *_fires(above[: length - 1, sample, element], theta_h)]
                assert step.fired_h[layer][:, sample, element].tolist() == expected + [False] * (STEPS - length)


def test_a_single_layer_needs_no_list() -> None:
    x, h = _activations()
    one = dt.Trace.from_activations(x, h[0], cell="delta_rnn", classes=2, theta_x=0.5, theta_h=0.5)
    other = dt.Trace.from_activations(x, h[:1], cell="delta_rnn", classes=2, theta_x=0.5, theta_h=0.5)
    assert one == other


def test_of_a_cell_without_recurrence_activations_fire_into_the_layer_above_alone() -> None:
    x, h = _activations()
    told: dict[str, Any] = {"classes": np.int64(2), "theta_x": 0.5, "theta_h": 0.5}
    (dense,) = dt.Trace.from_activations(x, h, cell="delta_dense", **told).recorded
    (recurrent,) = dt.Trace.from_activations(x, h, cell="delta_rnn", **told).recorded
    assert not any(mask.any() for mask in dense.fired_h)
    assert any(mask.any() for mask in recurrent.fired_h)
    for one, other in zip(dense.fired_x, recurrent.fired_x, strict=True):
        np.testing.assert_array_equal(one, other)


def _beyond(masks: list[np.ndarray]) -> list[np.ndarray]:
    masks[1][4, 1, 2] = True
    return masks


def _at_once(masks: list[np.ndarray]) -> list[np.ndarray]:
    masks[0][0, 0, 0] = True
    return masks


X, H = _random_masks()
WRONG_MASKS: list[tuple[dict[str, Any], str]] = [
    ({"fired_x": X[0][0]}, r"fired_x must be of shape \(steps, samples, elements\), none of them 0, not \(3, 4\)"),
    ({"fired_x": 3}, "fired_x must be an array of shape"),
    ({"fired_x": []}, "fired_x must have an array for at least one layer"),
    ({"fired_x": X[:1]}, "fired_x has 1 layers and fired_h has 2"),
    ({"fired_x": [X[0], X[0]]}, r"fired_x\[1\] must be of shape \(6, 3, 5\).*not \(6, 3, 4\)"),
    ({"fired_h": [H[0], H[1][:4]]}, r"fired_h\[1\] must be of shape \(6, 3, 7\).*not \(4, 3, 7\)"),
    ({"fired_x": [X[0] * 2.5, X[1]]}, r"fired_x\[0\] must hold True or False, not 2.5 at step 0"),
    ({"fired_x": _beyond(_random_masks()[0])}, r"fired_x\[1\] fires at step 4 of sample 1, which is beyond"),
    ({"fired_h": _at_once(_random_masks()[1])}, r"fired_h\[0\] fires at step 0, where there is no h yet"),
    ({"lengths": [6, 2]}, r"lengths must be 3 integers, one for each sample, not int64 \(2,\)"),
    ({"lengths": [5, 2, 4]}, "lengths must be from 1 to 6, the longest as long as the arrays, not from 2 to 5"),
    ({"lengths": [6.0, 2.0, 4.0]}, "lengths must be 3 integers"),
    ({"lengths": [[6], [2, 4]]}, "lengths must be numbers in lists of equal lengths, not list"),
    ({"theta_x": [[0.1], [0.1, 0.2]]}, "theta_x must be numbers in lists of equal lengths, not list"),
    ({"theta_x": [[0.1]]}, "theta_x must be a number, or one for each of the 2 layers, not"),
    ({"cell": "lstm"}, "cell 'lstm' is not known"),
    ({"cell": []}, r"cell must be one of delta_dense, .*, not list \[\]"),
    ({"cell": "lif"}, "fired_h must be all False: cell 'lif' has no recurrent matrix"),
    ({"classes": 0}, "classes must be 1 to 2,147,483,647, not 0"),
    ({"classes": 10**30}, "classes must be 1 to 2,147,483,647, not 1,000,000"),
    ({"fired_x": [X[0] * (1 + 0j), X[1]]}, r"fired_x\[0\] must hold True or False, not complex128"),
    ({"fired_x": [X[0].astype(object), X[1]]}, r"fired_x\[0\] must hold True or False, not object"),
    ({"fired_x": [np.zeros(X[0].shape, [("a", "i4")]), X[1]]}, r"fired_x\[0\] must hold True or False, not \[\("),
    ({"fired_h": [H[0], np.ma.masked_array(H[1], mask=H[1])]}, r"fired_h has \d+ masked values, which nothing here"),
    ({"lengths": np.ma.masked_array([6, 2, 4], mask=[1, 0, 0])}, "lengths has 1 masked values"),
    ({"theta_x": np.ma.masked_array([0.1, 0.2], mask=[0, 1])}, "theta_x has 1 masked values"),
    ({"theta_x": 10**400}, r"theta_x must be a number, .* not 10+\.\.\.$"),
    ({"classes": True}, "classes must be a positive integer, not True"),
    ({"readout": "first"}, "recording: readout must be one of 'last' or 'every', not 'first'"),
    ({"theta_x": -1}, "theta_x must be finite and at least 0, not -1"),
    ({"theta_h": [0.1, 0.1, 0.1]}, "theta_h must be a number, or one for each of the 2 layers, not"),
    ({"name": "a/b"}, "recording: name: must be a name without separators"),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG_MASKS)
def test_wrong_masks_are_one_line(wrong: dict[str, Any], said: str) -> None:
    right: dict[str, Any] = {"fired_x": X, "fired_h": H, "cell": "delta_lstm", "classes": 3, "lengths": LENGTHS}
    with pytest.raises(dt.ConfigError, match=said) as caught:
        dt.Trace.from_masks(**right | wrong)
    assert "\n" not in str(caught.value)


XS, HS = _activations()
HOLE = np.where(np.arange(STEPS)[:, None, None] == 1, np.nan, HS[0])
WRONG_ACTIVATIONS: list[tuple[dict[str, Any], str]] = [
    ({"h": [HOLE, HS[1]]}, r"h\[0\] must hold finite numbers: 15 are not"),
    ({"x": XS.astype(str)}, "x must hold numbers, not <U"),
    ({"x": XS * 1j}, "x must hold numbers, not complex128"),
    ({"x": np.ma.masked_array(XS, mask=XS > 1)}, "x has \\d+ masked values"),
    ({"x": XS.astype(np.longdouble) * np.longdouble("1e4000")}, "x must hold finite numbers: 72 are not"),
    ({"x": XS[:, :2]}, r"h\[0\] must be of shape \(6, 2, 5\), as the layer below"),
    ({"x": [XS, XS]}, r"x must be of shape \(steps, samples, elements\), none of them 0, not \(2, 6, 3, 4\)"),
    ({"x": [[1.0, 2.0], [3.0]]}, "x must be numbers in lists of equal lengths, not list"),
    ({"cell": {}}, r"cell must be one of delta_dense, .*, not dict \{\}"),
    ({"theta_x": [0.1]}, "theta_x must be a number, or one for each of the 2 layers"),
    ({"theta_h": float("nan")}, "theta_h must be finite and at least 0, not nan"),
    ({"cell": "lif"}, "cell 'lif' has no thresholds to put on activations"),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG_ACTIVATIONS)
def test_wrong_activations_are_one_line(wrong: dict[str, Any], said: str) -> None:
    right: dict[str, Any] = {"x": XS, "h": HS, "cell": "delta_lstm", "classes": 3, "theta_x": 0.1, "theta_h": 0.1}
    with pytest.raises(dt.ConfigError, match=said) as caught:
        dt.Trace.from_activations(**right | wrong)
    assert "\n" not in str(caught.value)


def test_a_recording_is_not_trained_nor_drawn() -> None:
    trace = dt.Trace.from_masks(X, H, cell="delta_lstm", classes=3, lengths=LENGTHS)
    with pytest.raises(dt.ConfigError, match="there is nothing to train"):
        dt.train(trace.workload)
    with pytest.raises(dt.ConfigError, match="workload 'recorded' was recorded: simulate its trace"):
        dt.simulate("tiny", trace.workload)
