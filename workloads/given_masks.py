"""What fired in a network that deltatrain did not train: masks given by a user, or found from activations.

Time comes first in every array, then the samples of the batch, then the elements. Entry t of a recurrent mask tells
which elements of h[t-1] fired into step t; entry 0 is False, as there is no h before the first step. `Trace.from_masks`
and `Trace.from_activations` are how users reach this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deltatrain.accel.documents import shown
from deltatrain.accel.errors import ConfigError, wrong_kind
from deltatrain.workloads.arrays.packing import Array, pack, packing_of, unpack
from deltatrain.workloads.cells import CELLS, _delta
from deltatrain.workloads.dataset import RECORDED
from deltatrain.workloads.tables import MOST_CLASSES
from deltatrain.workloads.workload import Workload

Masks = tuple[NDArray[np.bool_], ...]
Loop = Literal["closed", "open", "given"]

_NUMBERS = "biuf"
"""Kinds of NumPy's types that can be ones and zeros."""


class GivenMasks(NamedTuple):
    """The masks of one batch; `lengths`, `fired_x`, `fired_h` as in `RecordedStep`."""

    lengths: NDArray[np.int64]
    fired_x: Masks
    fired_h: Masks

    @property
    def inputs(self) -> int:
        """Width of the network's input."""
        return int(self.fired_x[0].shape[2])

    @property
    def hidden(self) -> tuple[int, ...]:
        """Width of each layer."""
        return tuple(int(mask.shape[2]) for mask in self.fired_h)


class Told(NamedTuple):
    """What a user tells of a recorded network: its name, `classes`, and the rest as in `Workload`."""

    name: str
    cell: str
    theta_x: float | Sequence[float]
    theta_h: float | Sequence[float]
    readout: str
    classes: int


def each_layer(
    theta_x: float | Sequence[float], theta_h: float | Sequence[float], layers: int
) -> tuple[tuple[float, float], ...]:
    """Return (theta_x, theta_h) of each of so many layers; what is no number of at least 0 is a `ConfigError`."""
    both = []
    for name, theta in (("theta_x", theta_x), ("theta_h", theta_h)):
        each = _array(name, theta)
        if each.dtype.kind not in "fiu" or each.shape not in ((), (layers,)):
            raise ConfigError(f"{name} must be a number, or one for each of the {layers} layers, not {shown(theta)}")
        if not (np.isfinite(each) & (each >= 0)).all():
            raise ConfigError(f"{name} must be finite and at least 0, not {shown(theta)}")
        both.append(np.broadcast_to(each, layers).tolist())
    return tuple(zip(*both, strict=True))


