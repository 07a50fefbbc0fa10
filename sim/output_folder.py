"""The folder that a run writes to: the names of its files, and the check that it replaces no others."""

from __future__ import annotations

import io
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltatrain.accel.documents import json_text, json_value
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import make_folder, replace_file
from deltatrain.reports.timeline import schedule_file
from deltatrain.reports.timeline.schedule import Schedule
from deltatrain.workloads.trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure


FIGURES = ("phase_breakdown", "memory_traffic", "occupancy")
"""What is drawn of a run."""


@dataclass(frozen=True)
class OutputFolder:
    """A folder that exists and can be written to; made by `open_folder`.

    Every file in it is replaced whole or not at all, so a run may be stopped at any time.
    """

    path: Path

    @property
    def result(self) -> Path:
        """The result of the simulation, JSON."""
        return self.path / "result.json"

    @property
    def trace(self) -> Path:
        """What fired, a NumPy archive."""
        return self.path / "trace.npz"

    @property
    def training(self) -> Path:
        """What training showed, JSON."""
        return self.path / "training.json"

    @property
    def schedule(self) -> Path:
        """What every unit did when, for the page: compressed JSON; not there if the simulation did not tell it."""
        return self.path / "schedule.json.gz"

    @property
    def state(self) -> Path:
        """The state that a stopped training is resumed from, a NumPy archive."""
        return self.path / "training_state.npz"

    @property
    def figures(self) -> Path:
        """The folder of figures."""
        return self.path / "figures"

    def written(self, *files: Path) -> str:
        """Return the line that says which of `files` in the folder are there."""
        return f"Written to {self.path}: {', '.join(file.name for file in files if file.exists())}"

    def make_way_for(self, trace: Trace) -> None:
        """Remove the result and the figures of another trace than this one, and say in a log entry that it was so.

        What stays is of `trace`: an equal one that lies there, or, without any, one of the same workload.
        """
        drawn = [self.figures / f"{name}.png" for name in FIGURES]
        stale = [path for path in (self.result, self.schedule, *drawn) if path.exists()]
        if self._is_of(trace) or not (stale or self.trace.exists()):
            return
        for path in stale:
            path.unlink()
        removed = "; its result and figures are removed" if stale else ""
        logging.getLogger("deltatrain").warning(
            "deltatrain: %s held another run of workload %s, which this one replaces%s",
            self.path,
            trace.workload.name,
            removed,
        )

    def _is_of(self, trace: Trace) -> bool:
        try:
            if self.trace.exists():
                return Trace.load(self.trace) == trace
            digest = json_value(self.result.read_bytes())["provenance"]["workload_digest"]
        except (OSError, ConfigError, ValueError, KeyError, TypeError):
            return False
        return bool(digest == trace.workload.digest())

    def save_figure(self, name: str, figure: Figure) -> Path:
        """Write `figure` as ``figures/<name>.png`` and return its path."""
        image = io.BytesIO()
        figure.savefig(image, format="png", pil_kwargs={"compress_level": 1})  # a seventh larger, in half the time
        make_folder(self.figures)
        path = self.figures / f"{name}.png"
        replace_file(path, image.getvalue())
        return path

    def save_schedule(self, schedule: Schedule) -> None:
        """Write what every unit did when, or remove what is there if that is not known."""
        if schedule:
            schedule_file.save(schedule, self.schedule)
        else:
            self.schedule.unlink(missing_ok=True)

    def save_training(self, summary: dict[str, Any]) -> None:
        """Write what training showed."""
        replace_file(self.training, (json_text(summary, indent=1) + "\n").encode())


def open_folder(path: Path, workload: str, machine: str | None = None) -> OutputFolder:
    """Return the folder at `path`, made if it is not there.

    Parameters
    ----------
    path
        The folder.
    workload, machine
        Names of what the files will be about. Training alone has no machine.

    Raises
    ------
    ConfigError
        If it cannot be made or written to, or holds the results of another workload or machine.
    """
    folder = OutputFolder(path)
    make_folder(path)
    try:
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise ConfigError(f"output folder {path} cannot be written to: {error.strerror}") from None
    for file in (folder.result, folder.training):
        _refuse_others(file, {"workload": workload, "architecture": machine})
    return folder


def _refuse_others(file: Path, names: dict[str, str | None]) -> None:
    """Raise if `file` is about another workload or machine than those named. None stands for any."""
    advice = "name another folder with --out, or remove it"
    try:
        table = json_value(file.read_bytes())
        found = {key: table[key]["name"] for key in names if key == "workload" or key in table}
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{file} was not written by deltatrain: {advice}") from None
    for key, name in found.items():
        wanted = names[key]
        if wanted is not None and name != wanted:
            what = {"workload": "workload", "architecture": "machine"}[key]
            raise ConfigError(f"{file} is about the {what} {name!r}, not {wanted!r}: {advice}")
