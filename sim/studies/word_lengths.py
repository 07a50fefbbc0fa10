"""Word lengths against accuracy, trained in the machine's numbers: weights, activations, gradients, accumulators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.engine import Formats
from deltatrain.accel.number import NumberFormat
from deltatrain.sim.output_folder import OutputFolder
from deltatrain.sim.studies import _training
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.sim.studies._training import Outcomes, Settings

ABOUT = (
    "How few bits does training on the machine itself need? Each of weights, activations and gradients is narrowed "
    "alone, in a range of 4, 8 and 2; then all to their smallest that lose at most half a point against the float "
    "training, and each of these once wider again; there M and dW have the bits of one product. Nothing is published "
    "for delta networks; EdgeDRNN infers with weights of 8 bits and activations of 16."
)

_FLOAT, _DESCENT, _EDGE, _TOGETHER = "float", "float SGD", "edge", "together"
_MOST_LOST = 0.5
"""Points."""

_WHOLE_BITS = {"weight": 3, "activation": 4, "gradient": 2}
"""Bits that are no fraction, the sign among them: ranges of 4, 8 and 2, which the narrow formats keep."""

_COLUMNS = {"weight": "W", "activation": "h", "gradient": "g", "M": "M", "dW": "dW"}

_SPARE_BITS = 4
"""What accumulators have beyond one product, in the one trial that asks whether more would help."""


def _in_formats(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the change of a workload that trains it in the formats of `edge` with these changes."""
    formats = {f"engine.formats.{name}": value for name, value in changes.items()}
    return {"training.numbers": Architecture.named("edge", formats).engine.numbers.model_dump(mode="json")}


def _narrow(tensor: str, bits: int) -> dict[str, Any]:
    return _in_formats({tensor: {"bits": bits, "fraction_bits": bits - _WHOLE_BITS[tensor]}})


def _settings(changes: dict[str, Any], seeds: tuple[int, ...], widths: dict[str, tuple[int, ...]]) -> Settings:
    descent = {"optimiser": "sgd", "momentum": 0.0, "weight_decay": 0.0, "clip_norm": 1e9, "learning_rate": 0.3}
    trials: dict[str, dict[str, Any]] = {_EDGE: _in_formats({}), _FLOAT: {}}
    trials[_DESCENT] = {f"training.{name}": value for name, value in descent.items()}
    trials |= {f"{tensor} {bits}": _narrow(tensor, bits) for tensor, many in widths.items() for bits in many}
    return Settings("vowels", changes, seeds, trials)


SETTINGS = _settings(
    {"training.epochs": 20, "training.dense_epochs": 0},
    (1, 2, 3),
    {"weight": (14, 12, 10, 8), "activation": (10, 8, 6, 5), "gradient": (12, 10, 8, 6)},
)
SMALL_SETTINGS = _settings(
    {"training.epochs": 6, "training.dense_epochs": 0, "training.learning_rate": 0.02},  # learned by then, float too
    (1,),
    {"weight": (10,), "activation": (8,), "gradient": (8,)},
)


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Train everything and return a row for each trial, means over the seeds.

    Columns: ``trial``; bits of the weights ``W``, of activations ``h``, gradients ``g``, of ``M`` and of ``dW``;
    ``accuracy_%``, ``accuracy_sd_%``, ``lost_points`` against the float training; ``moved_%``, how often a weight that
    had a gradient moved; ``over_ppm``, what overflowed of all numbers that were stored; ``seeds``. Points lost over
    bits are left in `folder` as a figure.
    """
    from deltatrain.reports.figures import word_lengths

    outcomes = _training.trained(settings, folder, progress)
    together = settings._replace(trials=_together(settings, outcomes))
    outcomes |= _training.trained(together, folder, progress)
    every = settings._replace(trials=settings.trials | together.trials)
    table = [_row(name, every, outcomes) for name in every.trials]
    setting = f"{settings.workload}, seeds: {len(settings.seeds)}"
    OutputFolder(folder).save_figure("word_lengths", word_lengths.draw(table, most_lost=_MOST_LOST, setting=setting))
    return table


def _together(settings: Settings, outcomes: Outcomes) -> dict[str, dict[str, Any]]:
    """Return the trials of all smallest formats together, of the same with one wider, and with wider accumulators."""
    smallest = {tensor: _smallest(tensor, settings, outcomes) for tensor in _WHOLE_BITS}
    trials = {_TOGETHER: _all_of(smallest, 0), f"{_TOGETHER}, M dW +{_SPARE_BITS}": _all_of(smallest, _SPARE_BITS)}
    for tensor, number in smallest.items():
        wider = [one for one in _tried(tensor, settings) if one.bits > number.bits]
        if wider:
            one = min(wider, key=lambda one: one.bits)
            trials[f"{_TOGETHER}, {_COLUMNS[tensor]} {one.bits}"] = _all_of(smallest | {tensor: one}, 0)
    return trials


def _all_of(operands: dict[str, NumberFormat], spare: int) -> dict[str, Any]:
    """Return the change that trains in these formats, with accumulators of one product and so many bits more."""
    weight, activation, gradient = (operands[name].bits for name in _WHOLE_BITS)
    tables = {name: number.model_dump(mode="json") for name, number in operands.items()}
    widths = {
        "memory_bits": weight + max(activation, gradient) + spare,
        "weight_gradient_bits": activation + gradient + spare,
    }
    return _in_formats(tables | widths)


def _tried(tensor: str, settings: Settings) -> dict[NumberFormat, str]:
    """Return the formats in which a tensor was tried alone, that of `edge` among them, and the names of the trials."""
    names = [name for name in settings.trials if name == _EDGE or name.startswith(f"{tensor} ")]
    formats = {name: _formats(settings, name) for name in names}
    return {getattr(found, tensor): name for name, found in formats.items() if found is not None}


def _smallest(tensor: str, settings: Settings, outcomes: Outcomes) -> NumberFormat:
    """Return the format of fewest bits, of those tried alone, that loses at most half a point; else that of `edge`."""
    tried = _tried(tensor, settings)
    good = [number for number, name in tried.items() if _lost(name, settings, outcomes) <= _MOST_LOST]
    return min(good or [number for number, name in tried.items() if name == _EDGE], key=lambda number: number.bits)


def _lost(name: str, settings: Settings, outcomes: Outcomes) -> float:
    return float(_training.accuracy_columns(name, _FLOAT, settings, outcomes)["lost_points"])


def _formats(settings: Settings, name: str) -> Formats | None:
    numbers = settings.trained(settings.trials[name]).training.machine_numbers
    return None if numbers is None else numbers.formats


def _row(name: str, settings: Settings, outcomes: Outcomes) -> Row:
    formats, of_trial = _formats(settings, name), [outcomes[name, seed] for seed in settings.seeds]
    numbers = {} if formats is None else dict(formats) | {"M": formats.memory, "dW": formats.weight_gradient}
    bits = {column: numbers[key].bits if numbers else "" for key, column in _COLUMNS.items()}
    stored = [of for outcome in of_trial for tensor, of in outcome.stored.items()]
    moved = [outcome.stored["W"] for outcome in of_trial if outcome.stored]
    return {
        "trial": name,
        **bits,
        **_training.accuracy_columns(name, _FLOAT, settings, outcomes),
        "moved_%": round(100 * (1 - sum(of[2] for of in moved) / sum(of[0] for of in moved)), 1) if moved else "",
        "over_ppm": round(1e6 * sum(of[1] for of in stored) / sum(of[0] for of in stored), 2) if stored else "",
        "seeds": len(settings.seeds),
    }
