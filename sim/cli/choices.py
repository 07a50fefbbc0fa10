"""`deltatrain list`: what there is to choose from."""

from __future__ import annotations

import tomllib
from typing import Annotated

from cyclopts import Parameter

from accel.family import ModuleFamily, TableFamily


def list_choices(
    family: Annotated[
        str | None, Parameter(name="FAMILY", help="One of them, such as machines; all if left out.")
    ] = None,
    /,
) -> None:
    """List what can be named in commands and TOML files: machines, workloads, data sets, cells and more.

    For example:

      deltatrain list
      deltatrain list machines
    """
    from accel.errors import unknown_name
    from sim.cli.screen import fields, show

    families = _families()
    if family is not None and family not in families:
        raise unknown_name("family", family, families)
    for name in [family] if family else families:
        show(fields(name, _members(families[name])))


def _families() -> dict[str, ModuleFamily | TableFamily]:
    from accel.devices import DEVICES
    from accel.dram_parts import DRAM_PARTS
    from accel.energy import ENERGY_TABLES
    from accel.modes import MODES
    from accel.presets import MACHINES
    from reports.figures import FIGURES
    from sim.fidelity import FIDELITIES
    from sim.studies import STUDIES
    from sim.sweep.searches import SEARCHES
    from sim.sweep.spaces import SPACES
    from workloads.cells import CELLS
    from workloads.checkpoint.policies import POLICIES
    from workloads.datasets import DATASETS
    from workloads.optimisers import OPTIMISERS
    from workloads.presets import PRESETS
    from workloads.schedules import SCHEDULES
    from workloads.sparsity import SPARSITY

    return {
        "machines": MACHINES,
        "workloads": PRESETS,
        "datasets": DATASETS,
        "cells": CELLS,
        "checkpoint": POLICIES,
        "optimisers": OPTIMISERS,
        "schedules": SCHEDULES,
        "sparsity": SPARSITY,
        "fidelities": FIDELITIES,
        "modes": MODES,
        "devices": DEVICES,
        "dram": DRAM_PARTS,
        "energy": ENERGY_TABLES,
        "figures": FIGURES,
        "studies": STUDIES,
        "spaces": SPACES,
        "searches": SEARCHES,
    }


def _members(family: ModuleFamily | TableFamily) -> list[tuple[str, str]]:
    about = _about_table if isinstance(family, TableFamily) else _about_module
    return [(name, about(family, name)) for name in family.names()]  # type: ignore[arg-type]


def _about_module(family: ModuleFamily, name: str) -> str:
    return (family.load(name).__doc__ or "").strip().partition("\n")[0].rstrip(".")


def _about_table(family: TableFamily, name: str) -> str:
    """Return a table's own words about itself, or else the first line of the comment that opens it."""
    text = family.text(name)
    table = tomllib.loads(text)
    first = text.lstrip().partition("\n")[0]
    comment = first.lstrip("# ").rstrip(".") if first.startswith("#") else ""
    return str(table.get("about", comment or table.get("source", "")))
