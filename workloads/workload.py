"""What is trained and how, as a description: cell, sizes, thresholds, data set, training, sparse weights, seed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from deltatrain.accel.described import described
from deltatrain.accel.description import Description, Name, NonNegativeFloat, PositiveInt, with_overrides
from deltatrain.accel.errors import wrong_kind
from deltatrain.accel.files import AnyPath
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.dataset import SYNTHETIC, Dataset, beside, title
from deltatrain.workloads.presets import PRESETS
from deltatrain.workloads.rules import RULES
from deltatrain.workloads.tables import FewBit, Sparsity, Synthetic, Training, member


def _kind(theta: object) -> str:
    return "tuple[float, ...]" if isinstance(theta, (list, tuple)) else "float"


# told apart before validation, so that a fault is reported for the form that was meant, not for both
Thresholds = Annotated[
    Annotated[NonNegativeFloat, Tag("float")]
    | Annotated[tuple[NonNegativeFloat, ...], Field(min_length=1), Tag("tuple[float, ...]")],
    Discriminator(_kind),
]


class Workload(Description):
    """One training run.

    Attributes
    ----------
    name
        What it is called in results.
    dataset
        A member of `workloads.datasets`; or recordings of one's own, as their path or as a table (`OwnData`).
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

    name: Name
    dataset: Dataset
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
    def of(cls, given: Self | AnyPath) -> Self:
        """Return the workload given, or the one of that name or in that file (`named`)."""
        if isinstance(given, str | os.PathLike):
            return cls.named(given)
        if not isinstance(given, cls):
            raise wrong_kind("a workload", "a Workload, a preset's name or a TOML file", given)
        return given

    @classmethod
    def named(cls, name_or_path: AnyPath, overrides: dict[str, Any] | None = None) -> Self:
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
        text = os.fspath(name_or_path)
        table = with_overrides(described(text, PRESETS, _placed), overrides or {})
        return cls.from_table(_placed(table, Path.cwd()), f"workload {text}")

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

    @field_validator("cell")
    @classmethod
    def _known_cell(cls, name: str) -> str:
        return member(CELLS, "cell", name)

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
            raise ValueError(
                f'the table "synthetic" belongs to the data set "synthetic", not to {title(self.dataset)!r}'
            )
        return self

    def _each_layer(self, theta: float | tuple[float, ...]) -> tuple[float, ...]:
        return theta if isinstance(theta, tuple) else (theta,) * len(self.hidden)


def _placed(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the table of a workload with the path of its recordings counted from `folder`."""
    return table | {"dataset": beside(table["dataset"], folder)} if "dataset" in table else table


def _holds(cell: str) -> bool:
    """Return whether the cell's streams hold what last fired, with which thresholds compare."""
    return bool(CELLS.load(cell).STREAMS.HELD)
