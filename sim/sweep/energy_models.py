"""One sweep, one energy model: joules that are found in different ways are not compared.

A point's model is in the table's column ``energy_model`` (`accel.pricing.run_energy.energy_model`). A space that aims
at energy and whose points would have several is refused before anything is simulated; so is a table that has several.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice, product
from typing import Any

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.description import with_overrides
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.origin import TRAINING_ENERGY
from deltatrain.accel.pricing.run_energy import energy_model
from deltatrain.sim.sweep.axis import Axis

COLUMN = "energy_model"

_DECIDES = ("machine.energy", "machine.remote.")
_TRIED = 256  # machines


def energies(names: Iterable[str]) -> list[str]:
    """Return those of a table's columns that are energies."""
    return [name for name in names if name in ("energy_j", TRAINING_ENERGY) or name.startswith("energy.")]


def varied_models(machine: dict[str, Any], vary: dict[str, Axis]) -> list[str]:
    """Return the energy models that the points of a space on `machine` have; what is no machine has none."""
    axes = {path: axis for path, axis in vary.items() if path.startswith(_DECIDES) and axis.choices}
    found: dict[str, None] = {}
    for values in islice(product(*(axis.choices or () for axis in axes.values())), _TRIED):
        changes = {path.partition(".")[2]: value for path, value in zip(axes, values, strict=True)}
        try:
            found[energy_model(Architecture.from_table(with_overrides(machine, changes)))] = None
        except ConfigError:
            continue
    return list(found)


def faults(aims: dict[str, Iterable[str]], models: Collection[str | None]) -> Iterator[str]:
    """Yield a line for each energy that `aims` name, by table of the space, where there are several models."""
    if len(models) < 2:
        return
    told = "; ".join(sorted(model or "not told by the version that wrote it" for model in models))
    for table, names in aims.items():
        for name in energies(names):
            yield f"{table}.{name} would compare energies that are priced in different ways ({told})"


def check_models(aims: dict[str, Iterable[str]], models: Collection[str | None], where: object) -> None:
    """Raise a `ConfigError` that names `where` if energies of several models would be compared there."""
    found = list(faults(aims, models))
    if found:
        raise ConfigError("\n".join(f"{where}: {line}" for line in found))
