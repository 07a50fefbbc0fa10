"""What a training of spikes leaves in files: masks of what is listed beside those of what fired, and a way to go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deltatrain.accel import spikes_cut
from deltatrain.workloads.data.recordings import Recordings, Sequences
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.training.training import Progress, Trained, train
from deltatrain.workloads.training_summary import summary
from deltatrain.workloads.workload import Workload


def _recordings() -> Recordings:
    rng = np.random.default_rng(2)

    def part(samples: int) -> Sequences:
        lengths = rng.integers(3, 9, samples)
        spikes = (rng.random((int(lengths.sum()), 10)) < 0.4).astype(np.float32)
        return Sequences(spikes, lengths, rng.integers(0, 3, samples))

    return Recordings("noise", "none", "drawn for the test", 3, part(24), part(9))


def _workload(rule: str) -> Workload:
    changes = {"cell": "lif_recurrent", "hidden": [12, 8], "training.epochs": 3, "training.batch": 8}
    return Workload.named("spikes", changes | {"training.rule": rule})


def _same(one: Trained, other: Trained) -> bool:
    return np.array_equal(one.parameters.flat(), other.parameters.flat()) and one.epochs == other.epochs


@pytest.mark.parametrize("rule", ["bptt", "ottt"])
def test_an_interrupted_training_goes_on_with_the_same_bits(rule: str, tmp_path: Path) -> None:
    workload, recordings, kept = _workload(rule), _recordings(), tmp_path / "state.npz"
    whole = train(workload, recordings)

    class StoppedError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.epoch == 1 and progress.update > 4:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(workload, recordings, state_path=kept, on_progress=stop)
    resumed = train(workload, recordings, state_path=kept, resume=True)
    assert _same(resumed, whole)
    for one, other in zip(resumed.recorded, whole.recorded, strict=True):
        for name, masks in one.masks().items():
            assert all(np.array_equal(a, b) for a, b in zip(masks, other.masks()[name], strict=True))


def test_a_trace_keeps_what_is_listed(tmp_path: Path) -> None:
    trained = train(_workload("bptt"), _recordings())
    trace = Trace(trained.workload, 10, 3, trained.recorded, trained.epochs)
    trace.save(tmp_path / "trace.npz")
    loaded = Trace.load(tmp_path / "trace.npz")
    assert loaded == trace
    (*_, step) = loaded.recorded
    assert set(step.masks()) == {"x", "h", "asked_x"}  # without a recurrent matrix h is not listed
    for fired, asked in zip(step.fired_x, step.asked_x, strict=True):
        assert not (fired & ~asked).any()
    assert sum(int(asked.sum()) for asked in step.asked_x) > sum(int(fired.sum()) for fired in step.fired_x)


def test_a_training_counts_the_spikes_that_its_lists_have_no_room_for(tmp_path: Path) -> None:
    workload = _workload("bptt").with_changes(neuron__listed_share=0.1, neuron__threshold=0.3)
    trained = train(workload, _recordings())
    trace = Trace(workload, 10, 3, trained.recorded, trained.epochs)
    trace.save(tmp_path / "trace.npz")
    last = Trace.load(tmp_path / "trace.npz").epochs[-1]
    assert last == trained.epochs[-1]
    assert all(one <= 2 * last.steps_x[0] // 10 for one in last.spikes)  # two of a layer are listed at most
    assert sum(last.spikes_cut) >= sum(last.steps_cut) > 0
    found = summary(trace)
    assert [found[name] for name in ("spikes", "spikes_cut", "steps_cut")] == [
        sum(last.spikes),
        sum(last.spikes_cut),
        sum(last.steps_cut),
    ]
    assert found["steps"] == 2 * _recordings().train.lengths.sum()
    cut = sum(last.spikes_cut)
    assert f"{cut:,} of {cut + sum(last.spikes):,} (" in str(spikes_cut.told(found))


def test_a_training_without_a_cap_says_that_nothing_is_cut() -> None:
    trained = train(_workload("bptt"), _recordings())
    found = summary(Trace(trained.workload, 10, 3, trained.recorded, trained.epochs))
    assert spikes_cut.told(found) == f"none of {sum(trained.epochs[-1].spikes):,} in the last epoch"
    assert spikes_cut.told({"accuracy": 1.0}) is None
