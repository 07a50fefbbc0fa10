"""Calibration: the few fields of a machine that nobody publishes, fitted to step times measured on a board."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError, refuse
from deltatrain.accel.files import AnyPath, replace_file
from deltatrain.sim.capabilities import against_simulating
from deltatrain.sim.progress import Progress, tell_nobody
from deltatrain.sim.steady_step import SteadyStep
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.workload import Workload

COLUMNS = ("cell", "inputs", "hidden", "layers", "columns", "seconds")
"""Of the file of measurements; ``columns`` is how many columns fire in a step, bias columns aside."""

FIELDS = ("engine.clock_hz", "engine.layer_cycles", "dma.request_cycles", "dma.bytes_per_cycle")
"""What is fitted unless other fields are named."""

_STEPS = 3
_MOST_ROUNDS = 40
_LEAST_GAIN = 1e-9
_NO_EFFECT = 1e-9
_LEAST_SECONDS = 1e-12
_WIDEST, _MOST_LAYERS = 100_000, 100
_BEYOND = "beyond the columns"


class Measured(NamedTuple):
    """A step that was measured, and the seconds that it took."""

    step: SteadyStep
    seconds: float


class Calibrated(NamedTuple):
    """A fitted machine.

    Attributes
    ----------
    machine
        The machine with the fitted values.
    values
        Of the fitted fields, by dotted field.
    without_effect
        Fields that change none of the measured times, and so were left as they were.
    seconds
        What each measured step takes on that machine, shape (N,).
    off
        Those over the measured ones, less one, shape (N,).
    """

    machine: Architecture
    values: dict[str, int]
    without_effect: tuple[str, ...]
    seconds: NDArray[np.float64]
    off: NDArray[np.float64]


def measurements(path: AnyPath) -> list[Measured]:
    """Return what a CSV file of columns `COLUMNS` says.

    Raises
    ------
    ConfigError
        If it cannot be read, or has other columns or values; a line for each fault, with row and column.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            given = [name.strip() for name in reader.fieldnames or ()]
            table = [dict(zip((*given, _BEYOND), row.values(), strict=False)) for row in reader]
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read as CSV: {error}") from None
    if missing := [name for name in COLUMNS if name not in given]:
        raise ConfigError(f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(given) or 'none'}")
    if twice := sorted({name for name in given if given.count(name) > 1}):
        raise ConfigError(f"{path} has the columns {', '.join(twice)} more than once")
    faults: list[str] = []
    rows = [_row(f"{path}, row {number}", row, faults) for number, row in enumerate(table, 2)]
    refuse(faults)
    if not rows:
        raise ConfigError(f"{path} has no measured step")
    return [row for row in rows if row is not None]


def calibrate(
    machine: Architecture | AnyPath,
    measured: Sequence[Measured],
    fields: Sequence[str] = FIELDS,
    *,
    on_progress: Progress = tell_nobody,
) -> Calibrated:
    """Return the machine whose simulated steps are nearest to the measured ones.

    The sum of squared logarithms of simulated over measured seconds is made least, by Levenberg's and Marquardt's
    method over the logarithms of the fields, which stay whole numbers.

    Parameters
    ----------
    machine
        Where the search begins; what is not fitted stays.
    measured
        At least as many different steps as fields.
    fields
        Dotted fields of the machine that hold whole numbers.
    on_progress
        Told the error that is left, round by round.

    Raises
    ------
    ConfigError
        If there are fewer different steps than fields, a field is none that can be fitted, or the machine cannot run
        the steps.
    """
    machine = Architecture.of(machine)
    fields = tuple(dict.fromkeys(fields))
    different = len({row.step for row in measured})
    if different < len(fields):
        raise ConfigError(
            f"{different} different measured steps cannot tell {len(fields)} fields apart: measure more, or fit fewer"
        )
    for cell in dict.fromkeys(row.step.cell for row in measured):
        changes = {"cell": cell, "phases": ["FP"]}
        refuse(against_simulating(machine, Workload.named("synthetic", changes), "cycle"))
    search = _Search(machine, measured, {field: _value(machine, field) for field in fields})
    for number in range(_MOST_ROUNDS):
        left = math.sqrt(search.error / len(measured))
        on_progress("calibration", number / _MOST_ROUNDS, f"mean error {100 * left:.2f} %")
        if not search.better():
            break
    on_progress("calibration", 1.0, f"mean error {100 * math.sqrt(search.error / len(measured)):.2f} %")
    seconds = np.array([row.seconds for row in measured])
    found = np.exp(search.residual) * seconds
    fitted = machine if not search.values else _with(machine, search.values)
    return Calibrated(fitted, search.values, search.without_effect, found, found / seconds - 1)


def write_machine(path: AnyPath, base: str, calibrated: Calibrated, source: AnyPath) -> None:
    """Write a machine's TOML to `path`: `base`, changed by what was fitted to the measurements in `source`."""
    lines = [
        f"# Fitted to {Path(source).name} by `deltatrain calibrate`: each measured step within the error beside it.\n"
    ]
    lines.append(f'base = "{base}"\nname = "{calibrated.machine.name}-calibrated"\n')
    tables: dict[str, list[str]] = {}
    for field, value in calibrated.values.items():
        table, _, name = field.rpartition(".")
        tables.setdefault(table, []).append(f"{name} = {value:_}\n")
    worst = 100 * np.abs(calibrated.off).max()
    lines += [f"\n[{table}] # fitted; worst step {worst:.2f} % off\n{''.join(rows)}" for table, rows in tables.items()]
    replace_file(Path(path), "".join(lines).encode())


