"""The fewest joules for an accuracy, and what float accuracy would have chosen instead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.output_folder import OutputFolder
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.sim.sweep import exploration, sweep
from deltatrain.sim.sweep.checks import named_space
from deltatrain.sim.sweep.space import Space

ABOUT = (
    "For how many joules of training is an accuracy to be had, and what would be chosen wrongly by the accuracy of a "
    "float training? Nothing is published: accelerators for training tell joules of an operation. Ours: the space "
    "`joules_to_accuracy`, each point trained in the machine's own numbers and once more in float32 by the "
    "preset's AdamW; whole trainings priced from what fired in every epoch, no column cache, fidelity analytic, one "
    "seed."
)

_SPACE = "joules_to_accuracy"
_ENERGY = "training.energy_j"
_VARIED = (
    "workload.theta_x",
    "workload.theta_h",
    "workload.hidden",
    "workload.training.epochs",
    "machine.engine.lanes",
    "machine.engine.formats.activation",
)
"""What the study varies of the space: with these fields, or parts of them, 36 points lie close enough."""


class Settings(NamedTuple):
    """How many points, in which the space differs from its file, and the accuracies that are asked for, in per cent."""

    points: int
    changes: dict[str, Any]
    asked: tuple[float, ...]

    def space(self, numbers: str) -> Space:
        """Return the space of networks trained in "machine" or "float" numbers, on machines without a column cache."""
        search = {"search.kind": "qmc", "search.points": self.points, "search.batch": min(self.points, 12)}
        fixed = {"fixed.workload.training.numbers": numbers, "fixed.machine.cache.bytes": 0}
        space = named_space(_SPACE, search | self.changes | fixed)
        vary = {path: axis for path, axis in space.vary.items() if path.startswith(_VARIED)}
        # A space of its own, as a copy would keep the order in which the other's fields are drawn.
        return Space.model_validate({name: getattr(space, name) for name in Space.model_fields} | {"vary": vary})


SETTINGS = Settings(36, {}, (95, 96, 97, 97.5))
SMALL_SETTINGS = Settings(
    4, {"vary.workload.hidden.values": [[16], [24]], "vary.workload.training.epochs": [4, 6]}, (50, 70)
)


class Point(NamedTuple):
    """A network on a machine: its fields as text, the joules of its training, and its accuracy."""

    fields: str
    joules: float
    accuracy: float


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Train and price every point twice, and return a row for each accuracy asked for.

    Columns: ``at_least_%``; ``machine_J`` and ``machine_%`` of the cheapest point that reaches it in the machine's
    numbers; ``float_J`` and ``float_%`` of the cheapest by float accuracy; ``chosen_J`` and ``chosen_%``, what that
    point is in the machine's numbers; ``dearer_times``, its joules over the cheapest's, and ``reached``, whether it has
    the accuracy there. Empty where no point has it. Both fronts are left in `folder` as a figure.

    Raises
    ------
    ConfigError
        If no point could be trained and priced; with the first one's reason.
    """
    from deltatrain.reports.figures import joules_to_accuracy

    machine, floating = (_points(settings, numbers, folder, progress) for numbers in ("machine", "float"))
    table = [_row(asked, machine, floating) for asked in settings.asked]
    twins = {one.fields: one for one in machine}
    chosen = [(_place(one), _place(twins[one.fields])) for one in front(floating) if one.fields in twins]
    setting = f"a Delta GRU on the vowels, {len(machine)} points"
    figure = joules_to_accuracy.draw(
        [_place(one) for one in machine], [_place(one) for one in front(machine)], chosen, setting=setting
    )
    OutputFolder(folder).save_figure("joules_to_accuracy", figure)
    return table


def cheapest(points: Iterable[Point], accuracy: float) -> Point | None:
    """Return the cheapest point of at least this accuracy, a share; None if there is none."""
    return min((one for one in points if one.accuracy >= accuracy), key=lambda one: one.joules, default=None)


def front(points: Iterable[Point]) -> list[Point]:
    """Return the points that no cheaper one is as accurate as, the cheapest first."""
    found = list[Point]()
    for one in sorted(points, key=lambda one: (one.joules, -one.accuracy)):
        if not found or one.accuracy > found[-1].accuracy:
            found.append(one)
    return found


def _points(settings: Settings, numbers: str, folder: Path, progress: Progress) -> list[Point]:
    """Return the points that could be trained and priced; the sweep of such a space goes on where it was stopped."""
    space, stage = settings.space(numbers), f"trained in {numbers} numbers"

    def tell(of: exploration.Progress) -> None:
        progress(stage, of.done / of.points, f"{of.done} of {of.points}")

    table = sweep(space, folder / f"{numbers}-{space.digest()}", on_progress=tell)
    if not {"accuracy", _ENERGY} <= set(table.columns):
        why = ": " + table["reason"][0] if "reason" in table.columns else ""
        raise ConfigError(f"none of {len(table)} points of space {space.name} could be {stage} and priced{why}")
    return [
        Point(repr([row[field] for field in space.vary]), row[_ENERGY], row["accuracy"])
        for row in table.drop_nulls(["accuracy", _ENERGY]).to_dicts()
    ]


def _row(asked: float, machine: Sequence[Point], floating: Sequence[Point]) -> Row:
    best, claimed = cheapest(machine, asked / 100), cheapest(floating, asked / 100)
    chosen = next((one for one in machine if claimed and one.fields == claimed.fields), None)
    told: Row = {"at_least_%": asked}
    for name, one in (("machine", best), ("float", claimed), ("chosen", chosen)):
        told[f"{name}_J"] = float(f"{one.joules:.3g}") if one else ""
        told[f"{name}_%"] = round(100 * one.accuracy, 1) if one else ""
    told["dearer_times"] = round(chosen.joules / best.joules, 2) if best and chosen else ""
    told["reached"] = "" if chosen is None else "yes" if chosen.accuracy >= asked / 100 else "no"
    return told


def _place(one: Point) -> tuple[float, float]:
    return one.joules, 100 * one.accuracy
