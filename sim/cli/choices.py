"""`deltatrain list`: what there is to choose from."""

from __future__ import annotations

import tomllib
from typing import Annotated, Any

from cyclopts import Parameter

from deltatrain.accel.family import ModuleFamily, TableFamily
from deltatrain.sim.cli.output import TEXT, Output


def command(
    family: Annotated[
        str | None, Parameter(name="FAMILY", help="One of them, such as machines; all if left out.")
    ] = None,
    /,
    *,
    output: Output = TEXT,
) -> None:
    """List what can be named in commands and TOML files: machines, workloads, data sets, cells and more.

    For example:

      deltatrain list
      deltatrain list machines
    """
    from deltatrain.accel.errors import unknown_name
    from deltatrain.sim.cli.screen import fields

    known = families()
    if family is not None and family not in known:
        raise unknown_name("family", family, known)
    output.give(*(fields(name, _members(known[name])) for name in ([family] if family else known)))


def families() -> dict[str, ModuleFamily[Any] | TableFamily]:
    """Return the families that there are, by what `list` calls them."""
    from deltatrain.accel.devices import DEVICES
    from deltatrain.accel.dram_parts import DRAM_PARTS
    from deltatrain.accel.energy import ENERGY_TABLES
    from deltatrain.accel.modes import MODES
    from deltatrain.accel.presets import MACHINES
    from deltatrain.reports.figures import FIGURES
    from deltatrain.sim.fidelity import FIDELITIES
    from deltatrain.sim.studies import STUDIES
    from deltatrain.sim.sweep.searches import SEARCHES
    from deltatrain.sim.sweep.spaces import SPACES
    from deltatrain.workloads.cells import CELLS
    from deltatrain.workloads.data.formats import FORMATS
    from deltatrain.workloads.data.front_ends import FRONT_ENDS
    from deltatrain.workloads.datasets import DATASETS
    from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
    from deltatrain.workloads.optimisers import OPTIMISERS
    from deltatrain.workloads.presets import PRESETS
    from deltatrain.workloads.schedules import SCHEDULES
    from deltatrain.workloads.sparsity import SPARSITY

    return {
        "machines": MACHINES,
        "workloads": PRESETS,
        "datasets": DATASETS,
        "formats": FORMATS,
        "front_ends": FRONT_ENDS,
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


def _members(family: ModuleFamily[Any] | TableFamily) -> list[tuple[str, str]]:
    about = _about_table if isinstance(family, TableFamily) else _about_module
    return [(name, about(family, name)) for name in family.names()]  # type: ignore[arg-type]


def _about_module(family: ModuleFamily[Any], name: str) -> str:
    return (family.load(name).__doc__ or "").strip().partition("\n")[0].rstrip(".")


def _about_table(family: TableFamily, name: str) -> str:
    """Return what a table says about itself, or else the first line of its opening comment."""
    text = family.text(name)
    table = tomllib.loads(text)
    first = text.lstrip().partition("\n")[0]
    comment = first.lstrip("# ").rstrip(".") if first.startswith("#") else ""
    return str(table.get("about", comment or table.get("source", "")))
