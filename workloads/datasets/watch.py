"""Shoulder exercises seen by a wrist watch: acceleration and rotation at 50 Hz; the class is the exercise."""

from __future__ import annotations

import pickle
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.data.fetching import Progress, Wheel, member_of
from deltatrain.workloads.data.recordings import Recordings, Sequences, standardised

LICENCE = "BSD-3-Clause (the package that carries them)"
SPIKES = False
SOURCE = "Sets of shoulder exercises with a smartwatch, D. Burns et al., arXiv:1802.01489; from seglearn 1.2.5"

_WHEEL = Wheel("seglearn", "1.2.5", "ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd")
_MEMBER = "seglearn/data/watch_dataset.npy"
_EXERCISES = 7
_WINDOW_STEPS = 100  # 2 s at 50 Hz
_UNSEEN_PEOPLE = 2
_SPLIT_SEED = 2018


def load(progress: Progress | None = None) -> Recordings:
    """Return windows of 2 s, one after the other, split by person: two of the ten are not seen in training.

    Raises
    ------
    accel.errors.NetworkError
        When the file is not in the cache folder and cannot be fetched.
    """
    raw, in_test = _signals(progress)
    train, test = (_windows(raw["X"], raw["y"], np.flatnonzero(in_test == part)) for part in (False, True))
    return standardised(Recordings("watch", LICENCE, SOURCE, _EXERCISES, train, test))


def train_groups() -> NDArray[np.str_]:
    """Return the person of each training window."""
    raw, in_test = _signals(None)
    people = [(str(person), len(signal)) for person, signal in zip(raw["subject"], raw["X"], strict=True)]
    seen = [one for one, unseen in zip(people, in_test, strict=True) if not unseen]
    return np.repeat([person for person, _ in seen], [steps // _WINDOW_STEPS for _, steps in seen])


def _signals(progress: Progress | None) -> tuple[Any, NDArray[np.bool_]]:
    """Return the recordings as they are carried, and which of them are of people who are not seen in training."""
    raw = _array_of_objects(member_of(_WHEEL, _MEMBER, progress)).item()
    people = np.asarray(raw["subject"])
    unseen = np.random.default_rng(_SPLIT_SEED).choice(np.unique(people), _UNSEEN_PEOPLE, replace=False)
    return raw, np.isin(people, unseen)


def _windows(signals: list[NDArray[Any]], exercises: NDArray[Any], chosen: NDArray[np.int64]) -> Sequences:
    """Return the full windows of the chosen recordings; what is left over at a recording's end is dropped."""
    counts = np.array([len(signals[i]) // _WINDOW_STEPS for i in chosen])
    values = [signals[i][: count * _WINDOW_STEPS] for i, count in zip(chosen, counts, strict=True)]
    return Sequences(
        np.concatenate(values).astype(np.float32),
        np.full(counts.sum(), _WINDOW_STEPS, np.int64),
        np.repeat(np.asarray(exercises)[chosen], counts).astype(np.int64),
    )


def _array_of_objects(file: IO[bytes]) -> NDArray[Any]:
    """Return the array in a ``.npy`` file that holds Python objects, as a pickle after the usual header."""
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
    array = _ArraysOnly(file).load()
    if not isinstance(array, np.ndarray):
        raise pickle.UnpicklingError(f"the file must hold an array, not {type(array).__name__}")
    return array


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that makes NumPy arrays and nothing else, however the file asks.

    The file's hash is checked before it is read; this is the second lock on the same door.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a global of the file: arrays and types, made without looking anything up."""
        makers = {
            ("numpy.core.multiarray", "_reconstruct"): np.ndarray.__new__,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): lambda code, align, copy: np.dtype(code, bool(align), bool(copy)),
            ("_codecs", "encode"): lambda text, _codec: text.encode("latin1"),  # how protocol 2 writes bytes
        }
        if (module, name) not in makers:
            raise pickle.UnpicklingError(f"the file asks for {module}.{name}, and only arrays are read")
        return makers[module, name]
