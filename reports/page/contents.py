"""The contents of a page: runs, sweeps, and what is known of a run besides its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from deltatrain.accel.advice import Advice
from deltatrain.accel.result import Result
from deltatrain.reports.timeline.schedule import Schedule

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Held:
    """What a training step keeps in each memory, in bytes by use."""

    local_bytes: Mapping[str, int]
    remote_bytes: Mapping[str, int]


@dataclass(frozen=True)
class Curves:
    """How many deltas fired, and how well the network learned.

    Attributes
    ----------
    over_steps
        For each stream, such as ``layer 0 x``, the share that fired at each time step, shape (T,); NaN where nothing
        could fire.
    over_epochs
        For each stream the share that fired in each epoch, shape (E,).
    accuracy
        Test accuracy after each epoch, length E, share of 1; empty without training.
    dense_epochs
        How many epochs at the start trained the dense network.
    """

    over_steps: Mapping[str, ArrayLike]
    over_epochs: Mapping[str, ArrayLike]
    accuracy: Sequence[float]
    dense_epochs: int = 0


@dataclass(frozen=True)
class Run:
    """One simulated training step.

    Attributes
    ----------
    name
        What it is called on the page: its folder's name.
    result
        What was found.
    fidelity
        How cycles were found, in words.
    held, curves
        None where the trace is missing.
    advice
        What would make the run cheaper; None where `deltatrain advise` was not run.
    timeline
        Path of a timeline file, relative to the page; empty if there is none.
    schedule
        What every unit did when, read from it; empty if there is none.
    """

    name: str
    result: Result
    fidelity: str
    held: Held | None = None
    curves: Curves | None = None
    advice: Advice | None = None
    timeline: str = ""
    schedule: Schedule = field(default_factory=dict)


@dataclass(frozen=True)
class Sweep:
    """One sweep.

    Attributes
    ----------
    name, about
        What it is called on the page, and what it is about.
    table
        A row for each design point; columns are dotted names with units (``machine.engine.lanes``, ``energy_j``).
        Of these ``feasible`` tells whether a point keeps the constraints, ``on_front`` whether no other beats it,
        ``failure`` and ``reason`` why a point has no numbers.
    fields
        Columns that were varied.
    objectives
        Columns that were to be made small or large: ``minimise`` or ``maximise``.
    fidelity
        How cycles were found, a member of the fidelities.
    searches
        How well each search did: rows of equal keys.
    provenance
        What else is known of it.
    """

    name: str
    about: str
    table: pl.DataFrame
    fields: Sequence[str]
    objectives: Mapping[str, str]
    fidelity: str
    searches: Sequence[Mapping[str, Any]] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Contents:
    """Everything on one page.

    Attributes
    ----------
    title
        Of the page.
    runs, sweeps
        In the order in which they are shown.
    version
        Of the program that writes the page.
    """

    title: str
    runs: Sequence[Run] = field(default=())
    sweeps: Sequence[Sweep] = field(default=())
    version: str = ""
