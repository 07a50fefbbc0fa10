"""Family: the figures, one file each; `Drawn` says what a member has.

The caller saves the figure (`Figure.savefig`) as PNG, SVG or PDF; nothing here opens a window or writes a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from deltatrain.accel.family import ModuleFamily

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Drawn(Protocol):
    """A kind of figure.

    Attributes
    ----------
    TITLE
        What it shows.
    """

    TITLE: str

    def draw(self, *args: Any, **kwargs: Any) -> Figure:
        """Draw the figure. Its arguments differ from figure to figure. It has no side effects."""


FIGURES = ModuleFamily[Drawn]("deltatrain.reports.figures", "figure", Drawn)
