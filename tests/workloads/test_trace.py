"""A trace's file: it loads back equal, and whatever else the file may be is refused in one line."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import recorded_step

from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.description import table_digest
from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.trace import EpochCounts, RecordedStep, Trace
from deltatrain.workloads.workload import Workload

_SLOW = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    hidden = tuple(draw(st.lists(st.integers(1, 12), min_size=1, max_size=3)))
    cell = draw(st.sampled_from(["rnn", "gru", "lstm"]))
    changes: dict[str, Any] = {
        "cell": f"delta_{cell}",
        "hidden": list(hidden),
        "theta_x": draw(st.floats(0, 10) | st.lists(st.floats(0, 2), min_size=len(hidden), max_size=len(hidden))),
        "name": draw(st.from_regex(r"\A[\w$<&'][\w .$<&']{0,9}\Z")),
        "training.seed": draw(st.integers(0, 2**40)),
    }
    inputs, classes = draw(st.integers(1, 20)), draw(st.integers(1, 12))
    shape = Shape(CELL_ARITHMETIC.load(cell), (inputs, *hidden[:-1]), hidden, classes)
    steps = []
    for number in range(draw(st.integers(0, 3))):
        lengths = np.array(draw(st.lists(st.integers(1, 7), min_size=1, max_size=3)))
        one = recorded_step(shape, lengths, draw(st.floats(0, 1)), number)
        steps.append(type(one)(number, draw(st.integers(0, 10**6)), lengths, one.fired_x, one.fired_h))
    epochs = tuple(draw(st.lists(_counts((inputs, *hidden)), max_size=3)))
    statistics = {"synthetic.inputs": inputs, "synthetic.classes": classes}
    return Trace(Workload.named("tiny", changes | statistics), inputs, classes, tuple(steps), epochs)


@st.composite
def _counts(draw: st.DrawFn, widths: tuple[int, ...]) -> EpochCounts:
    rows = draw(st.integers(1, 2**40))
    after_first = draw(st.integers(0, rows - 1))
    steps_x, steps_h = tuple(rows * width for width in widths[:-1]), tuple(after_first * width for width in widths[1:])
    fired_x, fired_h = (tuple(draw(st.integers(0, most)) for most in steps) for steps in (steps_x, steps_h))
    loss, accuracy = draw(st.floats(0, 100)), draw(st.floats(0, 1))
    epoch, dense = draw(st.integers(0, 2**50)), draw(st.booleans())
    return EpochCounts(epoch, dense, loss, accuracy, fired_x, fired_h, steps_x, steps_h)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (4, 6), (6, 5), 3)
    step = recorded_step(shape, np.array([5, 3]), 0.4, 1)
    path = tmp_path_factory.mktemp("trace") / "trace.npz"
    Trace(Workload.named("tiny"), 4, 3, (step,), ()).save(path)
    return path.read_bytes()


def _refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        Trace.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@_SLOW
@given(traces())
def test_a_trace_loads_back_equal(tmp_path: Path, trace: Trace) -> None:
    path = tmp_path / "trace.npz"
    trace.save(path)
    again = Trace.load(path)
    assert again == trace
    assert again.workload == trace.workload
    assert again.epochs == trace.epochs
    for one, other in zip(trace.recorded, again.recorded, strict=True):
        assert (one.epoch, one.update) == (other.epoch, other.update)
        assert (one.lengths == other.lengths).all()
        pairs = zip((*one.fired_x, *one.fired_h), (*other.fired_x, *other.fired_h), strict=True)
        assert all(a.dtype == b.dtype and a.shape == b.shape and (a == b).all() for a, b in pairs)
    assert [p.name for p in tmp_path.iterdir()] == ["trace.npz"], "nothing is left beside it"


@_SLOW
@given(st.data())
def test_a_mask_that_differs_makes_a_trace_differ(data: st.DataObject) -> None:
    trace = data.draw(traces().filter(lambda t: len(t.recorded) > 0))
    step = trace.recorded[0]
    flipped = step.fired_x[0].copy()
    flipped[0, 0, 0] ^= True
    other = type(step)(step.epoch, step.update, step.lengths, (flipped, *step.fired_x[1:]), step.fired_h)
    assert Trace(trace.workload, trace.inputs, trace.classes, (other, *trace.recorded[1:]), trace.epochs) != trace


every_byte = pytest.mark.parametrize("apart", [7, pytest.param(1, marks=pytest.mark.long)])


@every_byte
def test_a_file_cut_short_at_any_byte_is_refused(tmp_path: Path, saved: bytes, apart: int) -> None:
    path = tmp_path / "cut.npz"
    for size in range(0, len(saved), apart):
        path.write_bytes(saved[:size])
        _refused(path)


@every_byte
def test_any_flipped_byte_is_refused_or_changes_nothing(tmp_path: Path, saved: bytes, apart: int) -> None:
    """Some bytes of a zip file mean nothing to a reader, such as its time stamps; no other may change."""
    whole, path = tmp_path / "whole.npz", tmp_path / "flipped.npz"
    whole.write_bytes(saved)
    trace = Trace.load(whole)
    refused = 0
    for place in range(0, len(saved), apart):
        changed = saved[place] ^ (0x01, 0x80, 0xFF)[place % 3]
        path.write_bytes(saved[:place] + bytes([changed]) + saved[place + 1 :])
        try:
            again = Trace.load(path)
        except ConfigError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            assert again == trace
    assert refused > len(saved) // apart // 2


@settings(_SLOW, max_examples=150)
@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_any_other_content_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(content)
    _refused(path)


def _archive(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _zip(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


def _array(content: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, content)
    return file.getvalue()


def _header(text: str) -> bytes:
    return _archive(header=np.frombuffer(text.encode(), np.uint8))


FOREIGN = {
    "an archive of NumPy": _archive(a=np.arange(3)),
    "a single array": _array(np.arange(3)),
    "a zip of a text": _zip("readme.txt", b"hello"),
    "a zip of a broken array": _zip("header.npy", b"\x93NUMPY\x01\x00v\x00{'descr'"),
    "an archive of an object": _zip("header.npy", _array(np.array([{}]))),
    "a header that is no JSON": _header("hello"),
    "a header that is no table": _header("[1, 2]"),
    "a header that is a number": _header("3"),
    "a header of nothing": _header("{}"),
    "another format": _header('{"format": "another", "version": 1}'),
    "another version": _header('{"format": "deltatrain trace", "version": 99}'),
    "a header without content": _header('{"format": "deltatrain trace", "version": 2}'),
    "a header of wrong types": _header('{"format": "deltatrain trace", "version": 2, "content": 3, "workload": 5}'),
    "a header of numbers": _archive(header=np.arange(5.0)),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_foreign_archives_are_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "foreign.npz"
    path.write_bytes(FOREIGN[what])
    _refused(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "No such file" in _refused(tmp_path / "missing.npz")
    _refused(tmp_path)


def test_a_header_with_the_right_digest_but_wrong_fields_is_refused(tmp_path: Path, saved: bytes) -> None:
    """Whoever writes such a file by hand gets a line as well, whatever field is missing or of another type."""
    with np.load(io.BytesIO(saved)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(arrays.pop("header").tobytes())
    path = tmp_path / "edited.npz"
    changes: list[dict[str, Any]] = [{name: wrong} for name in header for wrong in (None, 7, "x", [], [7], {"a": 1})]
    for change in changes:
        edited = header | change
        if edited == header or (set(change) <= {"inputs", "classes"} and isinstance(*change.values(), int)):
            continue
        path.write_bytes(_archive(header=np.frombuffer(json.dumps(edited).encode(), np.uint8), **arrays))
        try:
            again = Trace.load(path)
        except ConfigError as error:
            assert "\n" not in str(error)
        else:
            assert change in ({"epochs": []}, {"recorded": []}), f"{change} was taken for {again}"
    for name in header:
        less = json.dumps({k: v for k, v in header.items() if k != name})
        path.write_bytes(_archive(header=np.frombuffer(less.encode(), np.uint8), **arrays))
        _refused(path)


# what a field of the recorded step, or of the epoch, was replaced by, and what the one line must say
WRONG_STEPS: dict[str, tuple[dict[str, Any], str]] = {
    "inputs wider than said": (
        {"fired_x": ((5, 2, 7), (5, 2, 6))},
        r"fired_x\[0\] .* \(5, 2, 4\), not bool .* \(5, 2, 7\)",
    ),
    "a layer too few": ({"fired_h": ((5, 2, 6),)}, "fired_h must be 2 masks, not 1"),
    "no masks": ({"fired_x": ()}, "fired_x must be a mask for each of 2 layers, not none"),
    "masks cut off": ({"fired_h": ((4, 2, 6), (4, 2, 5))}, r"\(5, 2, 6\), not bool of shape \(4, 2, 6\)"),
    "numbers for masks": ({"fired_x": (np.ones((5, 2, 4)), np.ones((5, 2, 6)))}, "must be bool .* not float64"),
    "weights of other shapes": ({"weights": ((24, 4), (24, 6), (20, 6), (20, 5), (3, 6))}, r"weights\[4\] .* \(3, 5\)"),
    "weights of some matrices": ({"weights": ((24, 4),)}, "weights must be 5 masks, not 1"),
    "longer than the masks": ({"lengths": np.array([6, 3])}, r"\(6, 2, 4\), not bool of shape \(5, 2, 4\)"),
    "no steps": ({"lengths": np.array([5, 0])}, "at least 1, not 0 of sample 1"),
    "less than none": ({"lengths": np.array([-5, 5])}, "at least 1, not -5 of sample 0"),
    "no samples": ({"lengths": np.array([], np.int64)}, "one for each sample"),
    "half a step": ({"lengths": np.array([5.0, 2.5])}, "lengths must be integers"),
    "what fires after the end": (
        {"lengths": np.array([5, 1])},
        "beyond a sample's end, not true at step . of sample 1",
    ),
    "what fires before there is an h": (
        {"fired_h": (np.arange(5)[:, None, None] < np.ones((1, 2, 6)), (5, 2, 5))},
        r"fired_h\[0\] must be false where there is no h",
    ),
    "what fires unasked": ({"asked_x": ((5, 2, 4), (5, 2, 6))}, r"asked_x\[0\] must be true wherever fired_x\[0\] is"),
}
WRONG_COUNTS: dict[str, tuple[dict[str, Any], str]] = {
    "a loss that is none": ({"loss": math.nan}, "loss must be a finite number, not nan"),
    "an infinite loss": ({"loss": math.inf}, "loss must be a finite number, not inf"),
    "an accuracy above one": ({"accuracy": 1.5}, "accuracy must be from 0 to 1, not 1.5"),
    "an accuracy that is none": ({"accuracy": math.nan}, "accuracy must be from 0 to 1, not nan"),
    "a layer too many": ({"fired_x": (1, 1, 1)}, "fired_x must be 2 numbers, one for each layer, not 3"),
    "more than could": (
        {"fired_h": (37, 0)},
        r"fired_h must be from 0 to \(37, 0\), and that to \(36, 30\), not \(37, 0\)",
    ),
    "less than nothing": ({"fired_x": (-1, 0)}, "fired_x must be from 0"),
    "fired unasked": ({"asked_x": (1, 1)}, r"fired_x must be from 0 to \(1, 1\)"),
    "steps of other widths": ({"steps_x": (32, 40)}, r"steps_x must be steps times \(4, 6\), not \(32, 40\)"),
    "no steps": ({"steps_x": (0, 0), "fired_x": (0, 0)}, "fewer steps than the 0 of steps_x, not 6"),
    "as many steps after the first": ({"steps_h": (48, 40)}, "fewer steps than the 8 of steps_x, not 8"),
}


def _wrong_step(changes: dict[str, Any]) -> RecordedStep:
    def array(given: Any) -> Any:
        return np.zeros(given, bool) if isinstance(given, tuple) else given

    shape = Shape(CELL_ARITHMETIC.load("lstm"), (4, 6), (6, 5), 3)
    step = recorded_step(shape, np.array([5, 3]), 0.9, 1)
    forged = {name: tuple(map(array, one)) if isinstance(one, tuple) else one for name, one in changes.items()}
    return dataclasses.replace(step, **forged)


def _wrong_counts(changes: dict[str, Any]) -> EpochCounts:
    right = EpochCounts(0, False, 1.0, 0.5, (9, 9), (9, 9), (32, 48), (36, 30))
    return dataclasses.replace(right, **changes)


@pytest.mark.parametrize("what", WRONG_STEPS)
def test_a_step_of_another_network_is_refused_in_python(what: str) -> None:
    changes, said = WRONG_STEPS[what]
    Trace(Workload.named("tiny"), 4, 3, (_wrong_step({}),), ())
    with pytest.raises(ConfigError, match=f"^recorded step 0 is none of workload 'tiny': .*{said}") as refused:
        Trace(Workload.named("tiny"), 4, 3, (_wrong_step(changes),), ())
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("what", WRONG_COUNTS)
def test_counts_that_no_epoch_has_are_refused_in_python(what: str) -> None:
    changes, said = WRONG_COUNTS[what]
    Trace(Workload.named("tiny"), 4, 3, (), (_wrong_counts({}),))
    with pytest.raises(ConfigError, match=f"^epoch 1 is none of workload 'tiny': .*{said}") as refused:
        Trace(Workload.named("tiny"), 4, 3, (), (_wrong_counts({}), _wrong_counts(changes)))
    assert "\n" not in str(refused.value)


def _save_unchecked(trace: Trace, path: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Write a trace as a forger would, who knows the format and its digest."""
    with monkeypatch.context() as blind:
        blind.setattr(Trace, "__post_init__", lambda self: None)
        dataclasses.replace(trace, **changes).save(path)


