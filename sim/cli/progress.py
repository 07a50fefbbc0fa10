"""Progress on standard error: bars with the time left on a terminal, elsewhere one line for each finished stage."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TaskProgressColumn, TextColumn
from rich.text import Text


class _Bars(Progress):
    """Bars, with something else below them."""

    below: RenderableType = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield the bars, then what stands below."""
        yield from super().get_renderables()
        if self.below:
            yield self.below


class _Time(ProgressColumn):
    """The time of a stage, from its fields: when it began, its first share, and when the last was told."""

    def render(self, task: Task) -> Text:
        """Return the time left, or that taken."""
        began = task.fields["began"]
        told_s, now_s = task.fields["told"] - began, time.monotonic() - began
        return Text(time_told(task.completed, task.fields["first"], told_s, now_s), style="progress.remaining")


def time_told(share: float, first: float, told_s: float, now_s: float) -> str:
    """Return how long a stage still takes, if it goes on as it has gone since it began; else how long it has taken.

    Parameters
    ----------
    share, first
        What is done, and what was done when it began: by an earlier run that was stopped.
    told_s, now_s
        Seconds from its beginning until `share` was told, and until now.
    """
    if share >= 1:
        return f"{_clock(told_s)} in all"
    if share <= first or not told_s:
        return f"{_clock(now_s)} so far"
    whole_s = told_s * (1 - first) / (share - first)
    return f"{_clock(max(0.0, whole_s - now_s))} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Stages:
    """Shows the stages of a command one after the other; called as `sim.flow.Progress`.

    A stage is finished when the next one begins, or the command ends without an error.

    Parameters
    ----------
    silent
        Whether nothing is shown.
    within
        What the stages are part of, told before each.
    """

    def __init__(self, *, silent: bool = False, within: str = "") -> None:
        self._within = f"{within}, " if within else ""
        self._bars: _Bars | None = None
        self._silent, self._quiet = silent, ExitStack()
        if sys.stderr.isatty() and not silent:
            columns = (
                TextColumn("{task.description:<14}"),
                BarColumn(bar_width=28),
                TaskProgressColumn(),
                _Time(),
                TextColumn("[dim]{task.fields[detail]}"),
            )
            self._bars = _Bars(*columns, console=Console(file=sys.stderr))
        self._task: TaskID | None = None
        self._stage, self._detail, self._began = "", "", 0.0

    def __enter__(self) -> Self:
        if self._silent:
            from deltatrain.accel.compiling import unannounced

            self._quiet.enter_context(unannounced())
        if self._bars:
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._quiet.close()
        if kind is None:
            self._finish()
        if self._bars:
            self._bars.below = ""
            self._bars.stop()

    def __call__(self, stage: str, share: float, detail: str) -> None:
        """Tell that `share` of `stage` is done, and what is being done."""
        now = time.monotonic()
        if stage != self._stage:
            self._finish()
            self._stage, self._began = stage, now
            if self._bars:
                self._task = self._bars.add_task(
                    escape(self._within + stage), total=1.0, detail="", began=now, first=share, told=now
                )
        self._detail = detail
        if self._bars and self._task is not None:
            self._bars.update(self._task, completed=share, detail=escape(detail), told=now)

    @property
    def live(self) -> bool:
        """Whether there is a terminal on which something may stand below the bars."""
        return self._bars is not None

    def below(self, shown: RenderableType) -> None:
        """Show something below the bars, in place of what stood there; nothing where there are none."""
        if self._bars:
            self._bars.below = shown
            self._bars.refresh()  # what ends at once is seen, too

    def _finish(self) -> None:
        if not self._stage:
            return
        if self._bars and self._task is not None:
            self._bars.update(self._task, completed=1.0, told=time.monotonic())
        if not self._bars and not self._silent:
            seconds = time.monotonic() - self._began
            detail = f": {self._detail}" if self._detail else ""
            sys.stderr.write(f"{self._within}{self._stage}{detail} ({seconds:.1f} s)\n")
