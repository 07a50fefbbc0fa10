"""What a training run did, with no time in it: which deltas fired and on which numbers, and how well it learned."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from deltatrain.accel.description import NonNegativeInt, PositiveInt, table_digest, with_overrides
from deltatrain.accel.documents import json_text, json_value
from deltatrain.accel.errors import ConfigError, HostError
from deltatrain.accel.files import AnyPath, replace_file
from deltatrain.accel.glance import Glance
from deltatrain.accel.host_memory import check_room
from deltatrain.accel.origin import DESCRIBED, FLOAT_FIGURES, MEASURED
from deltatrain.accel.quantity import figure_words, share
from deltatrain.workloads.arrays.archive import read_arrays
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.chosen_epoch import ChosenEpoch
from deltatrain.workloads.given_masks import GivenMasks, Loop, MadeOfMasks, Told, recorded_workload
from deltatrain.workloads.network.network import Sizes
from deltatrain.workloads.network_sizes import network_sizes
from deltatrain.workloads.recorded_step import RecordedStep
from deltatrain.workloads.tasks import TASKS
from deltatrain.workloads.trace_checks import check_counts, check_widths
from deltatrain.workloads.workload import Workload

__all__ = ["FORMAT", "VERSION", "EpochCounts", "RecordedStep", "Trace"]

FORMAT = "deltatrain trace"
VERSION = 2


@dataclass(frozen=True)
class EpochCounts:
    """What one epoch did, over all of its training steps.

    Attributes
    ----------
    epoch
        Number from 0 over the whole training.
    dense
        True in dense pre-training, in which every delta counts as fired.
    loss
        Mean training loss a sample.
    accuracy
        Share of the samples, or of the steps, that are classified rightly after the epoch: of the validation part, or
        where there is none of the test part. None of a task with another figure.
    fired_x, fired_h
        For each layer, how many deltas fired.
    steps_x, steps_h
        For each layer, how many could have: the sum over samples of length times width (fired_h: length - 1, because
        the first step has no recurrent delta, unless it goes on from a state).
    asked_x, asked_h
        For each layer, how many elements the backward pass gave a gradient to; empty if just those that fired.
    spikes, spikes_cut
        For each spiking layer, how many spikes were listed, and how many were not because the list was full. Empty for
        any other layer, and in files of before they were counted.
    steps_cut
        For each spiking layer, in how many steps of a sample a spike was not listed.
    carried_h, carried_steps_h
        For each layer, how many recurrent deltas fired into the first steps of windows that went on from a state, and
        how many could have: `fired_h` and `steps_h` have them, and nothing is carried back through them. Empty if no
        state was carried.
    mean_squared_error
        As `accuracy`, the figure of regression; None of other tasks.
    perplexity
        As `accuracy`, the figure of next words; None of other tasks.
    float_figure
        Of a training in a machine's numbers, which has the task's figure in them: the figure of the same weights in
        floating point. None of a training in floating-point numbers.
    stored
        Of a training in a machine's numbers, by tensor: how many numbers were stored, how many of them overflowed and
        how many vanished (`workloads.training.stored_numbers`). Empty of any other.
    """

    epoch: int
    dense: bool
    loss: float
    accuracy: float | None
    fired_x: tuple[int, ...]
    fired_h: tuple[int, ...]
    steps_x: tuple[int, ...]
    steps_h: tuple[int, ...]
    asked_x: tuple[int, ...] = ()
    asked_h: tuple[int, ...] = ()
    spikes: tuple[int, ...] = ()
    spikes_cut: tuple[int, ...] = ()
    steps_cut: tuple[int, ...] = ()
    carried_h: tuple[int, ...] = ()
    carried_steps_h: tuple[int, ...] = ()
    mean_squared_error: float | None = None
    perplexity: float | None = None
    float_figure: float | None = None
    stored: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    @property
    def figure(self) -> float:
        """The figure of the task."""
        told: list[float | None] = [getattr(self, name) for name in FLOAT_FIGURES]
        return next(figure for figure in told if figure is not None)

    def table(self) -> dict[str, Any]:
        """Return the fields, without the figures of other tasks and counts of states, which files of before had not."""
        told = asdict(self)
        left_out = {name for name in told if told[name] is None} - {"accuracy", "loss"}
        left_out |= {name for name in ("carried_h", "carried_steps_h", "stored") if not told[name]}
        return {name: told[name] for name in told if name not in left_out}

    def check(self, sizes: Sizes) -> None:
        """Raise a `ConfigError` in one line unless an epoch of such a network can have these counts."""
        check_counts(vars(self), sizes)


@dataclass(frozen=True, eq=False)
class Trace(MadeOfMasks):
    """A whole training run: what was recorded of single training steps, and the counts of every epoch.

    Attributes
    ----------
    workload
        What was trained; the file carries it whole, with its digest.
    inputs, classes
        Width of the data set's vectors, number of classes.
    recorded
        Single training steps, in the order they were made.
    epochs
        Counts of each epoch; empty for a workload without training.
    chosen
        The epoch whose network is kept, where a validation part chose it; its step is the last of `recorded`, and
        accuracies of `epochs` are of that part. None where the last epoch is kept, and they are of the test part.
    data_digest
        Of the recordings it was trained on (`Recordings.digest`); empty where there are none, or nobody noted it.

    Raises
    ------
    ConfigError
        In one line, if a recorded step or an epoch is not one of this workload.
    """

    workload: Workload
    inputs: int
    classes: int
    recorded: tuple[RecordedStep, ...]
    epochs: tuple[EpochCounts, ...]
    data_digest: str = ""
    chosen: ChosenEpoch | None = None

    def __post_init__(self) -> None:
        check_widths(self.workload, self.inputs, self.classes)
        checks: list[tuple[str, Callable[[], None]]] = []
        steps, epochs = enumerate(self.recorded), enumerate(self.epochs)
        checks += [(f"recorded step {n}", partial(step.check, self.sizes, self.workload.wants)) for n, step in steps]
        checks += [(f"epoch {n}", partial(counts.check, self.sizes)) for n, counts in epochs]
        for what, check in checks:
            try:
                check()
            except ConfigError as error:
                raise ConfigError(f"{what} is none of workload {self.workload.name!r}: {error}") from None
        if self.chosen is not None:
            self.chosen.check(len(self.epochs))

    @property
    def sizes(self) -> Sizes:
        """Of the network."""
        return network_sizes(self.workload, self.inputs, self.classes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trace) and _header(self) == _header(other) and _same_arrays(self, other)

    def __repr__(self) -> str:
        return self._glance().text()

    def _repr_html_(self) -> str:
        return self._glance().html()

    def _glance(self) -> Glance:
        """Return how the training ended, and what fired in the last recorded step."""
        step = self.recorded[-1]
        how = MEASURED if self.epochs else DESCRIBED
        samples, longest = len(step.lengths), int(step.lengths.max())
        facts = [("recorded", f"{len(self.recorded)}, the last of {samples} samples of at most {longest} steps", how)]
        if self.epochs:
            last, name = self.epochs[-1], TASKS.load(self.workload.task).FIGURE
            facts.append(("epochs", f"{len(self.epochs)}, the last with a loss of {last.loss:.4f}", MEASURED))
            facts.append((name.replace("_", " "), figure_words(name, last.figure), MEASURED))
        steps = {"x": int(step.lengths.sum())}
        steps["h"] = steps["x"] - (0 if step.carried else samples)
        rows = []
        for layer, masks in enumerate(zip(step.fired_x, step.fired_h, strict=True)):
            for stream, mask in zip("xh", masks, strict=True):
                fired, could = int(mask.sum()), steps[stream] * mask.shape[2]
                rows.append([f"layer {layer} {stream}", f"{fired:,}", f"{could:,}", share(fired / max(1, could))])
        title = f"trace of {self.workload.name}: {self.workload.cell} of {', '.join(map(str, self.workload.hidden))}"
        return Glance(title, facts, ("deltas", "fired", "of", "share"), rows)

    @classmethod
    def of_recording(cls, steps: Sequence[GivenMasks], told: Told, loop: Loop, source: str = "") -> Self:
        """Return the trace of masks of another network, each a step; see `MadeOfMasks`."""
        workload = recorded_workload(steps[0], told, loop, source)
        recorded = tuple(RecordedStep(0, update, *masks) for update, masks in enumerate(steps))
        return cls(workload, steps[0].inputs, int(told.classes), recorded, ())

    def save(self, path: AnyPath) -> None:
        """Write the trace to `path`, whole or not at all: a NumPy archive of packed masks and one JSON header."""
        arrays = _arrays(self)
        header = _header(self) | {"content": _digest(arrays)}
        text = np.frombuffer(json_text(header).encode(), dtype=np.uint8)
        archive = io.BytesIO()
        contents: dict[str, Any] = {"header": text, **arrays}
        np.savez_compressed(archive, **contents)
        replace_file(Path(path), archive.getvalue())

    @classmethod
    def load(cls, path: AnyPath) -> Self:
        """Return the trace in the file `path`.

        Raises
        ------
        ConfigError
            In one line, if the file cannot be read, is no trace, is of another version, or is damaged.
        """
        path = Path(path)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise HostError(f"{path} cannot be read: {error.strerror}") from None
        try:
            arrays = read_arrays(io.BytesIO(content), f"trace {path}")
            header = json_value(arrays.pop("header").tobytes())
            kind, version = header["format"], header["version"]
            for epoch in header["epochs"]:
                epoch["loss"] = math.nan if epoch["loss"] is None else epoch["loss"]  # of a training that diverged
        except MemoryError:
            raise
        except Exception:  # what NumPy, zipfile and zlib raise for a damaged file is listed nowhere
            raise ConfigError(f"{path} is not a trace of deltatrain, or it is damaged") from None
        if kind != FORMAT or version != VERSION:
            raise ConfigError(f"{path} is {kind!r} version {version!r}, not {FORMAT!r} version {VERSION}")
        try:
            return cls._from_parts(_Header.model_validate(header), arrays, path)
        except (ValidationError, KeyError, ValueError, TypeError, IndexError):
            raise ConfigError(f"{path} is damaged: its header is not one that was written with it") from None

    @classmethod
    def _from_parts(cls, header: _Header, arrays: dict[str, NDArray[Any]], path: Path) -> Self:
        if header.content != _digest(arrays):
            raise ConfigError(f"{path} is damaged: its masks are not those it was written with")
        if table_digest(header.workload) != header.digest:
            raise ConfigError(f"{path} is damaged: its workload is not the one it was written with")
        try:
            workload = Workload.from_table(_as_trained(_with_neuron_of_before(header.workload)))
        except ConfigError as error:
            fault = str(error).splitlines()[0]
            raise ConfigError(f"{path} holds a workload that this version does not accept: {fault}") from None
        packed_bytes = sum(array.nbytes for array in arrays.values() if array.dtype == np.uint8)
        check_room(8 * packed_bytes, f"trace {path}")
        layers = len(workload.hidden)
        recorded = tuple(_recorded_step(index, at, arrays, layers) for index, at in enumerate(header.recorded))
        try:
            return cls(
                workload, header.inputs, header.classes, recorded, header.epochs, header.data_digest, header.chosen
            )
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None


class _When(BaseModel, frozen=True, extra="forbid"):
    """The entry of a recorded step in the header."""

    epoch: NonNegativeInt
    update: NonNegativeInt


class _Header(BaseModel, frozen=True, extra="forbid"):
    """The header of the file, field by field as `_header` writes it, with the digest of the arrays."""

    format: str
    version: int
    workload: dict[str, Any]
    digest: str
    inputs: PositiveInt
    classes: PositiveInt
    recorded: tuple[_When, ...]
    epochs: tuple[EpochCounts, ...]
    data_digest: str = ""
    chosen: ChosenEpoch | None = None
    content: str


def _with_neuron_of_before(table: dict[str, Any]) -> dict[str, Any]:
    """Return the table of a workload as a file holds it, with the neurons that a spiking cell had before it could say.

    Then a quarter of a layer was listed, the lowest numbers first. (And the bias acted in step 0 alone, which no field
    tells.)
    """
    cell = table.get("cell")
    if "neuron" in table or cell not in CELLS.names() or CELLS.load(cell).STREAMS.HELD:
        return table
    return table | {"neuron": {"listed_share": 0.25}}


def _as_trained(workload: dict[str, Any]) -> dict[str, Any]:
    """Return the table of a workload with what it did not say yet: forget gates once began without a bias of theirs."""
    cell = workload.get("cell")
    if cell not in CELLS.names() or not CELLS.load(cell).FORGET or "forget_bias" in workload["training"]:
        return workload
    return with_overrides(workload, {"training.forget_bias": 0.0})


def _header(trace: Trace) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "workload": trace.workload.model_dump(mode="json"),
        "digest": trace.workload.digest(),
        **({"data_digest": trace.data_digest} if trace.data_digest else {}),
        **({"chosen": trace.chosen.table()} if trace.chosen else {}),
        "inputs": trace.inputs,
        "classes": trace.classes,
        "recorded": [{"epoch": step.epoch, "update": step.update} for step in trace.recorded],
        "epochs": [counts.table() for counts in trace.epochs],
    }


def _arrays(trace: Trace) -> dict[str, NDArray[Any]]:
    """Return every array of the trace by its name in the file.

    Masks are packed to bits, with their shapes beside them; what else a step has is there too.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for index, step in enumerate(trace.recorded):
        arrays[f"{index}.lengths"] = step.lengths
        for stream, masks in step.masks().items():
            for layer, mask in enumerate(masks):
                arrays[f"{index}.{stream}{layer}"] = np.packbits(mask)
                arrays[f"{index}.{stream}{layer}.shape"] = np.array(mask.shape, dtype=np.int64)
        arrays |= {f"{index}.{name}": array for name, array in step.beside_masks().items()}
    return arrays