class MadeOfMasks(ABC):
    """What a trace has to be made of masks or activations of a user's own."""

    @classmethod
    @abstractmethod
    def of_recording(cls, steps: Sequence[GivenMasks], told: Told, loop: Loop, source: str = "") -> Self:
        """Return the trace of masks, each of a step; `loop` and `source` as in `workloads.tables.Recorded`."""

    @classmethod
    def from_masks(
        cls,
        fired_x: ArrayLike | Sequence[ArrayLike],
        fired_h: ArrayLike | Sequence[ArrayLike],
        *,
        cell: str,
        classes: int,
        lengths: ArrayLike | None = None,
        theta_x: float | Sequence[float] = 0.0,
        theta_h: float | Sequence[float] = 0.0,
        readout: str = "last",
        name: str = "recorded",
    ) -> Self:
        """Return the trace of one training step of which is known what fired.

        Parameters
        ----------
        fired_x, fired_h
            For each layer a mask of zeros and ones, shapes (T, B, I_l) and (T, B, H_l), I_l the width of the layer
            below; of one layer the mask itself. Entry t of ``fired_h`` tells what of h[t-1] fired into step t, so entry
            0 is False everywhere. Nothing fires beyond a sample's length.
        cell
            A member of ``workloads.cells``.
        classes
            Outputs of the read-out.
        lengths
            Steps of each sample, shape (B,), the longest T; None for T each.
        theta_x, theta_h, readout, name
            As in `Workload`; the thresholds are only told, nothing is compared with them.

        Raises
        ------
        ConfigError
            In one line that names the mask, the place, what was found and what is accepted.

        Examples
        --------
        >>> fired_x = rng.random((20, 8, 16)) < 0.3  # 20 steps, 8 samples, 16 inputs
        >>> fired_h = rng.random((20, 8, 64)) < 0.2
        >>> fired_h[0] = False
        >>> trace = Trace.from_masks(fired_x, fired_h, cell="delta_lstm", classes=10)
        >>> deltatrain.simulate("edge", trace).speedup
        """
        masks = checked_masks(fired_x, fired_h, lengths)
        refuse_recurrence(cell, masks)
        told = Told(name, cell, theta_x, theta_h, readout, classes)
        return cls.of_recording([masks], told, "given")

    @classmethod
    def from_activations(
        cls,
        x: ArrayLike,
        h: ArrayLike | Sequence[ArrayLike],
        *,
        cell: str,
        classes: int,
        theta_x: float | Sequence[float],
        theta_h: float | Sequence[float],
        lengths: ArrayLike | None = None,
        readout: str = "last",
        name: str = "recorded",
    ) -> Self:
        """Return the trace of thresholds put on activations that a network had without them: open loop.

        With the thresholds that network would have run otherwise, since h itself changes; results say so.

        Parameters
        ----------
        x
            Inputs, shape (T, B, I).
        h
            For each layer its output at every step, shape (T, B, H_l); of one layer the array itself.
        theta_x, theta_h
            Thresholds of the input and the recurrent stream: one number for all layers, or one for each.
        cell, classes, lengths, readout, name
            As for `from_masks`. What lies beyond a sample's length is not looked at.

        Raises
        ------
        ConfigError
            In one line that names the array, the place, what was found and what is accepted.

        Examples
        --------
        >>> x, h = np.load("x.npy"), np.load("h.npy")  # (T, B, I) and (T, B, H)
        >>> trace = Trace.from_activations(x, h, cell="delta_gru", classes=10, theta_x=0.1, theta_h=0.1)
        >>> deltatrain.simulate("edge", trace).speedup
        """
        told = Told(name, cell, theta_x, theta_h, readout, classes)
        return cls.of_recording([masks_of_activations(x, h, lengths, told)], told, "open")


def checked_masks(
    fired_x: ArrayLike | Sequence[ArrayLike], fired_h: ArrayLike | Sequence[ArrayLike], lengths: ArrayLike | None
) -> GivenMasks:
    """Return the masks of a batch, checked.

    Parameters
    ----------
    fired_x, fired_h
        For each layer a mask of zeros and ones, shapes (T, B, I_l) and (T, B, H_l); of one layer the mask itself.
    lengths
        Steps of each sample, shape (B,); None for T each.

    Raises
    ------
    ConfigError
        In one line that names the mask, the place, what was found and what is accepted.
    """
    masks_x, masks_h = _layers(fired_x, "fired_x"), _layers(fired_h, "fired_h")
    if len(masks_x) != len(masks_h):
        raise ConfigError(f"fired_x has {len(masks_x)} layers and fired_h has {len(masks_h)}: give one mask a layer")
    steps, samples, _ = masks_x[0].shape
    checked = _checked_lengths(lengths, steps, samples)
    running = np.arange(steps)[:, None] < checked  # (T, B)
    below = int(masks_x[0].shape[2])
    found: dict[str, list[NDArray[np.bool_]]] = {"fired_x": [], "fired_h": []}
    for layer, (x, h) in enumerate(zip(masks_x, masks_h, strict=True)):
        for name, mask, width in (("fired_x", x, below), ("fired_h", h, int(h.shape[2]))):
            _check_shape(f"{name}[{layer}]", mask, (steps, samples, width))
            found[name].append(_boolean(f"{name}[{layer}]", mask, running))
        if found["fired_h"][-1][0].any():
            raise ConfigError(
                f"fired_h[{layer}] fires at step 0, where there is no h yet: entry t tells what of h[t-1] fired into "
                "step t"
            )
        below = int(h.shape[2])
    return GivenMasks(checked, tuple(found["fired_x"]), tuple(found["fired_h"]))


