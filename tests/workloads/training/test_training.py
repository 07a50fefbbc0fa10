"""Training learns, counts what fired, is reproducible, and goes on after an interruption as if there had been none."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.schedules import SCHEDULES, plateau
from deltatrain.workloads.tables import Training
from deltatrain.workloads.training import learning_state
from deltatrain.workloads.training.evaluation import evaluate
from deltatrain.workloads.training.training import Progress, Trained, network_of, train
from deltatrain.workloads.training.updates import clipped, learning_rate
from deltatrain.workloads.workload import Workload


class _InterruptionError(Exception):
    pass


@pytest.fixture(scope="module")
def whole(drift_workload: Workload, drifts: Recordings) -> Trained:
    """One uninterrupted run."""
    return train(drift_workload, drifts)


def _same(one: Trained, other: Trained) -> None:
    np.testing.assert_array_equal(one.parameters.flat(), other.parameters.flat())
    assert one.epochs == other.epochs
    assert one.evaluation == other.evaluation
    assert len(one.recorded) == len(other.recorded)
    for mine, theirs in zip(one.recorded, other.recorded, strict=True):
        assert (mine.epoch, mine.update) == (theirs.epoch, theirs.update)
        for a, b in zip(mine.fired_x + mine.fired_h, theirs.fired_x + theirs.fired_h, strict=True):
            assert a.dtype == b.dtype == np.bool_
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("cell", ["delta_rnn", "delta_gru", "delta_lstm"])
@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("readout", ["last", "every"])
def test_it_learns(drift_workload: Workload, drifts: Recordings, cell: str, optimiser: str, readout: str) -> None:
    rate = 0.02 if optimiser == "adamw" else 0.2
    workload = drift_workload.with_changes(
        cell=cell, readout=readout, training__optimiser=optimiser, training__learning_rate=rate
    )
    trained = train(workload, drifts)
    assert trained.evaluation.accuracy > 0.8
    assert trained.epochs[-1].loss < 0.8 * trained.epochs[0].loss
    assert trained.evaluation.accuracy == trained.epochs[-1].accuracy


def test_training_begins_with_the_forget_bias_of_the_workload(drift_workload: Workload, drifts: Recordings) -> None:
    still = drift_workload.with_changes(cell="delta_lstm", training__epochs=2, training__learning_rate=1e-12)
    begun = [train(still.with_changes(training__forget_bias=bias), drifts).parameters for bias in (0.0, 1.0, -3.5)]
    for bias, parameters in zip((1.0, -3.5), begun[1:], strict=True):
        for one, other in zip(parameters.layers, begun[0].layers, strict=True):
            moved = (one.bias - other.bias).reshape(4, -1)
            np.testing.assert_allclose(moved.T, np.tile([0, bias, 0, 0], (len(moved.T), 1)), rtol=0, atol=1e-6)
            np.testing.assert_allclose(one.W_h, other.W_h, rtol=0, atol=1e-6)


def test_counts_add_up_over_the_epoch(whole: Trained, drifts: Recordings) -> None:
    steps, samples = int(drifts.train.lengths.sum()), len(drifts.train)
    for epoch, counts in enumerate(whole.epochs):
        assert counts.epoch == epoch
        assert counts.dense == (epoch < 2)
        assert counts.steps_x == (4 * steps, 6 * steps)
        assert counts.steps_h == (6 * (steps - samples), 5 * (steps - samples))
        if counts.dense:
            assert (counts.fired_x, counts.fired_h) == (counts.steps_x, counts.steps_h)
        else:
            assert all(
                0 < f < s for f, s in zip(counts.fired_x + counts.fired_h, counts.steps_x + counts.steps_h, strict=True)
            )


def test_the_recorded_samples_are_the_same_in_every_epoch(drift_workload: Workload, drifts: Recordings) -> None:
    trained = train(drift_workload.with_changes(training__record_every=2), drifts)
    assert [step.epoch for step in trained.recorded] == [1, 3, 5]
    updates = -(-len(drifts.train) // 8)
    assert [step.update for step in trained.recorded] == [2 * updates, 4 * updates, 6 * updates]
    first, *_, last = trained.recorded
    np.testing.assert_array_equal(first.lengths, last.lengths)
    running = np.arange(last.lengths.max())[:, None] < last.lengths
    assert first.fired_x[0][running].all()  # dense
    assert not last.fired_x[0][running].all()
    assert not any(mask[~running].any() for step in trained.recorded for mask in step.fired_x + step.fired_h)
    assert not any(mask[0].any() for step in trained.recorded for mask in step.fired_h)


def test_a_recorded_step_is_what_the_final_network_fires(drift_workload: Workload, drifts: Recordings) -> None:
    workload = drift_workload.with_changes(training__batch=len(drifts.train))
    trained = train(workload, drifts)
    found = evaluate(network_of(workload, trained.sizes, 5), trained.parameters, drifts.train).fired
    assert found.fired_x == tuple(int(mask.sum()) for mask in trained.recorded[-1].fired_x)
    assert found.fired_h == tuple(int(mask.sum()) for mask in trained.recorded[-1].fired_h)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    drift_workload: Workload, drifts: Recordings, whole: Trained
) -> None:
    _same(whole, train(drift_workload, drifts))
    other = train(drift_workload.with_changes(training__seed=5), drifts)
    assert not np.array_equal(whole.parameters.flat(), other.parameters.flat())


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("update", [5, 25, 47])
def test_an_interrupted_run_goes_on_to_the_same_bits(
    drift_workload: Workload, drifts: Recordings, tmp_path: Path, optimiser: str, update: int
) -> None:
    workload = drift_workload.with_changes(training__optimiser=optimiser, training__schedule="plateau")
    path = tmp_path / "state.npz"

    def interrupt(progress: Progress) -> None:
        if progress.update == update:
            raise _InterruptionError

    with pytest.raises(_InterruptionError):
        train(workload, drifts, state_path=path, on_progress=interrupt)
    seen: list[Progress] = []
    resumed = train(workload, drifts, state_path=path, resume=True, on_progress=seen.append)
    assert seen[0].update == 12 * ((update - 1) // 12) + 1  # 90 samples in batches of 8: at most one epoch is lost
    _same(resumed, train(workload, drifts))
    _same(resumed, train(workload, drifts, state_path=path, resume=True))  # nothing left to do


_KILLED = """
import sys
from pathlib import Path
import numpy as np
from deltatrain.workloads.data.recordings import Recordings, Sequences
from deltatrain.workloads.training.training import train
from deltatrain.workloads.workload import Workload

