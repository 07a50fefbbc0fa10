"""`deltatrain report`: a page of what lies in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from deltatrain.reports.page import Contents


def report(
    folder: Annotated[
        Path, Parameter(name="DIR", help="What `run`, `simulate --out` or `sweep` wrote, or a folder of several.")
    ],
    /,
    *,
    out: Annotated[
        Path | None, Parameter(name=["--out", "-o"], help="The file to write. [default: DIR/report.html]")
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
      deltatrain report out/edge --figures pdf
    """
    from deltatrain.accel.files import replace_file
    from deltatrain.reports.page import render
    from deltatrain.sim.cli.screen import show
    from deltatrain.sim.gathering import gather

    path = out or folder / "report.html"
    contents = gather(folder, path)
    page = render(contents).encode()
    replace_file(path, page)
    show(f"Written to {path}: {len(page) / 1e3:,.0f} kB")
    if figures is not None:
        names = _save_figures(contents, path.parent / "figures", figures)
        show(f"Written to {path.parent / 'figures'}: {len(names)} figures")


def _save_figures(contents: Contents, folder: Path, form: Literal["svg", "pdf", "png"]) -> list[str]:
    from deltatrain.accel.files import make_folder, replace_file
    from deltatrain.reports.page.figures import encoded
    from deltatrain.reports.page.figures import figures as drawn

    make_folder(folder)
    names = []
    for name, figure in drawn(contents):
        names.append(f"{name}.{form}")
        replace_file(folder / names[-1], encoded(figure, form))
    return names
