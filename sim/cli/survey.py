"""What recordings, or the words of a text, are like: as tables of the terminal and as a figure."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from rich.console import RenderableType

from deltatrain.accel.files import make_folder, replace_file
from deltatrain.accel.quantity import share
from deltatrain.reports.figures import recordings as figure
from deltatrain.sim.cli.screen import fields, table
from deltatrain.workloads.data.found import Tokens
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.survey import THETAS, Survey, survey

_OFTEN = 10  # words shown


def of_recordings(name: str, recordings: Recordings, folder: Path) -> list[RenderableType]:
    """Return the tables, and leave ``recordings.png`` in `folder`, made if it is not there."""
    seen = survey(recordings)
    _draw(recordings, seen, name, folder)
    return [*_tables(recordings, seen, name), f"Written to {folder}: recordings.png"]


def of_words(name: str, words: Tokens) -> list[RenderableType]:
    """Return how many words there are, and which are said most."""
    counts = np.bincount(words.train, minlength=len(words.vocabulary))
    parts = [[part, f"{len(numbers):,}"] for part, numbers in words.parts().items()]
    often = [[words.vocabulary[word], f"{counts[word]:,}"] for word in np.argsort(-counts, kind="stable")[:_OFTEN]]
    return [
        fields(name, [("vocabulary", f"{len(words.vocabulary):,} words"), ("digest", words.digest())]),
        table("Words", ["part", "words"], parts),
        table("Words that are said most", ["word", "times in training"], often),
    ]


def _tables(recordings: Recordings, seen: Survey, name: str) -> list[RenderableType]:
    about = [
        ("source", recordings.source),
        ("licence", recordings.licence),
        ("features", f"{recordings.train.features:,}"),
        ("classes" if seen.classes else "numbers wanted", f"{recordings.classes:,}"),
        ("values that are not 0", share(seen.unequal_zero)),
        ("digest", recordings.digest),
    ]
    lengths = [
        [
            part,
            f"{len(steps):,}",
            *(f"{number:,}" for number in (steps.min(), int(steps.mean()), steps.max(), steps.sum())),
        ]
        for part, steps in seen.lengths.items()
    ]
    classes = [
        [label, *(f"{counts[number]:,}" for counts in seen.classes.values())]
        for number, label in enumerate(_class_names(recordings))
    ]
    fired = [[f"{theta:g}", share(value)] for theta, value in zip(THETAS, seen.fired, strict=True)]
    note = f"Of {seen.tried:,} training sequences; theta_x in units of the values."
    return [
        fields(name, about),
        table("Lengths", ["part", "sequences", "fewest steps", "mean", "most", "steps in all"], lengths),
        *([table("Classes", ["class", *seen.classes], classes)] if seen.classes else []),
        table("Input deltas that fire", ["theta", "fired"], fired, note),
    ]


def _draw(recordings: Recordings, seen: Survey, name: str, folder: Path) -> None:
    names = _class_names(recordings)
    drawn = figure.draw(
        seen.lengths,
        {part: counts.tolist() for part, counts in seen.classes.items()},
        names,
        [(names[label], values) for label, values in seen.examples],
        list(zip(THETAS, seen.fired, strict=True)),
        setting=f"{name}  ·  {recordings.train.features} features  ·  digest {recordings.digest}",
    )
    image = io.BytesIO()
    drawn.savefig(image, format="png")
    make_folder(folder)
    replace_file(folder / "recordings.png", image.getvalue())


def _class_names(recordings: Recordings) -> tuple[str, ...]:
    return recordings.class_names or tuple(str(number) for number in range(recordings.classes))
