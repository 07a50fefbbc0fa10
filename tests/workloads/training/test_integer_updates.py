"""Training in a machine's numbers learns, counts what did not fit, goes on where it stopped, and says no by name."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.modes import loss, update
from deltatrain.accel.number import NumberFormat
from deltatrain.workloads.arrays.packing import packing_of
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.machine_numbers import trained_on, with_numbers_of
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.training import integer_batch
from deltatrain.workloads.training.evaluation import evaluate
from deltatrain.workloads.training.integer_batch import Batch
from deltatrain.workloads.training.integer_parameters import quantised
from deltatrain.workloads.training.integer_recorded import fired_in_integers
from deltatrain.workloads.training.integer_updates import machine_of
from deltatrain.workloads.training.stored_numbers import Tally
from deltatrain.workloads.training.training import Progress, Trained, network_of, train
from deltatrain.workloads.training_summary import summary
from deltatrain.workloads.workload import Workload

EDGE = Architecture.named("edge")


class _InterruptionError(Exception):
    pass


def _on_edge(workload: Workload, **changes: Any) -> Workload:
    changed = {"training__epochs": 8, "training__dense_epochs": 1} | changes
    return trained_on(workload.with_changes(**changed), EDGE)


@pytest.fixture(scope="module")
def whole(drift_workload: Workload, drifts: Recordings) -> Trained:
    return train(_on_edge(drift_workload), drifts)


def test_it_learns_as_well_as_in_floating_point(whole: Trained, drifts: Recordings) -> None:
    assert whole.epochs[-1].loss < 0.6 * whole.epochs[0].loss
    assert whole.evaluation.accuracy == whole.epochs[-1].accuracy > 0.8
    network = network_of(whole.workload, whole.sizes, 7)
    floating = evaluate(network, whole.parameters, drifts.test)
    assert whole.epochs[-1].float_figure == floating.figure
    assert abs(floating.loss - whole.evaluation.loss) < 0.02, "the same weights, rounded on the way or not"


def test_what_fires_is_what_the_golden_model_fires_in_the_recorded_step(whole: Trained, drifts: Recordings) -> None:
    trace = whole.trace(drifts)
    step = trace.recorded[-1]
    golden = fired_in_integers(EDGE.engine, trace, step)
    for found, expected in zip(step.fired_x + step.fired_h, golden.fired_x + golden.fired_h, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert trace.recorded[0].numbers is None and step.numbers is not None


def test_counts_add_up_over_the_epoch(whole: Trained, drifts: Recordings) -> None:
    steps = int(drifts.train.lengths.sum())
    for counts in whole.epochs:
        assert counts.stored["x"][0] == 4 * steps and counts.stored["h"][0] == 11 * steps
        assert counts.stored["state"][0] == 11 * steps, "c of each cell"
        assert counts.stored["g_M"][0] == 4 * 11 * steps
        assert counts.steps_x == (4 * steps, 6 * steps)
        assert counts.dense == (counts.epoch == 0)
        assert (counts.fired_x == counts.steps_x) == counts.dense
        if not counts.dense:
            fired = zip(counts.fired_x, counts.fired_h, (6, 5), strict=True)
            of_deltas = sum((x + h) * 4 * width for x, h, width in fired)
            of_biases = len(drifts.train) * 4 * (6 + 5)
            of_readout = counts.stored["M"][0] - of_deltas - of_biases
            assert 0 < of_readout <= len(drifts.train) * 3 * (5 + 1), "h of zero is not added"
            assert counts.stored["dW"][0] == counts.stored["M"][0], "the same columns"


@pytest.mark.parametrize("optimiser", [{}, {"momentum": 0.9, "weight_decay": 1e-3}, {"name": "adam"}])
def test_an_interrupted_training_goes_on_with_the_same_bits(
    drift_workload: Workload, drifts: Recordings, tmp_path: Path, optimiser: dict[str, float]
) -> None:
    def stop(at: Progress) -> None:
        if at.epoch == 3 and at.update % 12 == 5:
            raise _InterruptionError

    changes = {f"training__machine_optimiser__{name}": value for name, value in optimiser.items()}
    workload, state = _on_edge(drift_workload, **changes), tmp_path / "state.npz"
    whole = train(workload, drifts)
    with pytest.raises(_InterruptionError):
        train(workload, drifts, state_path=state, on_progress=stop)
    again = train(workload, drifts, state_path=state, resume=True)
    np.testing.assert_array_equal(again.parameters.flat(), whole.parameters.flat())
    assert again.epochs == whole.epochs and again.evaluation == whole.evaluation


def test_a_training_says_by_which_optimiser_of_the_machine_it_was(
    whole: Trained, drift_workload: Workload, drifts: Recordings
) -> None:
    momentum = _on_edge(drift_workload, training__epochs=1, training__machine_optimiser__momentum=0.5)
    assert summary(train(momentum, drifts).trace(drifts))["optimiser"] == "gradient descent with momentum 0.5"
    assert "optimiser" not in summary(whole.trace(drifts))


def test_the_trace_of_it_is_read_as_it_was_written(whole: Trained, drifts: Recordings, tmp_path: Path) -> None:
    trace = whole.trace(drifts)
    trace.save(tmp_path / "trace.npz")
    assert Trace.load(tmp_path / "trace.npz") == trace


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stored": {"W": (3, 4, 0)}}, "stored.W must be three counts, none above the first"),
        ({"float_figure": float("nan")}, "float_figure must be a finite number"),
    ],
)
def test_counts_that_no_epoch_can_have_are_refused(
    whole: Trained, drifts: Recordings, changes: dict[str, Any], said: str
) -> None:
    trace = whole.trace(drifts)
    with pytest.raises(ConfigError, match=re.escape(said)):
        dataclasses.replace(trace, epochs=(dataclasses.replace(trace.epochs[0], **changes), *trace.epochs[1:]))


def test_a_validation_part_chooses_the_epoch_by_its_loss_in_integers(
    drift_workload: Workload, drifts: Recordings
) -> None:
    apart = dataclasses.replace(drifts, validation=drifts.test)
    trained = train(_on_edge(drift_workload), apart)
    assert trained.chosen is not None and trained.chosen.validation_loss == pytest.approx(trained.evaluation.loss)
    assert trained.chosen.float_figure == trained.epochs[trained.chosen.epoch].float_figure


def test_it_begins_with_the_weights_that_it_is_given_rounded(drift_workload: Workload, drifts: Recordings) -> None:
    """The least rate that the format holds leaves all but a few weights where the float training began."""
    still = _on_edge(drift_workload, training__epochs=1, training__dense_epochs=0, training__machine_rate=1e-12)
    floating = drift_workload.with_changes(training__epochs=1, training__dense_epochs=0, training__learning_rate=1e-30)
    found, begun = train(still, drifts).parameters.flat(), train(floating, drifts).parameters.flat()
    assert np.abs(found - begun).max() < 0.01
    on_grid = found * 2.0**EDGE.engine.formats.weight.fraction_bits
    np.testing.assert_array_equal(on_grid, np.rint(on_grid))


@pytest.mark.parametrize("s", [1, 4])
def test_scaling_the_loss_by_a_power_of_two_is_moving_the_point_of_gradients(
    whole: Trained, drifts: Recordings, s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradients with `s` more bits of fraction are, integer by integer, those of 2**s times the loss.

    An update with them is that with the learning rate over 2**s.
    """
    numbers = EDGE.engine.numbers
    before = numbers.formats
    finer = replace_format(before, "gradient", before.gradient.fraction_bits + s)
    network = machine_of(whole.workload, numbers)
    moved = network._replace(engine=numbers.model_copy(update={"formats": finer}))
    weights = quantised(whole.parameters, network.arithmetic, before)
    x, lengths, labels = drifts.train.batch(np.arange(16))
    packing = packing_of(lengths)
    inputs = np.rint(np.concatenate([x[t, packing.order[:n]] for t, n in enumerate(packing.active)]) * 256)
    batch = Batch(packing, inputs.astype(np.int64), labels)
    plain = loss.result
    monkeypatch.setattr(loss, "result", lambda logits, label, formats: plain(logits, label, before) << s)
    scaled, point = (
        integer_batch.backward(one, weights, batch, integer_batch.forward(one, weights, batch, Tally()), Tally())
        for one in (network, moved)
    )
    rate = 1000
    for W, dW, same in zip(weights.matrices(), scaled.matrices(), point.matrices(), strict=True):
        assert dW.any()
        np.testing.assert_array_equal(dW, same)
        slower = replace_format(before, "learning_rate", before.learning_rate.fraction_bits + s)
        expected, _ = update.result(W, dW, rate, slower)
        np.testing.assert_array_equal(update.result(W, same, rate, finer)[0], expected)


