"""What masks and counts of a network must be, whoever made them: of its shapes, and of nothing that cannot happen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.documents import shown
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.origin import FLOAT_FIGURES
from deltatrain.accel.training_shown import check_stored
from deltatrain.workloads.network.network import Sizes, shapes
from deltatrain.workloads.tables import MOST_CLASSES
from deltatrain.workloads.workload import Workload

Masks = tuple[NDArray[np.bool_], ...]

_FIELDS = {"x": "fired_x", "h": "fired_h", "w": "weights"}  # of a recorded step, by their short names


def check_widths(workload: Workload, inputs: int, classes: int) -> None:
    """Raise a `ConfigError` in one line unless a network of `workload` can have so many inputs and classes."""
    described = workload.synthetic
    for name, found in (("inputs", inputs), ("classes", classes)):
        if type(found) is not int or not 1 <= found <= MOST_CLASSES:
            raise ConfigError(f"{name} must be an integer from 1 to {MOST_CLASSES:,}, not {shown(found)}")
        if name == "inputs" and workload.embedding is not None and found != workload.embedding.width:
            raise ConfigError(f"inputs must be {workload.embedding.width}, as embedding.width says, not {found}")
        if described is not None and found != getattr(described, name):
            raise ConfigError(f"{name} must be {getattr(described, name)}, as synthetic.{name} says, not {found}")


def check_masks(masks: Mapping[str, Masks], lengths: NDArray[np.int64], sizes: Sizes, *, carried: bool = False) -> None:
    """Raise a `ConfigError` in one line unless these are what one mini-batch of a network can fire.

    Parameters
    ----------
    masks
        As of `workloads.trace.RecordedStep.masks`.
    lengths
        Steps of each sample, shape (B,).
    sizes
        The network's.
    carried
        Whether the mini-batch goes on from a state.
    """
    if lengths.ndim != 1 or lengths.dtype.kind != "i" or lengths.size == 0:
        raise ConfigError(f"lengths must be integers, one for each sample, not {_form(lengths)}")
    if lengths.min() < 1:
        raise ConfigError(f"lengths must be at least 1, not {lengths.min()} of sample {lengths.argmin()}")
    fields = {_FIELDS.get(name, name): of_name for name, of_name in masks.items()}
    for name in ("fired_x", "fired_h"):
        if name not in fields:
            raise ConfigError(f"{name} must be a mask for each of {len(sizes.hidden)} layers, not none")
    for name, of_name in fields.items():
        wanted = _shapes_of(name, lengths, sizes)
        if len(of_name) != len(wanted):
            raise ConfigError(f"{name} must be {len(wanted)} masks, not {len(of_name)}")
        for number, (mask, shape) in enumerate(zip(of_name, wanted, strict=True)):
            if mask.dtype != np.bool_ or mask.shape != shape:
                raise ConfigError(f"{name}[{number}] must be bool of shape {shape}, not {_form(mask)}")
    silent = (0 if carried else 1) if sizes.cell.TARGETS_H else None
    for fault in _impossible(fields, lengths, silent):
        raise ConfigError(fault)


def check_words(words: NDArray[np.int64] | None, lengths: NDArray[np.int64], sizes: Sizes) -> None:
    """Raise a `ConfigError` in one line unless these are words that a mini-batch looks up, (T, B), or rightly None."""
    if not sizes.words:
        if words is not None:
            raise ConfigError("words must be left out of a network without an embedding")
        return
    shape = (int(lengths.max()), len(lengths))
    if words is None or words.shape != shape or words.dtype != np.int64:
        raise ConfigError(f"words must be int64 of shape {shape}, not {'none' if words is None else _form(words)}")
    if words.min() < 0 or words.max() >= sizes.words:
        wrong = words[(words < 0) | (words >= sizes.words)][0]
        raise ConfigError(f"words must be from 0 to {sizes.words - 1}, not {wrong}")


def check_counts(counts: Mapping[str, Any], sizes: Sizes) -> None:
    """Raise a `ConfigError` in one line unless these are what an epoch of a network can count.

    Parameters
    ----------
    counts
        The fields of a `workloads.trace.EpochCounts`.
    sizes
        The network's.
    """
    if not math.isfinite(counts["loss"]):
        raise ConfigError(f"loss must be a finite number, not {counts['loss']}")
    if counts["accuracy"] is not None and not 0 <= counts["accuracy"] <= 1:
        raise ConfigError(f"accuracy must be from 0 to 1, not {counts['accuracy']}")
    figures = [name for name in FLOAT_FIGURES if counts.get(name) is not None]
    if len(figures) != 1 or not math.isfinite(counts[figures[0]]):
        raise ConfigError(
            f"one figure of a task must be told, and be a finite number, not {', '.join(figures) or 'none'}"
        )
    beside = counts["float_figure"]
    if beside is not None and not math.isfinite(beside):
        raise ConfigError(f"float_figure must be a finite number, not {beside}")
    for tensor, of in counts["stored"].items():
        try:
            check_stored(f"stored.{tensor}", of)
        except ValueError as error:
            raise ConfigError(str(error)) from None
    steps, after_first = (_steps(s, widths, counts) for s, widths in (("x", sizes.inputs), ("h", sizes.hidden)))
    carried = _carried(counts, sizes)
    if not 0 <= after_first - carried < steps or after_first > steps:
        raise ConfigError(f"steps_h must be fewer steps than the {steps} of steps_x, not {after_first}")


def _carried(counts: Mapping[str, Any], sizes: Sizes) -> int:
    """Return how many first steps went on from a state; what is wrong with their counts is a `ConfigError`."""
    fired, possible = counts["carried_h"], counts["carried_steps_h"]
    steps: int = possible[0] // sizes.hidden[0] if possible else 0
    if possible and possible != tuple(steps * width for width in sizes.hidden):
        raise ConfigError(f"carried_steps_h must be steps times {sizes.hidden}, not {possible}")
    limits = [min(pair) for pair in zip(possible, counts["fired_h"], strict=False)]
    if len(fired) != len(possible) or any(not 0 <= few <= most for few, most in zip(fired, limits, strict=True)):
        raise ConfigError(f"carried_h must be from 0 to {tuple(limits)}, not {fired}")
    return steps


def _steps(stream: str, widths: tuple[int, ...], counts: Mapping[str, Any]) -> int:
    """Return how many steps the counts of a stream are of; what is wrong with them is a `ConfigError`."""
    possible, fired, asked = (counts[f"{name}_{stream}"] for name in ("steps", "fired", "asked"))
    asked = asked or fired
    for name, numbers in (("steps", possible), ("fired", fired), ("asked", asked)):
        if len(numbers) != len(widths):
            raise ConfigError(f"{name}_{stream} must be {len(widths)} numbers, one for each layer, not {len(numbers)}")
    steps: int = possible[0] // widths[0]
    if possible != tuple(steps * width for width in widths):
        raise ConfigError(f"steps_{stream} must be steps times {widths}, not {possible}")
    if any(not 0 <= few <= some <= most for few, some, most in zip(fired, asked, possible, strict=True)):
        raise ConfigError(f"fired_{stream} must be from 0 to {asked}, and that to {possible}, not {fired}")
    return steps


def _shapes_of(name: str, lengths: NDArray[np.int64], sizes: Sizes) -> list[tuple[int, ...]]:
    if name == "weights":
        return [shape for shape in shapes(sizes._replace(words=0)) if len(shape) == 2 and 0 not in shape]
    widths = sizes.inputs if name.endswith("x") else sizes.hidden
    return [(int(lengths.max()), len(lengths), width) for width in widths]


def _impossible(masks: Mapping[str, Masks], lengths: NDArray[np.int64], silent: int | None) -> Iterator[str]:
    """Yield what fires where nothing can, and what fires without being asked for a gradient.

    Nothing recurrent can in the first `silent` steps, None being all.
    """
    ended = np.arange(lengths.max())[:, None] >= lengths  # (T, B)
    for name, of_name in masks.items():
        if name == "weights":
            continue
        for number, mask in enumerate(of_name):
            late = np.argwhere(mask.any(axis=-1) & ended)
            if late.size:
                at = "step {} of sample {}".format(*late[0])
                yield f"{name}[{number}] must be false beyond a sample's end, not true at {at}"
            if name.endswith("h") and mask[:silent].any():
                yield f"{name}[{number}] must be false where there is no h that could fire, as at step 0"
    for stream in "xh":
        asked = masks.get(f"asked_{stream}", ())
        for number, pair in enumerate(zip(masks[f"fired_{stream}"], asked, strict=False)):
            if (pair[0] & ~pair[1]).any():
                yield f"asked_{stream}[{number}] must be true wherever fired_{stream}[{number}] is"


def _form(array: NDArray[Any]) -> str:
    return f"{array.dtype} of shape {array.shape}"
