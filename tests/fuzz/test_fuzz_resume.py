"""Whatever became of the state that a stopped training left: it is refused in one line, or training goes on from it.

As in `test_fuzz.py` the default run draws a few, and the long one `FUZZED`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzed import byte_changes, forged_archive, json_changes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deltatrain.accel.documents import json_value
from deltatrain.sim.cli import main
from deltatrain.workloads.data.recordings import Recordings, Sequences
from deltatrain.workloads.datasets import DATASETS

FEW, MANY = 12, int(os.environ.get("FUZZED", "2000"))
EPOCHS = 3

pytestmark = pytest.mark.filterwarnings("ignore")  # a command shows none; in this process they would be errors

FIELDS = {
    "workload": {"hidden": [3], "training.batch": 4, "training.epochs": EPOCHS, "training.dense_epochs": 0},
    "sparse": {"hidden": [4], "training.batch": 4, "training.epochs": EPOCHS, "sparsity.rule": "selfish"}
    | {"sparsity.density": 0.5},
    "sgd": {"hidden": [2, 2], "training.batch": 5, "training.epochs": EPOCHS, "training.optimiser": "sgd"}
    | {"training.schedule": "plateau", "training.record_every": 2},
}


def _recordings() -> Recordings:
    def part(samples: int, seed: int) -> Sequences:
        random = np.random.default_rng(seed)
        lengths = random.integers(1, 4, samples).astype(np.int64)
        values = random.standard_normal((int(lengths.sum()), 2)).astype(np.float32)
        return Sequences(values, lengths, random.integers(0, 3, samples))

    return Recordings("digits", "none", "random numbers", 3, part(8, 1), part(4, 2))


def _words(name: str, out: Path) -> list[str]:
    changes = {"dataset": "digits", "theta_x": 0.3, "theta_h": 0.05, "training.dense_epochs": 1} | FIELDS[name]
    sets = [word for path, value in changes.items() for word in ("--set", f"workload.{path}={json.dumps(value)}")]
    return ["train", "-w", "vowels", "--out", str(out), "--json", *sets]


def _run(words: list[str]) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        status = main(words)
    return status, stdout.getvalue(), stderr.getvalue()


@pytest.fixture(scope="module", autouse=True)
def _few_digits() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DATASETS.load("digits"), "load", lambda progress=None: _recordings())
        yield


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the state of each training after its second epoch, as an interruption leaves it."""
    from deltatrain.workloads.training import learning_state

    kept, save = {}, learning_state.save
    for name in FIELDS:
        out = tmp_path_factory.mktemp(name)

        def noted(state: Any, path: Path, name: str = name) -> None:
            save(state, path)
            if len(state.epochs) == EPOCHS - 1:
                kept[name] = path.read_bytes()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(learning_state, "save", noted)
            assert _run(_words(name, out))[0] == 0
    return kept


NUMBERS = [0, -1, 1, 7, 2**31, 2**63 - 1, 0.5, -1e30, 1e300, np.nan, np.inf, -np.inf]
TYPES = [np.float32, np.float64, np.float16, np.int64, np.int32, np.bool_, np.uint8, np.complex64, "U3"]


def array_changes() -> st.SearchStrategy[Any]:
    """Return what a forger does to one array: an element, all of them, the type, the shape, or the array itself."""
    number = st.sampled_from(NUMBERS)
    return st.one_of(
        st.tuples(st.just("element"), number, st.floats(0, 1)),
        st.tuples(st.just("all"), number),
        st.tuples(st.just("type"), st.sampled_from(TYPES)),
        st.tuples(st.just("shape"), st.sampled_from([(), (0,), (-1,), (1, -1), (-1, 1, 1)])),
        st.tuples(st.just("gone")),
    )


def _forged(array: np.ndarray, change: tuple[Any, ...]) -> np.ndarray:
    what, *how = change
    if what == "type":
        return array.astype(how[0])
    if what == "shape":
        some = {(): array.ravel()[:1], (0,): array.ravel()[:0]}
        return some.get(how[0], array).reshape(how[0])
    changed = array.copy()
    if what == "all":
        changed[...] = np.array(how[0]).astype(array.dtype)
    elif changed.size:
        changed.ravel()[min(changed.size - 1, int(how[1] * changed.size))] = np.array(how[0]).astype(array.dtype)
    return changed


def _with_array(content: bytes, at: float, change: tuple[Any, ...]) -> bytes:
    with np.load(io.BytesIO(content)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    names = [name for name in arrays if name != "about"]
    name = names[min(len(names) - 1, int(at * len(names)))]
    if change[0] == "gone":
        del arrays[name]
    else:
        arrays[name] = _forged(arrays[name], change)
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _altered(draw: Any, content: bytes) -> bytes:
    kind = draw(st.sampled_from(["bytes", "about", "array", "array"]))
    if kind == "bytes":
        return draw(byte_changes())(content)
    if kind == "about":
        return forged_archive(content, "about", draw(json_changes()), None)
    return _with_array(content, draw(st.floats(0, 1)), draw(array_changes()))


@pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", FIELDS)
def test_altered_states(tmp_path: Path, states: dict[str, bytes], name: str, examples: int) -> None:
    state = tmp_path / "training_state.npz"
    state.write_bytes(states[name])
    status, whole, _ = _run([*_words(name, tmp_path), "--resume"])
    assert status == 0

    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.data())
    def alter(data: st.DataObject) -> None:
        state.write_bytes(_altered(data.draw, states[name]))
        status, printed, said = _run([*_words(name, tmp_path), "--resume"])
        complaints = [line for line in said.splitlines() if line.startswith("deltatrain: ")]
        assert "Traceback" not in said
        if status == 0:
            told, wanted = (json_value(text.encode()).keys() - {"doubt"} for text in (printed, whole))
            assert told == wanted, "but for the doubt that other weights learned anything"
        else:
            assert (status, printed, len(complaints)) == (2, "", 1), said
            assert not any(line for line in said.splitlines() if ": " not in line), said

    alter()


def test_a_forged_number_of_optimiser_steps_is_one_line(tmp_path: Path, states: dict[str, bytes]) -> None:
    """Issue 14: -1, so that the next step is step 0, divided by 1 - 0.9 ** 0."""
    with np.load(io.BytesIO(states["workload"])) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["optimiser.steps"][...] = -1
    np.savez(tmp_path / "training_state.npz", **arrays)
    status, printed, said = _run([*_words("workload", tmp_path), "--resume"])
    assert (status, printed) == (2, "")
    assert "steps must be the 4 updates done, not -1" in said.splitlines()[-1]