def check_target(path: AnyPath, *given: AnyPath) -> None:
    """Raise a `ConfigError` unless `path` can be written as a machine's file without the loss of what is `given`."""
    if Path(path).suffix != ".toml":
        raise ConfigError(f"{path}: the name of a machine's file must end in .toml")
    if Path(path).resolve() in [Path(one).resolve() for one in given]:
        raise ConfigError(f"{path} is what the search begins with: write the fitted machine to another file")


class _Search:
    """Values of the fields, and steps towards better ones."""

    def __init__(self, machine: Architecture, measured: Sequence[Measured], values: dict[str, int]) -> None:
        self._machine, self._measured = machine, measured
        self._known: dict[tuple[int, ...], NDArray[np.float64]] = {}
        self._damping = 1e-3
        self.values, self.residual = values, self._residual(values)
        self.without_effect: tuple[str, ...] = ()

    @property
    def error(self) -> float:
        return float(self.residual @ self.residual)

    def better(self) -> bool:
        """Move to better values, and tell whether there were any."""
        names, slopes = self._slopes()
        while names and self._damping < 1e4:
            normal = slopes.T @ slopes
            step = np.linalg.solve(normal + self._damping * np.diag(np.diag(normal)), -slopes.T @ self.residual)
            moved = dict(self.values)
            for name, part in zip(names, step.tolist(), strict=True):
                moved[name] = max(_LOWEST.get(name, 1), round((self.values[name] + 1) * math.exp(min(part, 3.0)) - 1))
            residual = self._residual(moved)
            if residual @ residual < self.error - _LEAST_GAIN:
                self.values, self.residual = moved, residual
                self._damping = max(1e-9, self._damping / 10)
                return True
            self._damping *= 10
        return False

    def _slopes(self) -> tuple[list[str], NDArray[np.float64]]:
        """Return the fields that matter, and what the residual gains when the logarithm of each one more grows."""
        names, columns, idle = [], [], []
        for name, value in self.values.items():
            nudged = value + max(1, round(0.02 * value))
            column = (self._residual(self.values | {name: nudged}) - self.residual) / math.log(
                (nudged + 1) / (value + 1)
            )
            if np.abs(column).max() > _NO_EFFECT:
                names.append(name)
                columns.append(column)
            else:
                idle.append(name)
        self.without_effect = tuple(idle)
        return names, np.array(columns).T

    def _residual(self, values: dict[str, int]) -> NDArray[np.float64]:
        key = tuple(values.values())
        if key not in self._known:
            try:
                machine = _with(self._machine, values)
            except ConfigError as error:
                raise ConfigError(f"the fit leaves what a machine can be, is `seconds` in seconds? {error}") from None
            clock = machine.engine.clock_hz
            logs = [math.log(one.step.cycles(machine, _STEPS) / clock / one.seconds) for one in self._measured]
            self._known[key] = np.array(logs)
        return self._known[key]


_LOWEST = {"engine.layer_cycles": 0, "dma.request_cycles": 0}


def _with(machine: Architecture, values: dict[str, int]) -> Architecture:
    table = machine.model_dump(mode="json")
    for field, value in values.items():
        *parents, leaf = field.split(".")
        node = table
        for parent in parents:
            node = node[parent]
        node[leaf] = value
    return Architecture.from_table(table, machine.name)


def _value(machine: Architecture, field: str) -> int:
    """Return a field's value, or for one that is left out where the search begins."""
    node: Any = machine
    for part in field.split("."):
        node = getattr(node, part, _NOTHING)
    if node is None:
        return 12  # as deep as the gates' pipeline is
    if not isinstance(node, int) or isinstance(node, bool):
        raise ConfigError(f"{field!r} cannot be fitted: it is no field of a machine that holds a whole number")
    return node


_NOTHING = object()


def _row(where: str, row: dict[str, Any], faults: list[str]) -> Measured | None:
    """Return a row's step, or note what is wrong with it."""
    before = len(faults)
    if _BEYOND in row:
        faults.append(f"{where} has more values than there are columns: a decimal sign is a point")
        return None
    row = {name: value.strip() if isinstance(value, str) else value for name, value in row.items()}
    if row["cell"] not in CELLS.names():
        faults.append(f"{where}: cell must be one of {', '.join(CELLS.names())}, not {row['cell']!r}")
    most = {"inputs": _WIDEST, "hidden": _WIDEST, "layers": _MOST_LAYERS}
    inputs, hidden, layers = (_number(where, row, name, faults, 1, highest) for name, highest in most.items())
    columns = _number(where, row, "columns", faults, 0)
    seconds = _number(where, row, "seconds", faults, 0)
    if len(faults) == before and seconds < _LEAST_SECONDS:
        faults.append(f"{where}: seconds must be above 0, at least {_LEAST_SECONDS:g}, not {row['seconds']!r}")
    if len(faults) > before:
        return None
    step = SteadyStep(row["cell"], int(inputs), int(hidden), int(layers), columns)
    if columns > step.columns_at_most:
        faults.append(f"{where}: columns must be at most {step.columns_at_most}, all there are, not {columns:g}")
        return None
    return Measured(step, seconds)


def _number(
    where: str, row: dict[str, Any], name: str, faults: list[str], lowest: int, highest: int | None = None
) -> float:
    """Return a value, or note that it is none; what has a `highest` is a whole number."""
    kind: Callable[[str], float] = float if highest is None else int
    try:
        value = kind(row[name])
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value) or value < lowest or (highest is not None and value > highest):
        what = f"a number of {lowest} or more" if highest is None else f"a whole number from {lowest} to {highest}"
        faults.append(f"{where}: {name} must be {what}, not {row[name]!r:.60}")
    return value