def replace_format(formats: Any, name: str, fraction_bits: int) -> Any:
    number: NumberFormat = getattr(formats, name)
    return formats.model_copy(update={name: number.model_copy(update={"fraction_bits": fraction_bits})})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training__dropout": 0.5}, "training.dropout must be 0 for training in a machine's numbers"),
        (
            {"training__layer_rates": (1.0, 0.5, 1.0)},
            "training.layer_rates must be left out for training in a machine's",
        ),
        (
            {"training__class_weights": "balanced"},
            "training.class_weights must be left out for training in a machine's",
        ),
        (
            {"training__machine_optimiser__momentum": 1.0},
            "training.machine_optimiser.momentum must be less than 1",
        ),
        ({"training__machine_optimiser": {"name": "lamb"}}, "training.machine_optimiser.name"),
        ({"sparsity": {"rule": "static", "density": 0.5}}, "sparsity.rule must be 'dense' for training in a machine's"),
        ({"cell": "lif", "theta_x": 0, "theta_h": 0, "training__dense_epochs": 0}, "cell must be one of deltas"),
    ],
)
def test_what_no_machine_learns_is_refused_by_name(
    drift_workload: Workload, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        trained_on(drift_workload.with_changes(**changes), EDGE)


@pytest.mark.parametrize(
    ("optimiser", "said"),
    [
        ({"momentum": 1e-6}, r"momentum must be 0, or above 1\.53e-05 and at most 0\.999985"),
        ({"momentum": 0.999999}, r"momentum must be 0, or above 1\.53e-05 and at most 0\.999985"),
        ({"weight_decay": 1e-7}, r"weight_decay must be 0, or above 9\.54e-07 and at most 0\.0624"),
        ({"weight_decay": 0.1}, r"weight_decay must be 0, or above 9\.54e-07 and at most 0\.0624"),
    ],
)
def test_a_factor_that_the_machine_does_not_hold_is_refused(
    drift_workload: Workload, drifts: Recordings, optimiser: dict[str, float], said: str
) -> None:
    changes = {f"training__machine_optimiser__{name}": value for name, value in optimiser.items()}
    with pytest.raises(ConfigError, match=said):
        train(_on_edge(drift_workload, training__batch=16, **changes), drifts)


def test_what_is_not_trained_has_no_numbers_of_a_machine() -> None:
    with pytest.raises(ConfigError, match="of the data set 'synthetic' nothing is trained"):
        trained_on(Workload.named("tiny"), EDGE)


def test_the_word_alone_needs_a_machine(drift_workload: Workload, drifts: Recordings) -> None:
    asked = drift_workload.with_changes(training__numbers="machine")
    with pytest.raises(ConfigError, match=r"training\.numbers = 'machine' needs a machine"):
        train(asked, drifts)
    assert with_numbers_of(asked, EDGE) == trained_on(drift_workload, EDGE)
    assert with_numbers_of(drift_workload, EDGE) == drift_workload
    with pytest.raises(ConfigError, match=r"training\.numbers"):
        drift_workload.with_changes(training__numbers="integer")


def test_a_workload_in_floating_point_has_the_digest_that_it_had(drift_workload: Workload) -> None:
    table = drift_workload.model_dump(mode="json")
    assert not {"numbers", "machine_rate"} & set(table["training"])


def test_a_workload_says_how_it_learns(drift_workload: Workload) -> None:
    assert "adamw from 0.02 on" in str(drift_workload)
    assert "plain gradient descent in a machine's numbers from 0.3 on" in str(trained_on(drift_workload, EDGE))
    with_momentum = drift_workload.with_changes(training__machine_optimiser__momentum=0.9)
    assert "gradient descent with momentum 0.9 in a machine's numbers" in str(trained_on(with_momentum, EDGE))