def _epoch_counts(counts: dict[str, Any]) -> EpochCounts:
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in counts.items()}
    return EpochCounts(**values)


def _recorded_step(index: int, at: _When, arrays: dict[str, NDArray[Any]], layers: int) -> RecordedStep:
    def masks(stream: str, number: int) -> tuple[NDArray[np.bool_], ...]:
        return tuple(_unpack(arrays, f"{index}.{stream}{layer}") for layer in range(number))

    def if_there(stream: str, most: int) -> tuple[NDArray[np.bool_], ...]:
        return masks(stream, sum(f"{index}.{stream}{number}" in arrays for number in range(most)))

    asked = (if_there(name, layers) for name in ("asked_x", "asked_h"))
    of_step = (masks("x", layers), masks("h", layers), *asked, if_there("w", 2 * layers + 1))
    return RecordedStep.of_arrays((at.epoch, at.update), of_step, arrays, f"{index}.")


def _unpack(arrays: dict[str, NDArray[Any]], name: str) -> NDArray[np.bool_]:
    shape, packed = tuple(map(int, arrays[f"{name}.shape"])), arrays[name]
    if min(shape) < 0 or packed.dtype != np.uint8 or packed.shape != (-(-math.prod(shape) // 8),):
        raise ValueError(f"{name} has not the bytes that its shape takes")
    return np.unpackbits(packed, count=math.prod(shape)).astype(np.bool_).reshape(shape)


def _digest(arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name}:{arrays[name].dtype.str}:{arrays[name].shape};".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _same_arrays(one: Trace, other: Trace) -> bool:
    return _digest(_arrays(one)) == _digest(_arrays(other))