def masks_of_activations(
    x: ArrayLike,
    h: ArrayLike | Sequence[ArrayLike],
    lengths: ArrayLike | None,
    told: Told,
) -> GivenMasks:
    """Return what fires if thresholds are put on activations that were recorded without them: open loop.

    Parameters
    ----------
    x
        Inputs, shape (T, B, I).
    h
        For each layer its output at every step, shape (T, B, H_l); of one layer the array itself.
    lengths
        Steps of each sample, shape (B,); None for T each. What lies beyond is not looked at.
    told
        Its cell and thresholds are looked at.

    Raises
    ------
    ConfigError
        In one line that names the array, the place, what was found and what is accepted.
    """
    if not CELLS.load(told.cell).STREAMS.HELD:
        raise ConfigError(f"cell {told.cell!r} has no thresholds to put on activations: its spikes are masks")
    (first,) = _layers([x], "x")
    outputs = _layers(h, "h")
    steps, samples, _ = first.shape
    checked = _checked_lengths(lengths, steps, samples)
    packing = packing_of(checked)
    recurrent = bool(CELLS.load(told.cell).TARGETS_H)
    rows = []
    for name, values in (("x", first), *((f"h[{layer}]", one) for layer, one in enumerate(outputs))):
        _check_shape(name, values, (steps, samples, int(values.shape[2])))
        rows.append(_finite(name, values, pack(values, packing)))
    masks_x, masks_h = [], []
    thresholds = each_layer(told.theta_x, told.theta_h, len(outputs))
    for (theta_x, theta_h), (below, above) in zip(thresholds, pairwise(rows), strict=True):
        masks_x.append(unpack(_delta.encode(below, theta_x, packing)[1], packing))
        fired = unpack(_delta.encode(above, theta_h, packing)[1], packing)
        later = np.concatenate([np.zeros_like(fired[:1]), fired[:-1]])  # h[t-1] fires into step t
        masks_h.append(later & recurrent & (np.arange(steps)[:, None] < checked)[..., None])
    return GivenMasks(checked, tuple(masks_x), tuple(masks_h))


def recorded_workload(masks: GivenMasks, told: Told, loop: Loop, source: str) -> Workload:
    """Return the workload of a recording; `loop` and `source` as in `workloads.tables.Recorded`.

    Raises
    ------
    ConfigError
        With one line for each thing that is wrong.
    """
    if not isinstance(told.classes, int | np.integer) or isinstance(told.classes, bool):
        raise ConfigError(f"classes must be a positive integer, not {told.classes!r}")
    if not 1 <= told.classes <= MOST_CLASSES:
        raise ConfigError(f"classes must be 1 to {MOST_CLASSES:,}, not {told.classes:,}")
    each_layer(told.theta_x, told.theta_h, len(masks.hidden))
    table: dict[str, Any] = {
        "name": told.name,
        "dataset": RECORDED,
        "cell": told.cell,
        "hidden": list(masks.hidden),
        "theta_x": _plain(told.theta_x),
        "theta_h": _plain(told.theta_h),
        "readout": told.readout,
        "training": {"epochs": 1, "batch": len(masks.lengths)},
        "recorded": {"loop": loop, "source": source},
    }
    return Workload.from_table(table, "recording")


def refuse_recurrence(cell: str, masks: GivenMasks) -> None:
    """Raise a `ConfigError` if something recurrent fired in a cell that has no recurrent matrix."""
    if not CELLS.load(cell).TARGETS_H and any(mask.any() for mask in masks.fired_h):
        raise ConfigError(f"fired_h must be all False: cell {cell!r} has no recurrent matrix")


