"""`deltatrain data`: the recordings that workloads are trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from deltatrain.sim.cli import options
from deltatrain.sim.cli.interruption import interruptible
from deltatrain.sim.cli.output import TEXT, Output

if TYPE_CHECKING:
    from deltatrain.workloads.dataset import Dataset


def command(
    name: Annotated[str | None, Parameter(name="NAME", help="The data set to fetch.")] = None,
    /,
    *,
    every: Annotated[bool, Parameter(name="--all", help="Fetch every data set.", show_default=False)] = False,
    output: Output = TEXT,
) -> None:
    """Show the data sets with their sources and licences, or fetch them ahead of time.

    They are kept in the cache folder: $DELTATRAIN_CACHE, or else the user's
    cache folder of the platform (~/.cache/deltatrain on Linux). Training
    fetches what it needs. Fetch ahead for a machine that will have no network.

    For example:

      deltatrain data
      deltatrain data digits
      deltatrain data --all
      deltatrain data show my_recordings.csv
    """
    from deltatrain.accel.cache_folder import cache_folder
    from deltatrain.sim.cli.screen import fields
    from deltatrain.workloads.datasets import DATASETS

    wanted = DATASETS.names() if every else (name,) if name else ()
    if wanted:
        _fetch(wanted, output)
        return
    parts = []
    for known in DATASETS.names():
        module = DATASETS.load(known)
        about = [
            ("what", (module.__doc__ or "").strip().partition("\n")[0]),
            ("source", module.SOURCE),
            ("licence", module.LICENCE),
        ]
        parts.append(fields(known, about))
    kept = sorted(file for file in cache_folder().glob("*") if file.is_file())
    sizes = [(file.name, f"{file.stat().st_size / 1e6:.1f} MB") for file in kept]
    parts.append(fields(f"kept in {cache_folder()}", sizes or [("nothing yet", "")]))
    output.give(*parts)


def show(
    what: Annotated[str, Parameter(name="WHAT", help="A data set, a path to recordings, or a workload's TOML file.")],
    /,
    *,
    out: Annotated[
        Path | None, Parameter(name=["--out", "-o"], help="Folder for recordings.png. [default: out/data-WHAT]")
    ] = None,
    changes: options.Changes = None,
    output: Output = TEXT,
) -> None:
    """Show what recordings are like: lengths, classes, a few sequences, how many deltas fire at each threshold.

    Prints tables, and draws the same to recordings.png. Recordings of one's
    own are read as the table `dataset` of a workload says, or as --set does.

    For example:

      deltatrain data show vowels
      deltatrain data show my_recordings.csv --set workload.dataset.columns.label=activity
      deltatrain data show my_sounds/ --set workload.dataset.front_end=mfcc
      deltatrain data show my_workload.toml
    """
    from deltatrain.sim.cli import survey
    from deltatrain.workloads.data.found import Tokens
    from deltatrain.workloads.dataset import contents_of, title

    dataset = _described(what, changes)
    name = title(dataset)
    with interruptible(), output.stages() as stages:
        found = contents_of(dataset, lambda doing, share: stages(f"data set {name}", share, doing))
    if isinstance(found, Tokens):
        output.give(*survey.of_words(name, found))
        return
    folder = out or Path("out") / f"data-{Path(name).stem}"
    output.give(*survey.of_recordings(name, found, folder))


def _described(what: str, changes: list[str] | None) -> Dataset:
    """Return the data set that is meant, with the changes of ``--set``."""
    from deltatrain.accel.description import with_overrides
    from deltatrain.accel.errors import ConfigError
    from deltatrain.workloads.dataset import SYNTHETIC, described, opened
    from deltatrain.workloads.workload import Workload

    changed = options.overrides(changes)
    if changed.machine or any(field.partition(".")[0] != "dataset" for field in changed.workload):
        raise ConfigError("--set takes workload.dataset.FIELD=VALUE here: recordings alone are shown")
    if what.endswith(".toml"):
        dataset = Workload.named(what, changed.workload).dataset
    else:
        dataset = described(with_overrides({"dataset": opened(what)}, changed.workload))
    if dataset == SYNTHETIC:
        raise ConfigError(f"data set {SYNTHETIC!r} is drawn from statistics: there are no recordings to show")
    return dataset


def _fetch(names: tuple[str, ...], output: Output) -> None:
    """Load each data set, which puts it into the cache folder, and show its sizes."""
    from deltatrain.sim.cli.screen import table
    from deltatrain.sim.flow import recordings_of
    from deltatrain.workloads.datasets import DATASETS

    for name in names:
        DATASETS.load(name)  # a name that is not known is told before anything is fetched
    with interruptible(), output.stages() as stages:
        loaded = [recordings_of(name, stages) for name in names]
    rows = [
        [
            name,
            *(f"{n:,}" for n in (len(found.train), len(found.test), found.classes, found.train.features)),
            f"{found.train.lengths.mean():.0f}",
        ]
        for name, found in zip(names, loaded, strict=True)
    ]
    output.give(table("Data sets", ["name", "training", "test", "classes", "features", "mean steps"], rows))
