"""`deltatrain data`: the recordings that workloads are trained on."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from deltatrain.sim.cli.interruption import interruptible


def command(
    name: Annotated[str | None, Parameter(name="NAME", help="The data set to fetch.")] = None,
    /,
    *,
    every: Annotated[bool, Parameter(name="--all", help="Fetch every data set.", show_default=False)] = False,
) -> None:
    """Show the data sets with their sources and licences, or fetch them ahead of time.

    They are kept in the cache folder: $DELTATRAIN_CACHE, or else the user's
    cache folder of the platform (~/.cache/deltatrain on Linux). Training
    fetches what it needs. Fetch ahead for a machine that will have no network.

    For example:

      deltatrain data
      deltatrain data digits
      deltatrain data --all
    """
    from deltatrain.sim.cli.screen import fields, show
    from deltatrain.workloads.data.cache import cache_folder
    from deltatrain.workloads.datasets import DATASETS

    wanted = DATASETS.names() if every else (name,) if name else ()
    if wanted:
        _fetch(wanted)
        return
    for known in DATASETS.names():
        module = DATASETS.load(known)
        about = [
            ("what", (module.__doc__ or "").strip().partition("\n")[0]),
            ("source", module.SOURCE),
            ("licence", module.LICENCE),
        ]
        show(fields(known, about))
    kept = sorted(file for file in cache_folder().glob("*") if file.is_file())
    sizes = [(file.name, f"{file.stat().st_size / 1e6:.1f} MB") for file in kept]
    show(fields(f"kept in {cache_folder()}", sizes or [("nothing yet", "")]))


def _fetch(names: tuple[str, ...]) -> None:
    """Load each data set, which puts it into the cache folder, and show its sizes."""
    from deltatrain.sim.cli.progress import Stages
    from deltatrain.sim.cli.screen import show, table
    from deltatrain.sim.flow import recordings_of

    with interruptible(), Stages() as stages:
        loaded = [recordings_of(name, stages) for name in names]
    rows = [
        [
            name,
            *(f"{n:,}" for n in (len(found.train), len(found.test), found.classes, found.train.features)),
            f"{found.train.lengths.mean():.0f}",
        ]
        for name, found in zip(names, loaded, strict=True)
    ]
    show(table("Data sets", ["name", "training", "test", "classes", "features", "mean steps"], rows))
