"""What figures were when the baseline was written: on which computer, when, at which commit."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from deltatrain.accel.description import Description, PositiveFloat
from deltatrain.accel.documents import json_value
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import read_bytes, replace_file
from deltatrain.accel.own_computer import computer
from deltatrain.sim.speed.figure import Figure

NAME = "baseline.json"


class Measurement(Description):
    """Figures of one run.

    Attributes
    ----------
    machine, date, commit
        On which computer, on which day, and at which commit of the project; "+" behind it: and changes.
    relative
        `Figure.relative` by what was measured.
    """

    machine: str
    date: str
    commit: str
    relative: dict[str, PositiveFloat]


class Baseline(Description):
    """The latest measurement of every figure.

    Attributes
    ----------
    runs
        The runs that found them; no figure is in two.
    """

    runs: Annotated[tuple[Measurement, ...], Field(default=())]

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Return the baseline in a file, or the one that comes with the package; errors name the file."""
        place = Path(str(resources.files("deltatrain.sim.speed").joinpath(NAME))) if path is None else path
        try:
            table = json_value(read_bytes(place))
        except ValueError:
            raise ConfigError(f"{place} is not JSON") from None
        return cls.from_table(table, f"{place}")

    def of(self, what: str) -> float | None:
        """Return what a figure was; None if it was never written down."""
        return next((run.relative[what] for run in self.runs if what in run.relative), None)

    def run_of(self, figures: Iterable[Figure]) -> Measurement | None:
        """Return the latest run that found one of some figures; None if none did."""
        wanted = {figure.what for figure in figures}
        return next((run for run in reversed(self.runs) if wanted & run.relative.keys()), None)

    def beside(self, figure: Figure) -> Figure:
        """Return a figure with what it was."""
        return figure._replace(baseline=self.of(figure.what))

    def updated(self, run: Measurement) -> Self:
        """Return the baseline with the figures of `run` in the place of older ones; a run without any vanishes."""
        kept = [_without(one, run.relative.keys()) for one in self.runs]
        return type(self)(runs=(*(one for one in kept if one.relative), run))

    def save(self, path: Path) -> None:
        """Write the baseline to a file, whole or not at all."""
        replace_file(path, (self.model_dump_json(indent=1) + "\n").encode())


def measurement(figures: Iterable[Figure], folder: Path) -> Measurement:
    """Return the run that found `figures`, on this computer, today, at the commit of the clone at `folder`."""
    relative = {figure.what: float(f"{figure.relative:.4g}") for figure in figures if figure.relative}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Measurement(machine=computer(), date=today, commit=_commit(folder), relative=relative)


def _without(run: Measurement, names: Iterable[str]) -> Measurement:
    gone = set(names)
    return run.model_copy(update={"relative": {name: one for name, one in run.relative.items() if name not in gone}})


def _commit(folder: Path) -> str:
    """Return the commit that is checked out, with "+" if files differ from it; "unknown" outside a clone."""
    try:
        commit, changes = (
            subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True).stdout
            for words in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.strip() + ("+" if changes.strip() else "")
