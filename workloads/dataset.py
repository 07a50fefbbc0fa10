"""What a workload is trained on: a data set by name, or recordings of one's own by their path or in a table."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, field_validator

from deltatrain.accel.description import Description, NonNegativeInt
from deltatrain.accel.documents import shown
from deltatrain.accel.errors import ConfigError, unknown_name
from deltatrain.workloads.data.fetching import Progress
from deltatrain.workloads.data.found import Tokens
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.data.splitting import drawn
from deltatrain.workloads.datasets import DATASETS
from deltatrain.workloads.own_data import OwnData, at_home

SYNTHETIC = "synthetic"  # the data set that is described by the workload's own table of that name
RECORDED = "recorded"  # the one of a trace that was made of masks; nothing can be trained on it


class NamedData(Description):
    """A data set by name, with a validation part.

    Attributes
    ----------
    name
        A member of `workloads.datasets`.
    validation
        Share of the training part that chooses, such as the best epoch: of its groups, such as voices, if the set knows
        them; else of its sequences, equally many of each class. Values stay standardised by the whole training part.
    seed
        From which they are drawn.
    """

    name: str
    validation: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
    seed: NonNegativeInt = 2018

    @field_validator("name")
    @classmethod
    def _known_name(cls, name: str) -> str:
        if name not in DATASETS.names():
            raise ValueError(str(unknown_name("data set", name, DATASETS.names())))
        return name

    def load(self, progress: Progress | None = None) -> Recordings:
        """Return the recordings; errors as for the data set's own."""
        member = DATASETS.load(self.name)
        recordings, groups = member.load(progress), member.train_groups()
        train = recordings.train
        everything = np.arange(len(train))
        of_sequences = train.labels if train.wants == "classes" else np.zeros(len(train), np.int64)
        chosen = drawn(of_sequences, groups, everything, self.validation, self.seed, self.name)
        if not len(chosen):
            raise ConfigError(f"dataset.validation: {self.validation} of the {len(train)} sequences is none of a class")
        rest = np.setdiff1d(everything, chosen)
        return replace(recordings, train=train.take(rest), validation=train.take(chosen))


def _looks_like_a_path(given: str) -> bool:
    return any(mark in given for mark in (".", "/", os.sep, "~"))


def _kind(dataset: object) -> str:
    if isinstance(dataset, str):
        return "str"
    named = isinstance(dataset, NamedData) or (isinstance(dataset, dict) and "name" in dataset)
    return "table[named]" if named else "table[own]"


def _read(given: Any) -> Any:
    """Return a path as the table that has it, a name or a table as it is."""
    if not isinstance(given, str | dict | OwnData | NamedData):
        raise ValueError(f"must be a name, a path or a table, not {shown(given)}")
    return {"path": given} if isinstance(given, str) and _looks_like_a_path(given) else given


def _known(given: str | NamedData | OwnData) -> str | NamedData | OwnData:
    known = (*DATASETS.names(), SYNTHETIC, RECORDED)
    if isinstance(given, str) and given not in known:
        raise ValueError(f"{unknown_name('data set', given, known)}, and it is no path, which has a dot or a slash")
    return given


Dataset = Annotated[
    Annotated[str, Tag("str")] | Annotated[NamedData, Tag("table[named]")] | Annotated[OwnData, Tag("table[own]")],
    Discriminator(_kind),
    BeforeValidator(_read),
    AfterValidator(_known),
]
"""The field of a workload: a name, a path or a table."""


class _Field(Description):
    """A description that has the field and nothing else."""

    dataset: Dataset


def described(table: dict[str, Any]) -> Dataset:
    """Return the data set in a table that has it as the field `dataset`, a relative path counted from where one is."""
    return _Field.from_table(table | {"dataset": beside(table["dataset"], Path.cwd())}).dataset


def opened(given: str) -> str | dict[str, Any]:
    """Return what a person who names recordings means: a data set, or the table of a path, with or without a slash."""
    return {"path": given} if given not in DATASETS.names() and Path(given).exists() else given


def beside(given: Any, folder: Path) -> Any:
    """Return the value of the field `dataset` with a relative path in it counted from `folder`."""
    if isinstance(given, str) and _looks_like_a_path(given):
        return str(_from(folder, given))
    if isinstance(given, dict) and isinstance(given.get("path"), str):
        return given | {"path": str(_from(folder, given["path"]))}
    return given


def _from(folder: Path, path: str) -> Path:
    return (folder / at_home(path)).resolve()


def recordings_of(dataset: Dataset, progress: Progress | None = None) -> Recordings:
    """Return the recordings of a workload's data set, fetched or made if they are not in the cache folder.

    Raises
    ------
    ConfigError
        If they cannot be had, in one line.
    """
    return DATASETS.load(dataset).load(progress) if isinstance(dataset, str) else dataset.load(progress)


def contents_of(dataset: Dataset, progress: Progress | None = None) -> Recordings | Tokens:
    """Return likewise, and of a text its words."""
    return dataset.contents(progress) if isinstance(dataset, OwnData) else recordings_of(dataset, progress)


def title(dataset: Dataset) -> str:
    """Return what a data set is called in messages."""
    return dataset if isinstance(dataset, str) else dataset.name


def makes_spikes(dataset: Dataset) -> bool:
    """Tell whether all values of a data set are 0 or 1, as far as its description says."""
    if isinstance(dataset, OwnData):
        return dataset.makes_spikes()
    return dataset in (SYNTHETIC, RECORDED) or bool(DATASETS.load(title(dataset)).SPIKES)
