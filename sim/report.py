"""One HTML page of results, and its figures for papers."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import AnyPath, make_folder, replace_file
from deltatrain.accel.result import Result
from deltatrain.accel.version import VERSION
from deltatrain.reports.page import Contents, Run, Sweep, render
from deltatrain.reports.page.figures import Form, encoded
from deltatrain.reports.page.figures import figures as drawn
from deltatrain.sim.fidelity import label
from deltatrain.sim.gathering import gather

__all__ = ["report", "save_figures"]

_Part = TypeVar("_Part", Run, Sweep)


def report(
    what: Result | AnyPath | Iterable[Result | AnyPath],
    out: AnyPath | None = None,
    *,
    figures: Form | None = None,
) -> str:
    """Return one HTML page of results, and write it if a file is named.

    The page needs no network and nothing beside it.

    Parameters
    ----------
    what
        A result or the folder that ``deltatrain run``, ``simulate --out`` or ``sweep`` wrote, or several of them. A
        folder may hold several such folders.
    out
        The file to write; its folder must be there.
    figures
        With a format, every figure is written too, into the folder ``figures`` beside the page.

    Raises
    ------
    ConfigError
        If there is nothing to show, a file is damaged or cannot be written, or a library is missing.
    """
    page = Path(out) if out is not None else Path("report.html")
    contents = _contents(what, page)
    text = render(contents)
    if out is not None:
        replace_file(page, text.encode())
    if figures is not None:
        save_figures(contents, page.parent / "figures", figures)
    return text


def save_figures(contents: Contents, folder: Path, form: Form) -> list[Path]:
    """Write every figure of a page into `folder`, made if it is not there, and return their paths."""
    make_folder(folder)
    paths = []
    for name, figure in drawn(contents):
        paths.append(folder / f"{name}.{form}")
        replace_file(paths[-1], encoded(figure, form))
    return paths


def _contents(what: Result | AnyPath | Iterable[Result | AnyPath], page: Path) -> Contents:
    """Return the contents of one page. Links on it are relative to the file `page`."""
    if isinstance(what, str | os.PathLike):
        return gather(Path(what), page)
    given = [what] if isinstance(what, Result) else list(what)
    found = [_of_result(one) if isinstance(one, Result) else gather(Path(one), page) for one in given]
    if not found:
        raise ConfigError("a report needs at least one result or folder")
    runs = [run for contents in found for run in contents.runs]
    sweeps = [sweep for contents in found for sweep in contents.sweeps]
    title = found[0].title if len(found) == 1 else "deltatrain"
    return Contents(title, _told_apart(runs), _told_apart(sweeps), VERSION)


def _of_result(result: Result) -> Contents:
    name = f"{result.workload['name']}-{result.architecture['name']}"
    return Contents(name, [Run(name, result, label(result))])


def _told_apart(parts: Sequence[_Part]) -> list[_Part]:
    """Return the parts of a page, with a number appended to each name that occurred before."""
    times: Counter[str] = Counter()
    apart = []
    for part in parts:
        times[part.name] += 1
        number = times[part.name]
        apart.append(replace(part, name=f"{part.name}-{number}") if number > 1 else part)
    return apart
