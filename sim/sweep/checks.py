"""Reads a space. It tries every name and value before anything is simulated, and reports all faults at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.described import beside, described, is_path
from deltatrain.accel.description import Description, with_overrides
from deltatrain.accel.errors import ConfigError, unknown_name
from deltatrain.accel.files import AnyPath
from deltatrain.accel.origin import FLOAT_FIGURES, WHOLE_TRAINING
from deltatrain.sim.fidelity import FIDELITIES
from deltatrain.sim.sweep import energy_models, on_fpga
from deltatrain.sim.sweep.axis import Axis
from deltatrain.sim.sweep.point import MACHINE, TRACE, WORKLOAD, Base, quantities
from deltatrain.sim.sweep.searches import SEARCHES
from deltatrain.sim.sweep.space import Space
from deltatrain.sim.sweep.spaces import SPACES
from deltatrain.sim.whole_training import LEAST_STEPS
from deltatrain.workloads.workload import Workload

# `rtl` computes numbers and builds gates for each machine; these need a program alone
_SWEPT = ("analytic", "cycle")
_MOST_OF_A_GRID = 10_000_000  # points are kept by their digests, of some hundred bytes each
_TRIED = 64  # values of a list that are tried on what the sweep starts from


def named_space(name_or_path: AnyPath, overrides: Mapping[str, Any] | None = None) -> Space:
    """Return the space that comes with the project under a name, or that in a TOML file.

    Files named in the file are looked for from its folder.

    Parameters
    ----------
    name_or_path
        A name from ``list spaces``, or a path that ends in ``.toml``.
    overrides
        Values by dotted path (``search.points``) that replace those of the file.

    Raises
    ------
    ConfigError
        With one line for each fault, each starting with its dotted path.
    """
    text = os.fspath(name_or_path)
    table = with_overrides(described(text, SPACES, _beside), dict(overrides or {}))
    return checked_space(table, text if is_path(text) else f"space {text}")


def checked_space(table: dict[str, Any], source: str = "space") -> Space:
    """Return the space in `table`; errors as for `named_space`, each line behind `source`."""
    space = Space.from_table(table, source)
    faults = list(dict.fromkeys(_faults(space)))
    if faults:
        raise ConfigError("\n".join(f"{source}: {fault}" for fault in faults))
    return space


def _faults(space: Space) -> Iterator[str]:
    """Yield every fault that the table alone does not show."""
    structural = [*_faults_of_names(space), *_faults_of_search(space)]
    of_fpga = list(on_fpga.faults(space.fpga, space.fixed.get(on_fpga.CLOCK)))
    yield from (*structural, *of_fpga)
    if of_fpga:
        return
    try:
        base = space.base
    except ConfigError as error:
        yield from str(error).splitlines()
        return
    yield from _faults_of_sampling(base)
    for path, axis in space.vary.items():
        yield from _faults_of_axis(path, axis, base)
    try:
        known = quantities(base)
    except ConfigError as error:
        yield from str(error).splitlines()
        return
    aims: dict[str, Iterable[str]] = {"objectives": space.objectives, "constraints": space.constraints}
    yield from energy_models.faults(aims, energy_models.varied_models(base.machine, space.vary))
    columns = (*known, *(path for path, axis in space.vary.items() if axis.ordered and not axis.when))
    for table, names in aims.items():
        yield from (_unknown_column(table, name, columns) for name in names if name not in columns)


def _faults_of_names(space: Space) -> Iterator[str]:
    if space.fidelity not in FIDELITIES.names():
        yield f"fidelity: {unknown_name('fidelity', space.fidelity, FIDELITIES.names())}"
    elif space.fidelity not in _SWEPT:
        yield f"fidelity must be one of {', '.join(_SWEPT)} in a sweep, not {space.fidelity!r}"
    given = [name for name in (WORKLOAD, TRACE) if getattr(space, name) is not None]
    given += ["vary.trace"] if TRACE in space.vary else []
    if len(given) != 1:
        yield f"a space must have one of workload, trace and vary.trace, not {' and '.join(given) or 'none'}"
    for table in ("fixed", "vary"):
        for path in getattr(space, table):
            whose, _, field = path.partition(".")
            if not (path == TRACE and table == "vary") and (whose not in (MACHINE, WORKLOAD) or not field):
                yield f"{table}.{path} is not a field: it must begin with machine. or workload."
            elif whose == WORKLOAD and space.workload is None:
                yield f"{table}.{path} has no meaning here: a trace has its workload"
    for path, axis in space.vary.items():
        for other in axis.when:
            if other not in space.vary:
                yield f"vary.{path}.when.{other} is not a varied field (there are: {', '.join(space.vary)})"


def _faults_of_search(space: Space) -> Iterator[str]:
    kind = space.search.kind
    if kind not in SEARCHES.names():
        yield f"search.kind: {unknown_name('search', kind, SEARCHES.names())}"
    for path, axis in space.vary.items():
        if axis.choices is None and (kind == "grid" or path == TRACE):
            yield f"vary.{path} is continuous, and a grid has no end there: give step, factor or count"
    try:
        size = space.size if space.order else 0
    except ConfigError as error:
        yield str(error)
        return
    if kind == "grid" and size is not None and size > _MOST_OF_A_GRID:
        most = f"{_MOST_OF_A_GRID:,}"
        yield f"vary makes a grid of {size:,} points, and a grid has at most {most}: take another search.kind"


def _faults_of_sampling(base: Base) -> Iterator[str]:
    asked = base.sampled_steps
    if 0 < asked < LEAST_STEPS:
        yield f"sampled_steps must be 0, for none, or {LEAST_STEPS} or more, not {asked}"
    if asked and base.workload is not None and base.workload.get("synthetic"):
        yield "sampled_steps must be 0 for a synthetic workload: nothing is trained whose cost could be told"


def _faults_of_axis(path: str, axis: Axis, base: Base) -> Iterator[str]:
    """Yield faults in the values of one field. What does not fit another field is found point by point."""
    whose, _, field = path.partition(".")
    kinds: dict[str, tuple[dict[str, Any] | None, type[Description]]] = {
        MACHINE: (base.machine, Architecture),
        WORKLOAD: (base.workload, Workload),
    }
    table, kind = kinds.get(whose, (None, Description))
    if table is None or not field:
        return
    tried = axis.choices[:_TRIED] if axis.choices is not None else (axis.at(0.0), axis.at(0.999))
    for value in tried:
        changed = with_overrides(table, {field: value})
        try:
            kind.model_validate(changed)
        except ValidationError as error:
            if any(_is_own(details, field) for details in error.errors()):
                lines = _lines_of(kind, changed)
                yield from (f"vary.{whose}.{line}" for line in lines if line.startswith(field) or "not known" in line)
                if any("is not a field" in line for line in lines):
                    return


def _is_own(details: ErrorDetails, field: str) -> bool:
    """Tell whether an error says that the value of `field` is wrong, whatever the other fields are."""
    parts = field.split(".")
    return [str(part) for part in details["loc"][: len(parts)]] == parts or "is not known" in details["msg"]


def _lines_of(kind: type[Description], table: dict[str, Any]) -> list[str]:
    try:
        kind.from_table(table)
    except ConfigError as error:
        return str(error).splitlines()
    return []


def _unknown_column(table: str, name: str, known: tuple[str, ...]) -> str:
    if name == "accuracy" and not any(figure in known for figure in FLOAT_FIGURES):
        return f"{table}.accuracy: only what is trained has an accuracy, a synthetic workload has none"
    if name == "speedup" or name.startswith("dense."):
        return f"{table}.{name} is found only with dense = true"
    if name.startswith("fpga."):
        return f"{table}.{name} is found only with a table fpga"
    if name in WHOLE_TRAINING:
        return f"{table}.{name} is found only with sampled_steps, of {LEAST_STEPS} or more"
    return f"{table}.{name}: {unknown_name('column', name, known)}"


def _beside(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a copy of `table` in which paths relative to `folder` are found from where the program runs."""

    def found(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: found(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [found(inner) for inner in value]
        if isinstance(value, str) and value.endswith(".npz"):
            return str(folder / value)
        return beside(value, folder) if isinstance(value, str) else value

    return table | {key: found(table[key]) for key in (MACHINE, WORKLOAD, TRACE, "fixed", "vary") if key in table}