def _plain(theta: Any) -> Any:
    return np.asarray(theta).tolist()


def _array(name: str, given: Any) -> Array:
    """Return what NumPy makes of `given`; lists of unequal lengths and hidden values are a `ConfigError`."""
    parts = given if isinstance(given, list | tuple) else [given]
    hidden = sum(int(np.sum(np.ma.getmaskarray(part))) for part in parts if isinstance(part, np.ma.MaskedArray))
    if hidden:
        raise ConfigError(
            f"{name} has {hidden} masked values, which nothing here leaves out: fill them, as by .filled(0)"
        )
    try:
        return np.asarray(given)
    except ValueError:
        raise wrong_kind(name, "numbers in lists of equal lengths", given) from None


def _layers(given: Any, name: str) -> tuple[Array, ...]:
    """Return an array for each layer, each of three axes."""
    if isinstance(given, np.ndarray) and given.ndim <= 3:
        given = (given,)
    if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
        raise wrong_kind(name, "an array of shape (steps, samples, elements), or a list of one for each layer", given)
    arrays = tuple(_array(name, one) for one in given)
    if not arrays:
        raise ConfigError(f"{name} must have an array for at least one layer")
    for layer, array in enumerate(arrays):
        if array.ndim != 3 or 0 in array.shape:
            where = name if len(arrays) == 1 else f"{name}[{layer}]"
            raise ConfigError(f"{where} must be of shape (steps, samples, elements), none of them 0, not {array.shape}")
    return arrays


def _check_shape(name: str, array: Array, wanted: tuple[int, ...]) -> None:
    if array.shape != wanted:
        raise ConfigError(f"{name} must be of shape {wanted}, as the layer below and fired_x[0] are, not {array.shape}")


def _checked_lengths(lengths: ArrayLike | None, steps: int, samples: int) -> NDArray[np.int64]:
    if lengths is None:
        return np.full(samples, steps, np.int64)
    found = _array("lengths", lengths)
    if found.shape != (samples,) or found.dtype.kind not in "iu":
        raise ConfigError(f"lengths must be {samples} integers, one for each sample, not {found.dtype} {found.shape}")
    if found.min() < 1 or found.max() != steps:
        raise ConfigError(
            f"lengths must be from 1 to {steps}, the longest as long as the arrays, not from {found.min()} "
            f"to {found.max()}"
        )
    return found.astype(np.int64)


def _boolean(name: str, mask: Array, running: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if mask.dtype.kind not in _NUMBERS:
        raise ConfigError(f"{name} must hold True or False, not {mask.dtype}")
    if mask.dtype != np.bool_:
        wrong = ~np.isin(mask, (0, 1))
        if wrong.any():
            t, sample, element = (int(place) for place in np.argwhere(wrong)[0])
            value = mask[t, sample, element]
            raise ConfigError(f"{name} must hold True or False, not {value!s} at step {t}, sample {sample}, {element}")
    fired: NDArray[np.bool_] = mask.astype(np.bool_)
    beyond = fired.any(axis=2) & ~running
    if beyond.any():
        t, sample = (int(place) for place in np.argwhere(beyond)[0])
        raise ConfigError(f"{name} fires at step {t} of sample {sample}, which is beyond the sample's length")
    return fired


def _finite(name: str, padded: Array, rows: Array) -> Array:
    if rows.dtype.kind not in "fiu":
        raise ConfigError(f"{name} must hold numbers, not {padded.dtype}")
    with np.errstate(over="ignore"):  # what overflows is told below
        values = rows if rows.dtype in (np.float32, np.float64) else rows.astype(np.float32)
    if not np.isfinite(values).all():
        raise ConfigError(f"{name} must hold finite numbers: {np.count_nonzero(~np.isfinite(values))} are not")
    return values
