"""Where a training run stands after an epoch, on disk: one NumPy archive, written atomically, nothing pickled.

The random draws of an epoch depend on the seed and the epoch's number only, so no generator state is needed to go on
exactly as if nothing had happened.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from deltatrain.accel.documents import json_text, json_value, shown
from deltatrain.accel.errors import ConfigError, HostError
from deltatrain.accel.files import replace_file
from deltatrain.workloads.arrays.archive import read_arrays
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.trace import EpochCounts, RecordedStep
from deltatrain.workloads.training.choosing import Best

VERSION = 2
_KIND = "deltatrain learning state"


@dataclass(frozen=True, eq=False)
class LearningState:
    """Everything training needs to go on.

    Attributes
    ----------
    workload_digest
        Of the workload it belongs to.
    data_digest
        Of the recordings it was trained on; empty in a file of a version that did not keep it.
    updates
        Optimiser steps taken.
    parameters
        All of them as one vector, shape (n,).
    mask
        Which of them exist, boolean, shape (n,).
    optimiser
        The optimiser's own state, arrays by name.
    epochs
        Counts of the epochs done, in order.
    recorded
        The steps recorded so far, in order.
    best
        The best epoch by the validation part; None without one, or before an epoch that may be kept.
    """

    workload_digest: str
    data_digest: str
    updates: int
    parameters: Array
    mask: Array
    optimiser: dict[str, Array]
    epochs: tuple[EpochCounts, ...]
    recorded: tuple[RecordedStep, ...]
    best: Best | None = None


def save(state: LearningState, path: Path) -> None:
    """Write `state` to `path`, which afterwards holds either the old state or the new one, whole.

    Raises
    ------
    ConfigError
        When the folder is not there or cannot be written to.
    """
    about: dict[str, Any] = {
        "kind": _KIND,
        "version": VERSION,
        "workload_digest": state.workload_digest,
        "data_digest": state.data_digest,
        "updates": state.updates,
        "epochs": [counts.table() for counts in state.epochs],
        "recorded": [{"epoch": step.epoch, "update": step.update} for step in state.recorded],
    }
    if state.best is not None:
        about["best"] = {"epoch": state.best.epoch, "loss": state.best.loss}
    arrays: dict[str, Any] = {
        "about": np.frombuffer(json_text(about).encode(), np.uint8),
        "parameters": state.parameters,
        "mask": state.mask,
    }
    arrays |= {f"optimiser.{name}": array for name, array in state.optimiser.items()}
    if state.best is not None:
        arrays |= {"best.parameters": state.best.parameters, "best.mask": state.best.mask}
    for number, step in enumerate(state.recorded):
        arrays |= _recorded_arrays(step, f"recorded.{number}")
    archive = io.BytesIO()
    np.savez(archive, **arrays)
    replace_file(path, archive.getvalue())


def load(path: Path, workload_digest: str) -> LearningState:
    """Return the state in `path`.

    Raises
    ------
    ConfigError
        When the file cannot be read, is damaged, is no learning state, or belongs to another workload.
    """
    try:
        with path.open("rb") as file:
            arrays = read_arrays(file, f"state {path}")
        about = json_value(arrays.pop("about").tobytes())
        if about["kind"] != _KIND or about["version"] != VERSION:
            raise KeyError("kind")
        state = _rebuilt(about, arrays)
    except MemoryError:
        raise
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror or 'it is no NumPy archive'}") from None
    except Exception:  # what NumPy, zipfile and zlib raise for a damaged file is listed nowhere
        raise HostError(f"{path} is no learning state of version {VERSION}, or it is damaged: delete it") from None
    if about["workload_digest"] != workload_digest:
        raise ConfigError(
            f"{path} belongs to another workload (digest {shown(about['workload_digest'])}, wanted "
            f"{workload_digest!r}): "
            "delete it or name another file"
        )
    return state


def _rebuilt(about: dict[str, Any], arrays: dict[str, Array]) -> LearningState:
    optimiser = {
        name.removeprefix("optimiser."): array for name, array in arrays.items() if name.startswith("optimiser.")
    }
    numbers = [about["updates"], *(number for when in about["recorded"] for number in when.values())]
    numbers += [about["best"]["epoch"]] if "best" in about else []
    if any(type(number) is not int for number in numbers):
        raise ValueError("updates and epochs must be integers")
    told = [epoch | {"loss": math.nan if epoch["loss"] is None else epoch["loss"]} for epoch in about["epochs"]]
    epochs = TypeAdapter(tuple[EpochCounts, ...]).validate_python(told)
    recorded = [
        _recorded_from(arrays, f"recorded.{number}", len(epochs[0].fired_x), when)
        for number, when in enumerate(about["recorded"])
    ]
    best = about.get("best")
    return LearningState(
        workload_digest=about["workload_digest"],
        data_digest=about.get("data_digest", ""),
        updates=about["updates"],
        parameters=arrays["parameters"],
        mask=arrays["mask"],
        optimiser=optimiser,
        epochs=epochs,
        recorded=tuple(recorded),
        best=best and Best(best["epoch"], best["loss"], arrays["best.parameters"], arrays["best.mask"]),
    )


def _recorded_arrays(step: RecordedStep, prefix: str) -> dict[str, Array]:
    masks = {f"{name}.{number}": mask for name, of in step.masks().items() for number, mask in enumerate(of)}
    arrays = {"lengths": step.lengths, **masks, **step.beside_masks()}
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def _recorded_from(arrays: dict[str, Array], prefix: str, layers: int, when: dict[str, int]) -> RecordedStep:
    def masks(name: str, number: int) -> tuple[Array, ...]:
        names = (f"{prefix}.{name}.{n}" for n in range(number))
        return tuple(arrays[one] for one in names if one in arrays)

    numbers = {"x": layers, "h": layers, "asked_x": layers, "asked_h": layers, "w": 2 * layers + 1}
    of_step = [masks(name, number) for name, number in numbers.items()]
    return RecordedStep.of_arrays((when["epoch"], when["update"]), of_step, arrays, f"{prefix}.")