with np.load(sys.argv[1]) as file:
    parts = [Sequences(file[p + "v"], file[p + "n"], file[p + "l"]) for p in ("train", "test")]
def tell(progress):
    print(progress.epoch, progress.update, flush=True)
    if progress.epoch == 2:
        sys.stdin.readline()  # wait here, in the middle of an epoch, to be killed
recordings = Recordings("drifts", "", "", 3, *parts)
train(Workload.named(sys.argv[2]), recordings, state_path=Path(sys.argv[3]), on_progress=tell)
"""


def test_a_killed_process_loses_at_most_one_epoch(
    drift_workload: Workload, drifts: Recordings, whole: Trained, tmp_path: Path
) -> None:
    arrays = {}
    for name, part in (("train", drifts.train), ("test", drifts.test)):
        arrays |= {name + "v": part.values, name + "n": part.lengths, name + "l": part.labels}
    np.savez(tmp_path / "recordings.npz", **arrays)
    table = drift_workload.model_dump(mode="json", exclude_none=True)
    tables = {name: table.pop(name) for name in list(table) if isinstance(table[name], dict)}
    lines = [f"{k} = {v!r}" for k, v in table.items()]
    for name, fields in tables.items():
        lines += [f"[{name}]", *(f"{k} = {v!r}" for k, v in fields.items())]
    (tmp_path / "drifts.toml").write_text("\n".join(lines))
    path = tmp_path / "state.npz"
    files = [str(tmp_path / "recordings.npz"), str(tmp_path / "drifts.toml"), str(path)]
    root = Path(__file__).parents[3]
    child = subprocess.Popen(
        [sys.executable, "-c", _KILLED, *files],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("2 "):
                break
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert len(learning_state.load(path, drift_workload.digest()).epochs) == 2
    _same(train(drift_workload, drifts, state_path=path, resume=True), whole)
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_resume_without_a_state_starts_from_the_beginning(
    drift_workload: Workload, drifts: Recordings, whole: Trained, tmp_path: Path
) -> None:
    _same(train(drift_workload, drifts, state_path=tmp_path / "s.npz", resume=True), whole)


@pytest.fixture(scope="module")
def state(drift_workload: Workload, drifts: Recordings, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("state") / "state.npz"
    train(drift_workload, drifts, state_path=path)
    return path.read_bytes()


@pytest.fixture
def state_path(state: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "state.npz"
    path.write_bytes(state)
    return path


def test_the_state_of_another_workload_is_refused(
    drift_workload: Workload, drifts: Recordings, state_path: Path
) -> None:
    with pytest.raises(ConfigError, match="belongs to another workload") as caught:
        train(drift_workload.with_changes(theta_h=0.06), drifts, state_path=state_path, resume=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text", "array", "archive", "version", "folder"])
def test_a_damaged_state_is_refused_in_one_line(
    drift_workload: Workload, drifts: Recordings, state_path: Path, damage: str
) -> None:
    content = bytearray(state_path.read_bytes())
    if damage == "truncated":
        state_path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[content.index(b"parameters.npy") + 200] ^= 0x10  # a weight: some bytes of a zip mean nothing
        state_path.write_bytes(content)
    elif damage == "empty":
        state_path.write_bytes(b"")
    elif damage == "text":
        state_path.write_text("no archive at all")
    elif damage == "array":
        with state_path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif damage == "archive":
        np.savez(state_path, something=np.zeros(3))
    elif damage == "version":
        state_path.write_bytes(content.replace(b'"version": 2', b'"version": 9'))
    else:
        state_path.unlink()
        state_path.mkdir()
    with pytest.raises(ConfigError, match=r"state\.npz") as caught:
        train(drift_workload, drifts, state_path=state_path, resume=True)
    assert "\n" not in str(caught.value)


def test_the_state_of_other_recordings_is_refused(
    drift_workload: Workload, drifts: Recordings, state_path: Path
) -> None:
    """Issue 14: training on B after A returned A's weights."""
    values = drifts.train.values.copy()
    values[-1, -1] += 1
    other = replace(drifts, train=replace(drifts.train, values=values))
    with pytest.raises(ConfigError, match="belongs to other recordings") as caught:
        train(drift_workload, other, state_path=state_path, resume=True)
    assert "\n" not in str(caught.value)
    trained = train(drift_workload, other, state_path=state_path)
    assert not np.array_equal(trained.parameters.flat(), train(drift_workload, drifts).parameters.flat())
    _same(trained, train(drift_workload, other, state_path=state_path, resume=True))


