"""What is trained and how, as a description: cell, sizes, thresholds, data set, training, sparse weights, seed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    field_validator,
    model_serializer,
    model_validator,
)

from accel.description import (
    Description,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Share,
    read_toml,
    with_overrides,
)
from accel.errors import unknown_name
from accel.family import ModuleFamily
from workloads.cells import CELLS
from workloads.datasets import DATASETS
from workloads.optimisers import OPTIMISERS
from workloads.presets import PRESETS
from workloads.rules import RULES
from workloads.schedules import SCHEDULES
from workloads.sparsity import SPARSITY


def _kind(theta: object) -> str:
    return "tuple[float, ...]" if isinstance(theta, (list, tuple)) else "float"


# told apart before validation, so that a fault is reported for the form that was meant, not for both
Thresholds = Annotated[
    Annotated[NonNegativeFloat, Tag("float")]
    | Annotated[tuple[NonNegativeFloat, ...], Field(min_length=1), Tag("tuple[float, ...]")],
    Discriminator(_kind),
]
BPTT = "bptt"  # the training rule that needs no word
SYNTHETIC = "synthetic"  # the data set that is described by the workload's own table of that name


class Training(Description):
    """How the network learns.

    Attributes
    ----------
    epochs
        Passes over the training part in all, dense ones included.
    dense_epochs
        How many of them, the first, train the dense network (every delta used, thresholds ignored). The others train
        the delta network from there, with the same optimiser state and the same schedule running on.
        0 trains the delta network from the start, `epochs` a dense network.
    batch
        Samples in a mini-batch; the last of an epoch may be smaller.
    rule
        A member of `workloads.rules`: how a mini-batch's gradient is found. "ottt" is for spiking cells.
    optimiser
        A member of `workloads.optimisers`.
    learning_rate
        Highest learning rate; the schedule multiplies it.
    schedule
        A member of `workloads.schedules`.
    warm_up
        Share of all updates over which the learning rate rises linearly from zero.
    momentum
        Of sgd; adamw takes it for its beta_1.
    weight_decay
        As the optimiser defines it.
    clip_norm
        Gradients are scaled down to this Euclidean norm, taken over all parameters together, when theirs is larger.
    beta
        Weight of the mean over samples of sum|delta| in the loss (both streams, all layers, delta epochs only).
    seed
        From which initial weights, order of samples and recorded samples are drawn, each independently.
    precision
        Number format of the arithmetic on the host.
    record_every
        Epochs between recorded steps, counted back from the last epoch, which is always recorded. What is recorded is
        the forward pass of one mini-batch of `batch` training samples, the same ones each time.
    """

    epochs: PositiveInt
    dense_epochs: NonNegativeInt = 0
    batch: PositiveInt = 32
    rule: str = BPTT
    optimiser: str = "adamw"
    learning_rate: PositiveFloat = 1e-3
    schedule: str = "cosine"
    warm_up: Share = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.9
    weight_decay: NonNegativeFloat = 0.0
    clip_norm: PositiveFloat = 1.0
    beta: NonNegativeFloat = 0.0
    seed: NonNegativeInt = 0
    precision: Literal["float32", "float64"] = "float32"
    record_every: PositiveInt = 1

    @field_validator("rule")
    @classmethod
    def _known_rule(cls, name: str) -> str:
        return _member(RULES, "training rule", name)

    @field_validator("optimiser")
    @classmethod
    def _known_optimiser(cls, name: str) -> str:
        return _member(OPTIMISERS, "optimiser", name)

    @field_validator("schedule")
    @classmethod
    def _known_schedule(cls, name: str) -> str:
        return _member(SCHEDULES, "schedule", name)

    @model_serializer(mode="wrap")
    def _as_before_there_were_rules(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave the default rule out, so that traces and journals from before keep their digests."""
        table: dict[str, Any] = written(self)
        return table if self.rule != BPTT else {name: value for name, value in table.items() if name != "rule"}

    @model_validator(mode="after")
    def _dense_within_epochs(self) -> Self:
        if self.dense_epochs > self.epochs:
            raise ValueError(f"dense_epochs must be at most epochs ({self.epochs}), not {self.dense_epochs}")
        return self


