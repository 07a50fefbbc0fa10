"""Trains each workload once and keeps its trace, however often and by whomever it is asked for.

Traces lie in the cache folder under a digest of the workload, its recordings and the code that trains. A sweep over
machines then trains once, and a sweep that was killed in a training goes on after the last whole epoch.
"""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path

import numpy as np

from deltatrain.accel.cache_folder import cache_folder
from deltatrain.accel.errors import ConfigError, HostError
from deltatrain.accel.files import make_folder
from deltatrain.accel.locks import alone
from deltatrain.sim.flow import recordings_of
from deltatrain.sim.progress import tell_nobody
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.dataset import Dataset
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload


def trained_trace(workload: Workload) -> Trace:
    """Return the trace of training `workload`, from the cache folder if it is there.

    Raises
    ------
    ConfigError
        If its data set cannot be had, or the cache folder not be written.
    """
    folder = cache_folder() / "trained"
    make_folder(folder)
    recordings = _recordings(workload.dataset)
    name = hashlib.sha256(f"{workload.digest()} {recordings.digest} {_code_digest()}".encode()).hexdigest()[:24]
    path = folder / f"{name}.npz"
    with alone(folder / f"{name}.lock"):
        kept = _kept(path)
        if kept is None:
            kept = _train(workload, recordings, folder / f"{name}.state.npz")
            kept.save(path)
        return kept


def _kept(path: Path) -> Trace | None:
    """Return the trace at `path`; None if there is none, or it is damaged."""
    if not path.exists():
        return None
    try:
        return Trace.load(path)
    except HostError:
        raise
    except ConfigError:
        return None


def _train(workload: Workload, recordings: Recordings, state: Path) -> Trace:
    from deltatrain.workloads.training import training

    done = training.train(workload, recordings, state_path=state, resume=True)
    state.unlink(missing_ok=True)
    return done.trace(recordings)


@lru_cache(maxsize=2)
def _recordings(dataset: Dataset) -> Recordings:
    return recordings_of(dataset, tell_nobody)


def forget_recordings() -> None:
    """Read recordings anew from now on: those of the user's own may have changed since an earlier sweep."""
    _recordings.cache_clear()


@cache
def _code_digest() -> str:
    """Return a digest of what determines a training: the code of `workloads`, and the version of NumPy."""
    digest = hashlib.sha256(np.__version__.encode())
    package = Path(str(resources.files("deltatrain.workloads")))
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