def _with_arrays(path: Path, **forged: object) -> None:
    """Replace arrays of the state at `path`, and fields of what it tells where a value is a table."""
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    if about := forged.pop("about", None):
        told = json.loads(arrays["about"].tobytes())
        text = json.dumps(told | about(told) if callable(about) else told | about).encode()  # type: ignore[operator]
        arrays["about"] = np.frombuffer(text, np.uint8)
    np.savez(path, **(arrays | forged))


@pytest.mark.parametrize(
    ("name", "forged"),
    [
        ("parameters", lambda kept: np.zeros(3, np.float32)),
        ("parameters", lambda kept: kept.astype(np.float64)),
        ("parameters", lambda kept: np.where(np.arange(len(kept)) == 7, np.float32(np.nan), kept)),
        ("parameters", lambda kept: kept * np.float32(np.inf)),
        ("mask", lambda kept: np.ones(3, np.bool_)),
        ("mask", np.zeros_like),
        ("optimiser.mean", lambda kept: np.zeros((2, 2), np.float32)),
        ("optimiser.square", lambda kept: kept / np.float32(0)),
        ("optimiser.steps", lambda kept: kept - kept - 1),  # the optimiser divided by 1 - 0.9**0
        ("optimiser.steps", lambda kept: kept + 1),
        ("optimiser.more", lambda kept: np.zeros(3, np.float32)),
        ("recorded.0.lengths", lambda kept: np.array([], np.int64)),
        ("recorded.0.lengths", lambda kept: 0 * kept),
        ("recorded.0.x.0", lambda kept: np.zeros((1, 1, 1), np.bool_)),
        ("recorded.0.h.0", lambda kept: np.zeros(4, np.float64)),
        ("recorded.0.h.1", np.ones_like),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero|invalid value")
def test_a_state_whose_arrays_are_of_another_network_is_refused_in_one_line(
    drift_workload: Workload, drifts: Recordings, state_path: Path, name: str, forged: Callable[..., np.ndarray]
) -> None:
    with np.load(state_path) as archive:
        kept = archive[name] if name in archive.files else None
    _with_arrays(state_path, **{name: forged(kept)})
    with pytest.raises(ConfigError, match=r"state\.npz is of another network") as caught:
        train(drift_workload, drifts, state_path=state_path, resume=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "forged",
    [
        lambda told: {"updates": -1},
        lambda told: {"updates": told["updates"] + 1},
        lambda told: {"epochs": told["epochs"] * 2},
        lambda told: {"epochs": told["epochs"][:-1]},
        lambda told: {"recorded": told["recorded"][:-1]},
        lambda told: {"recorded": [at | {"epoch": 0} for at in told["recorded"]]},
        lambda told: {"recorded": [at | {"update": 0} for at in told["recorded"]]},
        lambda told: {"epochs": [epoch | {"loss": None} for epoch in told["epochs"]]},
        lambda told: {"epochs": [epoch | {"fired_x": [1]} for epoch in told["epochs"]]},
        lambda told: {"epochs": [epoch | {"steps_x": [0, 0], "fired_x": [0, 0]} for epoch in told["epochs"]]},
        lambda told: {"epochs": [epoch | {"accuracy": 7.5} for epoch in told["epochs"]]},
    ],
)
def test_a_state_that_cannot_have_come_about_is_refused_in_one_line(
    drift_workload: Workload, drifts: Recordings, state_path: Path, forged: Callable[..., dict[str, object]]
) -> None:
    _with_arrays(state_path, about=forged)
    with pytest.raises(ConfigError, match=r"state\.npz is of another network") as caught:
        train(drift_workload, drifts, state_path=state_path, resume=True)
    assert "\n" not in str(caught.value)


def test_weights_that_the_sparsity_rule_did_not_leave_are_refused(
    drift_workload: Workload, drifts: Recordings, tmp_path: Path
) -> None:
    workload, path = drift_workload.with_changes(sparsity={"rule": "selfish", "density": 0.5}), tmp_path / "state.npz"
    train(workload, drifts, state_path=path)
    with np.load(path) as archive:
        mask, parameters = archive["mask"], archive["parameters"]
    for changes, said in (
        ({"mask": np.ones_like(mask)}, "mask must leave 48 weights in array 0, not 96"),
        ({"parameters": np.where(mask, parameters, np.float32(1))}, "parameters must be 0 where mask says"),
    ):
        _with_arrays(path, mask=mask, parameters=parameters)
        _with_arrays(path, **changes)
        with pytest.raises(ConfigError, match=said):
            train(workload, drifts, state_path=path, resume=True)


@pytest.mark.parametrize(
    "forged", [{"updates": "many"}, {"epochs": [{}]}, {"epochs": 3}, {"recorded": [{"epoch": 0}]}, {"version": None}]
)
def test_a_state_that_tells_nonsense_is_refused_in_one_line(
    drift_workload: Workload, drifts: Recordings, state_path: Path, forged: dict[str, object]
) -> None:
    _with_arrays(state_path, about=forged)
    with pytest.raises(ConfigError, match=r"state\.npz is no learning state") as caught:
        train(drift_workload, drifts, state_path=state_path, resume=True)
    assert "\n" not in str(caught.value)


def test_a_state_that_cannot_be_written_is_said_so(
    drift_workload: Workload, drifts: Recordings, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        train(drift_workload, drifts, state_path=tmp_path / "no" / "such" / "folder.npz")


def test_clipping_scales_the_whole_vector_down_to_the_norm() -> None:
    gradient = np.array([3.0, 4.0])
    np.testing.assert_allclose(clipped(gradient, 1.0), [0.6, 0.8])
    np.testing.assert_array_equal(clipped(gradient, 5.0), gradient)


def test_the_learning_rate_warms_up_and_then_follows_the_schedule() -> None:
    training = Training(epochs=1, learning_rate=0.5, schedule="constant", warm_up=0.1)
    assert [learning_rate(training, update, 100, ()) for update in (0, 4, 9, 50)] == pytest.approx(
        [0.05, 0.25, 0.5, 0.5]
    )
    cosine = Training(epochs=1, learning_rate=0.5, schedule="cosine")
    assert [learning_rate(cosine, update, 100, ()) for update in (0, 50, 100)] == pytest.approx([0.5, 0.25, 0.0])


def test_plateau_lowers_the_rate_after_more_idle_epochs_than_its_patience() -> None:
    falling = (3.0, 2.0, 1.0)
    assert plateau.factor(0.5, falling) == 1
    assert plateau.factor(0.5, falling + (1.0,) * plateau.PATIENCE) == 1
    assert plateau.factor(0.5, falling + (1.0,) * (plateau.PATIENCE + 1)) == plateau.FACTOR
    assert plateau.factor(0.5, falling + (1.0,) * 2 * (plateau.PATIENCE + 1)) == plateau.FACTOR**2


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_every_schedule_stays_between_zero_and_one(name: str) -> None:
    for progress in np.linspace(0, 1, 11):
        assert 0 <= SCHEDULES.load(name).factor(float(progress), (2.0, 2.5, 2.5)) <= 1