class Synthetic(Description):
    """Statistics of deltas that fire without any network behind them.

    Attributes
    ----------
    inputs, classes, steps
        Features of a step, classes, and steps of every sample.
    occupancy_x, occupancy_h
        Mean share of input and recurrent deltas that fire.
    correlation
        Correlation of "this element fired" between one step and the next: 0 independent, 1 never changes.
    skew
        How unlike the elements are: 0 all fire equally often, 1 as unlike as the mean occupancy allows.
    """

    inputs: PositiveInt
    classes: PositiveInt
    steps: PositiveInt
    occupancy_x: Share
    occupancy_h: Share
    correlation: Share = 0.0
    skew: Share = 0.0


class Sparsity(Description):
    """Which weights exist.

    Attributes
    ----------
    rule
        A member of `workloads.sparsity`.
    density
        Share of the weights that exist, biases apart; 1 with the rule "dense".
    distribution
        How they are spread over the matrices: "uniform", every matrix has that density; "erdos_renyi", a matrix has
        weights in proportion to the sum of its rows and columns, so that small ones are denser.
    prune_rate
        Share of the weights that a rule takes away and lets grow elsewhere at first; it falls along half a cosine.
    update_epochs
        Epochs from one such move to the next; there is none after the last epoch.
    lanes
        Of the engine whose lanes a rule that looks at them is to keep equally busy.
    """

    rule: str = "dense"
    density: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    distribution: Literal["uniform", "erdos_renyi"] = "uniform"
    prune_rate: Share = 0.8
    update_epochs: PositiveInt = 1
    lanes: PositiveInt = 8

    @field_validator("rule")
    @classmethod
    def _known_rule(cls, name: str) -> str:
        return _member(SPARSITY, "sparsity rule", name)

    @model_validator(mode="after")
    def _dense_has_all(self) -> Self:
        if self.rule == "dense" and self.density != 1:
            raise ValueError(f"density must be 1 with the rule 'dense', not {self.density}")
        return self


class FewBit(Description):
    """What the tape keeps of sigmoids and tanhs.

    Attributes
    ----------
    bits
        Of a code that tells the derivative; gated cells need one more for the side of zero.
    """

    bits: Annotated[int, Field(ge=1, le=4, strict=True)]


