"""What is recorded of a simulation while it runs: timelines for whoever asks for them, and the schedule."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

from deltatrain.accel.counters import Counters
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import replacing
from deltatrain.accel.observer import Observer, Observers
from deltatrain.accel.program import Program
from deltatrain.reports.timeline import TraceEvents, UnitStretches, ValueChanges
from deltatrain.reports.timeline.schedule import Stretch, adds_up

__all__ = ["Recorder", "ScheduleKept"]

_GZ = ".gz"


class Recorder:
    """Makes the files of a timeline; what `sim.run.simulate` takes as `observe`.

    Parameters
    ----------
    timeline
        A file for Perfetto, ``.json`` or ``.json.gz``.
    vcd
        A file for viewers of waveforms, ``.vcd``.

    Raises
    ------
    ConfigError
        If a name ends otherwise.
    """

    def __init__(self, timeline: Path | None, vcd: Path | None) -> None:
        self._timeline, self._vcd = timeline, vcd
        for what, path, ends in (("timeline", timeline, (".json", ".json.gz")), ("vcd", vcd, (".vcd",))):
            if path is not None and not path.name.endswith(ends):
                raise ConfigError(f"the file of --{what} must end in {' or '.join(ends)}, not {path}")

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [path for path in (self._timeline, self._vcd) if path is not None]

    def __call__(self, program: Program) -> AbstractContextManager[Observer]:
        """Return the observer of a run of `program`; its files are there, whole, when the block ends."""
        return self._recording(program)

    @contextmanager
    def _recording(self, program: Program) -> Iterator[Observer]:
        with ExitStack() as stack:
            observers: list[Observer] = []
            if self._timeline is not None:
                file = stack.enter_context(_opened(self._timeline))
                observers.append(stack.enter_context(TraceEvents(file, program)))
            if self._vcd is not None:
                file = stack.enter_context(_opened(self._vcd))
                observers.append(stack.enter_context(ValueChanges(file, program)))
            yield Observers(observers)


class ScheduleKept:
    """Keeps the schedule of a run, beside what a `recorder` does; what `sim.run.simulate` takes as `observe`."""

    def __init__(self, recorder: Recorder | None) -> None:
        self._recorder = recorder
        self._stretches: UnitStretches | None = None

    @contextmanager
    def __call__(self, program: Program) -> Iterator[Observer]:
        """Return the observer of a run of `program`."""
        self._stretches = UnitStretches(program)
        with nullcontext() if self._recorder is None else self._recorder(program) as observer:
            yield Observers([one for one in (self._stretches, observer) if one is not None])

    def found(self, counters: Counters) -> dict[str, list[Stretch]]:
        """Return the schedule of the run that counted `counters`; empty if not all of it was told."""
        stretches = self._stretches.found() if self._stretches is not None else {}
        return stretches if adds_up(stretches, counters) else {}


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file that is there, whole, when the block ends; compressed if its name says so, the same bytes always."""
    with replacing(path) as file:
        if not path.name.endswith(_GZ):
            yield file
            return
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as compressed:
            yield cast("BinaryIO", compressed)
