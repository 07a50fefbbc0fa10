"""`deltatrain report`: a page of what lies in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def command(
    folder: Annotated[
        Path, Parameter(name="DIR", help="What `run`, `simulate --out` or `sweep` wrote, or a folder of several.")
    ],
    /,
    *others: Annotated[Path, Parameter(name="DIR", help="More of them, for one page of all.")],
    out: Annotated[
        Path | None,
        Parameter(name=["--out", "-o"], help="The file to write. [default: report.html in DIR, or here for several]"),
    ] = None,
    figures: Annotated[
        Literal["svg", "pdf", "png"] | None,
        Parameter(help="Write every figure for a paper too, into the folder `figures` beside the page."),
    ] = None,
) -> None:
    """Write one HTML page of results: headline, machine, phases, roofline, memory, energy, design points, provenance.

    The page is one file that needs no network and nothing beside it.

    For example:

      deltatrain report out/digits-edge
      deltatrain report out --out results.html
      deltatrain report out/digits-edge out/digits-reneta
      deltatrain report out/edge --figures pdf
    """
    from deltatrain.sim.cli.screen import show
    from deltatrain.sim.report import report

    page = out or (Path() if others else folder) / "report.html"
    size = len(report([folder, *others] if others else folder, page, figures=figures).encode())
    show(f"Written to {page}: {size / 1e3:,.0f} kB")
    if figures is not None:
        show(f"Written to {page.parent / 'figures'}: every figure as {figures}")
