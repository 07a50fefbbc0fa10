"""A training that is lost stops, and says where: in its losses, in its weights, and on the test part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deltatrain.accel.errors import DivergedError
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.training.divergence import highest_loss
from deltatrain.workloads.training.training import train
from deltatrain.workloads.training.updates import clipped
from deltatrain.workloads.workload import Workload


@pytest.mark.parametrize(
    ("changes", "place", "fault"),
    [
        # after an infinite product: 0 times infinity
        (
            {"cell": "delta_gru", "training__dense_epochs": 0, "training__learning_rate": 1e37},
            r"1 of 6, update \d+",
            "the loss is nan",
        ),
        # an update of 1e39 times the gradient's sign
        ({"training__learning_rate": 1e39}, "1 of 6, update 1", "a weight is not finite"),
        ({"training__learning_rate": 1e39, "training__optimiser": "sgd"}, "1 of 6, update 1", "a weight is not finite"),
        # saturated and finite to the end: no probability is left for the right class
        ({"training__learning_rate": 1e30}, "6 of 6, update 72", r"the loss is [\d.]+e\+2\d"),
        ({"training__learning_rate": 1e4}, "6 of 6, update 72", r"the loss is \d{4}.*"),
        (
            {"training__learning_rate": 1e300, "training__precision": "float64"},
            "6 of 6, update 72",
            r"the loss is [\d.]+e\+29\d",
        ),
    ],
)
def test_a_training_that_diverges_stops_with_its_place(
    drift_workload: Workload, drifts: Recordings, changes: dict[str, object], place: str, fault: str
) -> None:
    workload = drift_workload.with_changes(**changes)
    with pytest.raises(DivergedError, match=rf"^training diverged in epoch {place} of 72: {fault}; lower") as caught:
        train(workload, drifts)
    assert "\n" not in str(caught.value)
    assert f"training.learning_rate ({workload.training.learning_rate:g})" in str(caught.value)


def test_a_gradient_too_large_for_its_norm_is_no_standstill(drift_workload: Workload, drifts: Recordings) -> None:
    """Scaled by clip_norm over infinity it would be zero, and all later losses those of the first weights."""
    with np.errstate(over="ignore"):
        assert np.isnan(clipped(np.full(3, 1e30, np.float32), 1.0)).all()
    workload = drift_workload.with_changes(training__beta=1e25, training__dense_epochs=0)
    with pytest.raises(DivergedError, match=r"^training diverged in epoch 1 of 6, update 1 of 72: "):
        train(workload, drifts)


def test_a_training_that_diverged_stays_diverged(drift_workload: Workload, drifts: Recordings, tmp_path: Path) -> None:
    workload, path = drift_workload.with_changes(training__learning_rate=1e4), tmp_path / "state.npz"
    for resume in (False, True):
        with pytest.raises(DivergedError):
            train(workload, drifts, state_path=path, resume=resume)


@pytest.mark.parametrize(("dtype", "nats"), [(np.float32, 149 * np.log(2)), (np.float64, 1074 * np.log(2))])
def test_beyond_the_highest_loss_a_probability_is_zero(dtype: type, nats: float) -> None:
    assert highest_loss(np.dtype(dtype)) == pytest.approx(nats)
    assert dtype(np.exp(-np.float64(nats) + 0.1)) > 0 and not dtype(np.exp(-np.longdouble(nats) - 1))


def test_a_network_that_only_the_test_part_blows_up_is_found(drift_workload: Workload, drifts: Recordings) -> None:
    """An infinite delta saturates what is dense; the delta network keeps M, and infinity minus infinity is none."""
    loud = replace(drifts.test, values=np.sign(drifts.test.values) * np.finfo(np.float32).max)
    with pytest.raises(DivergedError, match=r"^training diverged in epoch 3 of 6, update 36 of 72: the loss is nan"):
        train(drift_workload.with_changes(cell="delta_rnn"), replace(drifts, test=loud))
