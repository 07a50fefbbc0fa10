"""Progress on standard error: a bar with the time left on a terminal, elsewhere one line for each finished stage."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn


class _Bars(Progress):
    """Bars, with something else below them."""

    below: RenderableType = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield the bars, then what stands below."""
        yield from super().get_renderables()
        if self.below:
            yield self.below


class Stages:
    """Shows the stages of a command one after the other; called as `sim.flow.Progress`.

    A stage is finished when the next one begins, or the command ends without an error.

    Parameters
    ----------
    silent
        Whether nothing is shown.
    """

    def __init__(self, *, silent: bool = False) -> None:
        self._bars: _Bars | None = None
        self._silent, self._quiet = silent, ExitStack()
        if sys.stderr.isatty() and not silent:
            columns = (
                TextColumn("{task.description:<14}"),
                BarColumn(bar_width=28),
                TaskProgressColumn(),
                TimeRemainingColumn(compact=True),
                TextColumn("[dim]{task.fields[detail]}"),
            )
            self._bars = _Bars(*columns, console=Console(file=sys.stderr))
        self._task: TaskID | None = None
        self._stage, self._detail, self._began = "", "", 0.0

    def __enter__(self) -> Self:
        if self._silent:
            from deltatrain.workloads.compiling import unannounced

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
        if stage != self._stage:
            self._finish()
            self._stage, self._began = stage, time.monotonic()
            if self._bars:
                self._task = self._bars.add_task(escape(stage), total=1.0, detail="")
        self._detail = detail
        if self._bars and self._task is not None:
            self._bars.update(self._task, completed=share, detail=escape(detail))

    @property
    def live(self) -> bool:
        """Whether there is a terminal on which something may stand below the bars."""
        return self._bars is not None

    def below(self, shown: RenderableType) -> None:
        """Show something below the bars, in place of what stood there; nothing where there are none."""
        if self._bars:
            self._bars.below = shown

    def _finish(self) -> None:
        if not self._stage:
            return
        if self._bars and self._task is not None:
            self._bars.update(self._task, completed=1.0)
        if not self._bars and not self._silent:
            seconds = time.monotonic() - self._began
            detail = f": {self._detail}" if self._detail else ""
            sys.stderr.write(f"{self._stage}{detail} ({seconds:.1f} s)\n")
