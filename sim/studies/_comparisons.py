"""Published figures beside ours: what `comparisons.toml` names, taken out of the tables of finished studies."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

from deltatrain.sim.studies._table import Row


class Comparison(NamedTuple):
    """One published figure beside ours, in words.

    Attributes
    ----------
    study, what, unit
        Whose table it comes from, what is compared, and its unit; "%" are compared in points.
    theirs, ours
        A number, a range of the rows that are meant, or words.
    off
        Ours less theirs, in points, or over theirs less one, in per cent; empty where words are compared.
    conditions, found, source
        Under which both were found, how theirs was, and where it stands.
    """

    study: str
    what: str
    unit: str
    theirs: str
    ours: str
    off: str
    conditions: str
    found: str
    source: str


def figures() -> list[dict[str, Any]]:
    """Return the entries of `comparisons.toml`."""
    text = resources.files("deltatrain.sim.studies").joinpath("comparisons.toml").read_text(encoding="utf-8")
    return list(tomllib.loads(text)["figure"])


def comparisons(study: str, table: Sequence[Row]) -> list[Comparison]:
    """Return the published figures that the table of `study` can be held against; none if there are none."""
    return [one for figure in figures() if figure["study"] == study for one in _of_figure(figure, table)]


def _of_figure(figure: Mapping[str, Any], table: Sequence[Row]) -> Iterator[Comparison]:
    meant = [row for row in table if _is_meant(row, figure.get("where", {})) and row.get(figure["ours"], "") != ""]
    if "theirs" in figure:
        for row in meant:
            if row.get(figure["theirs"], "") != "":
                yield _comparison(figure, row, row[figure["theirs"]], [row[figure["ours"]]])
    elif isinstance(figure["published"], str):
        for row in meant:
            yield _comparison(figure, row, figure["published"], [row[figure["ours"]]])
    elif meant:
        yield _comparison(figure, meant[0], figure["published"], [row[figure["ours"]] for row in meant])


def _is_meant(row: Row, where: Mapping[str, Any]) -> bool:
    return all(
        row.get(column) in (wanted if isinstance(wanted, list) else [wanted]) for column, wanted in where.items()
    )


def _comparison(
    figure: Mapping[str, Any], row: Row, theirs: int | float | str, ours: Sequence[int | float | str]
) -> Comparison:
    ends = sorted({float(one) for one in ours})
    return Comparison(
        study=figure["study"],
        what=_filled(figure["what"], row),
        unit=figure["unit"],
        theirs=str(theirs),
        ours=" to ".join(f"{end:g}" for end in dict.fromkeys((ends[0], ends[-1]))),
        off=_off(theirs, ends, figure["unit"]),
        conditions=figure["conditions"],
        found=_filled(figure["found"], row),
        source=figure["source"],
    )


def _filled(words: str, row: Row) -> str:
    """Return `words` with the row's values in place of columns in braces, and no empty place between two commas."""
    for column, value in row.items():
        words = words.replace(f"{{{column}}}", str(value))
    return words.replace(", ,", ",")


def _off(theirs: int | float | str, ends: Sequence[float], unit: str) -> str:
    """Return how far the ends of our range are off a number; nothing of words."""
    try:
        expected = float(theirs)
    except ValueError:
        return ""
    if unit == "%":
        each, word = [end - expected for end in ends], "points"
    else:
        each, word = [100 * (end / expected - 1) for end in ends], "%"
    told = [f"{round(one, 2) + 0.0:+g}" for one in (each[0], each[-1])]
    return f"{' to '.join(dict.fromkeys(told))} {word}"
