"""Space: what a sweep varies, what it looks for, and how."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, WithJsonSchema, model_validator

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.described import JOIN, is_path
from deltatrain.accel.description import Description, Name, NonNegativeInt, PositiveInt
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.sweep.axis import Axis, Design
from deltatrain.sim.sweep.on_fpga import CLOCK, OF_THE_GATES, OnFpga
from deltatrain.sim.sweep.point import MACHINE, TRACE, WORKLOAD, Base
from deltatrain.workloads.dataset import described
from deltatrain.workloads.own_data import OwnData
from deltatrain.workloads.workload import Workload

Direction = Literal["minimise", "maximise"]

_LEAVES = {"vary": {"values", "low", "high"}, "constraints": {"most", "least"}, "fixed": set(), "objectives": set()}
_DOTTED = WithJsonSchema({"type": "object"})  # of a file, in which TOML makes nested tables of dotted keys
_TRIED = 64  # values of a list that are tried on the base before anything is simulated


class Bound(Description):
    """Bound on a column of the table: at most or at least a number, or both.

    Attributes
    ----------
    most, least
        The number that is not to be passed; at least one of them.
    """

    most: float | None = None
    least: float | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.most is None and self.least is None:
            raise ValueError("must have most, or least, or both")
        return self

    def excess(self, value: float) -> float:
        """Return by how much `value` is out of bounds; not positive inside."""
        over = value - self.most if self.most is not None else 0.0
        under = self.least - value if self.least is not None else 0.0
        return max(over, under)


class SearchSettings(Description):
    """How points are chosen.

    Attributes
    ----------
    kind
        A member of `sim.sweep.searches`.
    points
        How many different points are simulated. A grid always takes all.
    random_points
        How many random points follow a search that learns, for comparison; None for as many as the search had.
    batch
        How many points a search that learns proposes at a time, which is NSGA-II's population. The next batch is
        proposed after all of the last are known, so that one seed gives the same points on any number of workers.
    seed
        From which everything random is drawn.
    """

    kind: str = "grid"
    points: PositiveInt = 1000
    random_points: NonNegativeInt | None = None
    batch: PositiveInt = 50
    seed: NonNegativeInt = 1


class Space(Description):
    """A sweep.

    Attributes
    ----------
    name, about
        What it is called, and what it is about.
    machine, workload, trace
        What the points change: a preset or TOML file each. A trace that `train` or `run` wrote may replace the
        workload.
    fidelity
        A member of `sim.fidelity`.
    dense
        Whether each point is also simulated with every column fired, for a speed-up beside it.
    fpga
        The FPGA that each point's tile is built for too, for its area and clock beside it; None for none.
    sampled_steps
        How many recorded steps of each point's training are simulated, for time and energy of the whole training; 0
        for none.
    fixed
        Values of fields that all points share, by dotted path (``machine.engine.lanes``, ``workload.hidden``). The
        clock may be ``"fpga"``: that of the gates.
    vary
        What is varied, by dotted path, or ``trace`` with a list of files.
    objectives
        Columns of the table to make small or large.
    constraints
        Bounds on columns. A point outside them is in the table and never on the front.
    search
        How points are chosen.
    """

    name: Name
    about: str = ""
    machine: str = "edge"
    workload: str | None = None
    trace: str | None = None
    fidelity: str = "analytic"
    dense: bool = False
    fpga: OnFpga | None = None
    sampled_steps: NonNegativeInt = 0
    fixed: dict[str, Any] = Field(default_factory=dict)
    vary: Annotated[dict[str, Axis], Field(min_length=1), _DOTTED]
    objectives: Annotated[dict[str, Direction], Field(min_length=1), _DOTTED]
    constraints: Annotated[dict[str, Bound], _DOTTED] = Field(default_factory=dict)
    search: SearchSettings = SearchSettings()

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, given: Any) -> Any:
        """Flatten nested tables, which TOML makes of dotted keys, to dotted paths."""
        if not isinstance(given, dict):
            return given
        flat = {name: _flat(given[name], leaf) for name, leaf in _LEAVES.items() if isinstance(given.get(name), dict)}
        for axis in (axis for axis in flat.get("vary", {}).values() if isinstance(axis, dict)):
            if isinstance(axis.get("when"), dict):
                axis["when"] = _flat(axis["when"], set())
        return given | flat

    @cached_property
    def base(self) -> Base:
        """What all points share, files read.

        Raises
        ------
        ConfigError
            If a file cannot be read, or what is in it is wrong.
        """
        parts: dict[str, dict[str, Any]] = {MACHINE: {}, WORKLOAD: {}}
        for path, value in self.fixed.items():
            if path == CLOCK and value == OF_THE_GATES:
                continue
            whose, _, field = path.partition(".")
            parts.get(whose, {})[field] = value
        traces = tuple(self._files(self.vary[TRACE]) if TRACE in self.vary else [self.trace] if self.trace else [])
        workload = Workload.named(self.workload, parts[WORKLOAD]) if self.workload is not None else None
        machine = Architecture.named(self.machine, parts[MACHINE])
        return Base(
            machine=machine.model_dump(mode="json"),
            workload=workload.model_dump(mode="json", exclude_none=True) if workload else None,
            traces=tuple((name, _content(name)) for name in traces),
            fidelity=self.fidelity,
            dense=self.dense,
            fpga=self.fpga,
            clock_is_of_gates=self.fixed.get(CLOCK) == OF_THE_GATES,
            sampled_steps=self.sampled_steps,
            files=(*self._described_files(machine), *self._recordings(workload)),
        )

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The varied fields, each behind those that its `when` names.

        Raises
        ------
        ConfigError
            If fields wait for each other.
        """
        done: list[str] = []
        waiting = list(self.vary)
        while waiting:
            ready = next((p for p in waiting if all(q in done for q in self.vary[p].when if q in self.vary)), None)
            if ready is None:
                raise ConfigError(f"vary.{waiting[0]}.when: these fields wait for each other: {', '.join(waiting)}")
            waiting.remove(ready)
            done.append(ready)
        return tuple(done)

    @property
    def size(self) -> int | None:
        """Number of points of the grid; None where a field is continuous."""
        if any(axis.choices is None for axis in self.vary.values()):
            return None
        return self._count(self.order, {})

    def designs(self) -> Iterator[Design]:
        """Yield every point of the grid, the last field changing fastest."""
        yield from self._below(self.order, {})

    def at(self, positions: Mapping[str, float]) -> Design:
        """Return the point at `positions`, 0 to below 1 for each field, without fields that are not varied there."""
        design: Design = {}
        for path in self.order:
            if self.vary[path].varied(design):
                design[path] = self.vary[path].at(positions[path])
        return design

    def losses(self, row: Mapping[str, Any]) -> tuple[float, ...]:
        """Return the objectives of a row of the table, signs changed where large is good."""
        return tuple(row[name] if way == "minimise" else -row[name] for name, way in self.objectives.items())

    def excesses(self, row: Mapping[str, Any]) -> tuple[float, ...]:
        """Return by how much a row of the table breaks each constraint; none positive in a feasible point."""
        return tuple(bound.excess(row[name]) for name, bound in self.constraints.items())

    def _below(self, paths: tuple[str, ...], design: Design) -> Iterator[Design]:
        if not paths:
            yield dict(design)
            return
        first, rest = paths[0], paths[1:]
        if not self.vary[first].varied(design):
            yield from self._below(rest, design)
            return
        for value in self.vary[first].choices or ():
            yield from self._below(rest, design | {first: value})

    def _count(self, paths: tuple[str, ...], design: Design) -> int:
        if not paths:
            return 1
        first, rest, axis = paths[0], paths[1:], self.vary[paths[0]]
        choices = axis.choices or ()
        if not axis.varied(design):
            return self._count(rest, design)
        asked = axis.choices_among(value for path in rest for value in self.vary[path].when.get(first, ()))
        alike = len(choices) - len(asked)  # every other value leaves the same fields varied
        total = alike * self._count(rest, design) if alike else 0
        return total + sum(self._count(rest, design | {first: value}) for value in asked)

    def _described_files(self, machine: Architecture) -> tuple[tuple[str, str], ...]:
        """Return name and SHA-256 of the files that prices come from, or that varied fields name."""
        varied = (value for path, axis in self.vary.items() if path != TRACE for value in axis.values or ())
        texts = (value for value in (machine.energy, machine.area, *varied) if isinstance(value, str))
        names = {name for text in texts for name in text.split(JOIN) if is_path(name)}
        return tuple((name, hashlib.sha256(_content(name)).hexdigest()) for name in sorted(names))

    def _recordings(self, workload: Workload | None) -> tuple[tuple[str, str], ...]:
        """Return path and digest of recordings of the user's own, that the workload has or that are varied."""
        asked = [described({"dataset": value}) for value in self._values("workload.dataset")]
        if workload is not None:
            paths = self._values("workload.dataset.path")
            asked += [workload.dataset, *(workload.with_changes(dataset__path=path).dataset for path in paths)]
        return tuple((one.path, one.load().digest) for one in asked if isinstance(one, OwnData))

    def _values(self, field: str) -> Sequence[Any]:
        """Return the listed values of a field, none if it is not varied."""
        return (self.vary[field].values or ()) if field in self.vary else ()

    @staticmethod
    def _files(axis: Axis) -> list[str]:
        return [str(value) for value in axis.choices or ()]


def _flat(table: Mapping[str, Any], leaf_keys: set[str], prefix: str = "") -> dict[str, Any]:
    """Return a nested table flattened to dotted paths. A table that has one of `leaf_keys` counts as a value."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and not (leaf_keys & value.keys()) and value:
            found |= _flat(value, leaf_keys, f"{path}.")
        else:
            found[path] = dict(value) if isinstance(value, dict) else value
    return found


def _content(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}") from None
