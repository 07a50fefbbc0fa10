from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.workloads import occupancy, training_summary
from deltatrain.workloads.trace import EpochCounts, RecordedStep, Trace
from deltatrain.workloads.training.operations import matrix_macs
from deltatrain.workloads.workload import Workload

LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=5)


def _step(lengths: list[int], seed: int, widths: tuple[int, ...] = (4, 3, 2)) -> RecordedStep:
    """Return masks that are False beyond each sample's length, and at step 0 of the recurrent streams."""
    random = np.random.default_rng(seed)
    steps = np.arange(max(lengths))[:, None, None]
    running = steps < np.array(lengths)[None, :, None]
    x = tuple((random.random((max(lengths), len(lengths), width)) < 0.5) & running for width in widths[:-1])
    h = tuple(
        (random.random((max(lengths), len(lengths), width)) < 0.5) & running & (steps > 0) for width in widths[1:]
    )
    return RecordedStep(0, 0, np.array(lengths), x, h)


@given(LENGTHS, st.integers(0, 10**6))
def test_occupancy_over_steps_is_the_share_of_the_running_samples(lengths, seed):
    step = _step(lengths, seed)
    curves = occupancy.over_steps(step)
    assert list(curves) == ["layer 0 x", "layer 0 h", "layer 1 x", "layer 1 h"]
    for layer in range(2):
        for stream, masks in (("x", step.fired_x), ("h", step.fired_h)):
            curve, mask = curves[f"layer {layer} {stream}"], masks[layer]
            for t in range(max(lengths)):
                shares = [mask[t, b].mean() for b, length in enumerate(lengths) if length > t]
                expected = np.nan if stream == "h" and t == 0 else np.mean(shares)
                assert curve[t] == pytest.approx(expected, nan_ok=True)


@given(LENGTHS, st.integers(0, 10**6))
def test_over_an_epoch_of_one_step_both_curves_agree(lengths, seed):
    step = _step(lengths, seed)
    steps_of = {"x": np.array(lengths), "h": np.array(lengths) - 1}
    counts = EpochCounts(
        epoch=0,
        dense=False,
        loss=1.0,
        accuracy=0.5,
        fired_x=tuple(int(mask.sum()) for mask in step.fired_x),
        fired_h=tuple(int(mask.sum()) for mask in step.fired_h),
        steps_x=tuple(int(steps_of["x"].sum()) * mask.shape[2] for mask in step.fired_x),
        steps_h=tuple(int(steps_of["h"].sum()) * mask.shape[2] for mask in step.fired_h),
    )
    running = np.array([sum(length > t for length in lengths) for t in range(max(lengths))])
    over_steps, over_epochs = occupancy.over_steps(step), occupancy.over_epochs([counts])
    for name, curve in over_steps.items():
        weights = np.where(np.isnan(curve), 0, running)
        expected = np.nansum(curve * weights) / weights.sum() if weights.sum() else np.nan
        assert over_epochs[name][0] == pytest.approx(expected, nan_ok=True)


def test_without_epochs_there_are_no_curves():
    assert occupancy.over_epochs([]) == {}


def _trace(epochs: int) -> Trace:
    workload = Workload.named("tiny")
    random = np.random.default_rng(epochs)

    def counts(epoch: int) -> EpochCounts:
        # 3 samples of 5 steps, 4 inputs, layers of 6 and 5
        steps_x, steps_h = (15 * 4, 15 * 6), (12 * 6, 12 * 5)
        fired_x, fired_h = (tuple(int(random.integers(0, n + 1)) for n in steps) for steps in (steps_x, steps_h))
        return EpochCounts(epoch, False, 1 / (epoch + 1), epoch / max(1, epochs), fired_x, fired_h, steps_x, steps_h)

    return Trace(workload, 4, 3, (), tuple(counts(epoch) for epoch in range(epochs)))


def test_the_summary_is_the_sum_of_its_epochs():
    trace = _trace(5)
    rows, summary = training_summary.epoch_rows(trace), training_summary.summary(trace)
    macs = [matrix_macs(counts, training_summary.sizes_of(trace), "last") for counts in trace.epochs]
    assert summary["macs"] == sum(part.fp + part.bp + part.wg for part in macs) == sum(row["macs"] for row in rows)
    assert summary["dense_macs"] == 5 * rows[0]["dense_macs"]
    assert summary["saved"] == pytest.approx(1 - summary["macs"] / summary["dense_macs"])
    last = trace.epochs[-1]
    assert (summary["accuracy"], summary["loss"], summary["epochs"]) == (last.accuracy, last.loss, 5)
    assert summary["occupancy_x"] == pytest.approx(sum(last.fired_x) / sum(last.steps_x))
    # a Delta LSTM of 4 inputs, 6 and 5 neurons, one bias for each of 4 gates, and a readout of 3 classes
    assert summary["parameters"] == 24 * (4 + 6 + 1) + 20 * (6 + 5 + 1) + 3 * (5 + 1)


def test_without_training_there_is_no_summary():
    assert training_summary.summary(_trace(0)) == {}