class Workload(Description):
    """One training run.

    Attributes
    ----------
    name
        What it is called in results.
    dataset
        A member of `workloads.datasets`.
    cell
        A member of `workloads.cells`.
    hidden
        Width of each layer, the one next to the input first.
    theta_x, theta_h
        Thresholds of the input and the recurrent stream: one number for all layers, or one for each. A spiking cell has
        none, and they may be left out.
    readout
        "last" classifies from h of a sample's last step. "every" classifies from h of every step: the loss is the mean
        over steps of the cross-entropy, the decision the class with the largest sum of logits over steps.
    training
        How it learns.
    sparsity
        Which weights exist; all of them if the table is left out.
    few_bit
        What the tape keeps of sigmoids and tanhs; their values if the table is left out.
    synthetic
        Statistics of the deltas; there if and only if the data set is "synthetic".
    """

    name: str
    dataset: str
    cell: str
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    theta_x: Thresholds
    theta_h: Thresholds
    readout: Literal["last", "every"] = "last"
    training: Training
    sparsity: Sparsity = Sparsity()
    few_bit: FewBit | None = None
    synthetic: Synthetic | None = None

    @classmethod
    def named(cls, name_or_path: str | Path, overrides: dict[str, Any] | None = None) -> Self:
        """Return a preset or the workload in a TOML file.

        Parameters
        ----------
        name_or_path
            A preset's name, or a path that ends in ``.toml``.
        overrides
            Values by dotted path ("training.seed") that replace those of the file.

        Raises
        ------
        ConfigError
            When there is no such preset or file, or its content is wrong, one line for each fault.
        """
        text = str(name_or_path)
        table = read_toml(Path(text)) if text.endswith(".toml") else PRESETS.load(text)
        return cls.from_table(with_overrides(table, overrides or {}), f"workload {text}")

    @property
    def thresholds(self) -> tuple[tuple[float, float], ...]:
        """(theta_x, theta_h) of each layer."""
        pairs = zip(self._each_layer(self.theta_x), self._each_layer(self.theta_h), strict=True)
        return tuple(pairs)

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """Number format of the arithmetic on the host."""
        return np.dtype(np.float32 if self.training.precision == "float32" else np.float64)

    @property
    def code_bits(self) -> int | None:
        """`few_bit.bits`, None where the tape keeps values."""
        return self.few_bit.bits if self.few_bit else None

    def with_changes(self, **overrides: Any) -> Self:
        """Return this workload with other values; a field of the table `training` is given as ``training__seed=1``."""
        dotted = {path.replace("__", "."): value for path, value in overrides.items()}
        return type(self).from_table(with_overrides(self.model_dump(mode="json", exclude_none=True), dotted), self.name)

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, name: str) -> str:
        return _member(DATASETS, "data set", name, extra=(SYNTHETIC,))

    @field_validator("cell")
    @classmethod
    def _known_cell(cls, name: str) -> str:
        return _member(CELLS, "cell", name)

    @model_validator(mode="before")
    @classmethod
    def _no_thresholds_where_nothing_is_held(cls, table: Any) -> Any:
        if isinstance(table, dict) and table.get("cell") in CELLS.names() and not _holds(table["cell"]):
            return {"theta_x": 0.0, "theta_h": 0.0} | table
        return table

    @model_validator(mode="after")
    def _spikes_are_all_or_nothing(self) -> Self:
        if _holds(self.cell):
            return self
        for field in ("theta_x", "theta_h"):
            if any(self._each_layer(getattr(self, field))):
                raise ValueError(f"{field} must be 0 or left out: cell {self.cell!r} has no thresholds of deltas")
        if self.training.dense_epochs:
            raise ValueError(
                f"training.dense_epochs must be 0, not {self.training.dense_epochs}: cell {self.cell!r} only spikes"
            )
        return self

    @model_validator(mode="after")
    def _rule_fits_the_cell(self) -> Self:
        if not RULES.load(self.training.rule).SPIKES_ONLY:
            return self
        if _holds(self.cell):
            raise ValueError(f"training.rule {self.training.rule!r} is for spiking cells, not for {self.cell!r}")
        if self.training.beta:
            raise ValueError(f"training.beta must be 0 with rule {self.training.rule!r}, not {self.training.beta}")
        return self

    @model_validator(mode="after")
    def _thresholds_for_each_layer(self) -> Self:
        for field in ("theta_x", "theta_h"):
            given = getattr(self, field)
            if isinstance(given, tuple) and len(given) != len(self.hidden):
                raise ValueError(
                    f"{field} must be one number or one for each of the {len(self.hidden)} layers, not {len(given)}"
                )
        return self

    @model_validator(mode="after")
    def _synthetic_if_and_only_if(self) -> Self:
        if self.dataset == SYNTHETIC and self.synthetic is None:
            raise ValueError('the table "synthetic" is missing: the data set "synthetic" is described by it')
        if self.dataset != SYNTHETIC and self.synthetic is not None:
            raise ValueError(f'the table "synthetic" belongs to the data set "synthetic", not to {self.dataset!r}')
        return self

    def _each_layer(self, theta: float | tuple[float, ...]) -> tuple[float, ...]:
        return theta if isinstance(theta, tuple) else (theta,) * len(self.hidden)


def _holds(cell: str) -> bool:
    """Return whether the cell's streams hold what last fired, with which thresholds compare."""
    return bool(CELLS.load(cell).STREAMS.HELD)


def _member(family: ModuleFamily, what: str, name: str, extra: tuple[str, ...] = ()) -> str:
    known = (*family.names(), *extra)
    if name not in known:
        raise ValueError(str(unknown_name(what, name, known)))
    return name