@pytest.mark.parametrize("what", [what for what in (*WRONG_STEPS, *WRONG_COUNTS) if what != "numbers for masks"])
def test_what_is_refused_in_python_is_refused_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    trace = Trace(Workload.named("tiny"), 4, 3, (_wrong_step({}),), (_wrong_counts({}),))
    changes: dict[str, Any] = {}
    if what in WRONG_STEPS:
        changes["recorded"] = (_wrong_step(WRONG_STEPS[what][0]),)
    if what in WRONG_COUNTS:
        changes["epochs"] = (_wrong_counts(WRONG_COUNTS[what][0]),)
    _save_unchecked(trace, tmp_path / "forged.npz", monkeypatch, **changes)
    _refused(tmp_path / "forged.npz")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inputs": 3}, "inputs must be 4, as synthetic.inputs says, not 3"),
        ({"classes": 9}, "classes must be 3, as synthetic.classes says, not 9"),
    ],
)
def test_a_header_that_lies_about_widths_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, int], said: str
) -> None:
    trace = Trace(Workload.named("tiny"), 4, 3, (_wrong_step({}),), ())
    _save_unchecked(trace, tmp_path / "forged.npz", monkeypatch, **changes)
    assert said in _refused(tmp_path / "forged.npz")


def test_widths_of_a_trained_network_are_held_against_its_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 14: ``inputs = 3`` with masks 7 wide was accepted, and counted 1,332 columns for 820."""
    workload = Workload.named("vowels", {"hidden": [6, 5]})
    shape = Shape(CELL_ARITHMETIC.load("gru"), (7, 6), (6, 5), 9)
    trace = Trace(workload, 7, 9, (recorded_step(shape, np.array([5, 3]), 0.9, 1),), ())
    _save_unchecked(trace, tmp_path / "forged.npz", monkeypatch, inputs=3)
    assert "fired_x[0] must be bool of shape (5, 2, 3), not bool of shape (5, 2, 7)" in _refused(
        tmp_path / "forged.npz"
    )


@pytest.mark.parametrize("number", [0, -4, 4.0, True, "4", 2**31])
def test_widths_are_positive_integers(number: Any) -> None:
    with pytest.raises(ConfigError, match="inputs must be an integer from 1 to 2,147,483,647"):
        Trace(Workload.named("vowels"), number, 9, (), ())


def test_an_lstm_of_before_is_what_it_was_trained_as(tmp_path: Path, saved: bytes) -> None:
    """Once there was no field for the bias of forget gates, and none was added."""
    with np.load(io.BytesIO(saved)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(arrays.pop("header").tobytes())
    assert header["workload"]["training"].pop("forget_bias") == 1.0
    header["digest"] = table_digest(header["workload"])
    path = tmp_path / "before.npz"
    path.write_bytes(_archive(header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays))
    found = Trace.load(path)
    assert found.workload == Workload.named("tiny", {"training.forget_bias": 0.0})
    found.save(path)
    assert Trace.load(path) == found


def test_a_folder_that_cannot_be_written_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    trace = Trace(Workload.named("tiny"), 4, 3, (), ())
    with pytest.raises(ConfigError, match="cannot be written"):
        trace.save(tmp_path / "no such folder" / "trace.npz")
    blocked = tmp_path / "blocked.npz"
    blocked.mkdir()
    with pytest.raises(ConfigError, match="cannot be written"):
        trace.save(blocked)
    assert [p.name for p in tmp_path.iterdir()] == ["blocked.npz"]


def test_an_interrupted_save_leaves_the_old_trace(
    tmp_path: Path, saved: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trace.npz"
    path.write_bytes(saved)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deltatrain.accel.files.os.fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        Trace(Workload.named("tiny"), 4, 3, (), ()).save(path)
    assert path.read_bytes() == saved
    assert [p.name for p in tmp_path.iterdir()] == ["trace.npz"]
