"""How a number was found: every number that a person is shown says which of these it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

DESCRIBED, MEASURED, MODELLED, SIMULATED = "described", "measured", "modelled", "simulated"
MEASURED_IN_INTEGERS = "measured in integers"

ORIGINS = {
    SIMULATED: "cycles and bytes of a program run on the described machine, every cycle accounted for",
    MODELLED: "reckoned: energy from action counts and a published table, analytic cycles from closed forms",
    MEASURED: "counted while the network was trained in NumPy, in floating-point numbers and not in the machine's, and "
    "tested on recordings it had not seen; of one's own computer, by its clock",
    MEASURED_IN_INTEGERS: "counted while the network was trained in a machine's own numbers, the integers that "
    "its gates compute, and tested in them on recordings it had not seen",
    DESCRIBED: "given in the description of the machine or the workload",
}
"""How numbers are found, in words."""

NO_DENSE = "no dense run"
"""What stands in the place of a speed-up where the dense twin was not simulated."""

FLOAT_ACCURACY = "accuracy of the float training"
"""What a test accuracy is called where no training in a machine's own numbers stands behind it."""

FLOAT_FIGURES = {
    "accuracy": FLOAT_ACCURACY,
    "mean_squared_error": "mean squared error of the float training",
    "perplexity": "perplexity of the float training",
}
"""What the figure of a float training is called, by its name in results and sweeps; of any other, `figure_title`."""

BESIDE = "float_"
"""What begins the name of a figure in floating point that stands beside one in a machine's numbers."""

THIS_MACHINE, ANOTHER_MACHINE = "the machine", "another machine"
"""Whose numbers a network was trained in: `training.numbers` of a result."""

TRAINING_ENERGY = "training.energy_j"
"""The column of a sweep that tells the energy of a whole training."""

WHOLE_TRAINING = ("training.seconds", TRAINING_ENERGY, "training.remote_bytes", "training.error")
"""Columns of a sweep that tell what a whole training costs, from some of its steps, and the error of its energy."""

STORED = {
    "x": "inputs, x",
    "M": "additions to the delta memory, M",
    "state": "states",
    "h": "outputs, h",
    "g": "gradients through a matrix, W^T g",
    "g_M": "gradients of the delta memory, g(M)",
    "dW": "additions to weight gradients, dW",
    "W": "weights that had a gradient, W",
}
"""What of a training in a machine's numbers is counted, as it is stored, by its name in results and traces."""

IN_INTEGERS = "in the machine's integers, on the weights and inputs of the recorded step"
AS_RECORDED = "as recorded, in the floating-point numbers of training"
BY_STATISTICS = "as drawn from the workload's statistics"
ANOTHER_WORKLOAD = "another workload, as weights and inputs are drawn"
"""What decided which deltas fired in a simulated step: `provenance.fired` of a result."""

RECORDED_LOOPS = {
    "closed": "recorded in closed loop: the delta network ran with these thresholds and the model's weights",
    "open": "recorded in open loop: thresholds put on the activations of a network that ran without them, which with "
    "them would have run otherwise",
    "given": "given as masks by whoever recorded them",
}
"""How the deltas of a recording were found, in words, by the ``loop`` of the workload's table ``recorded``."""

_OF_FIDELITY = {"analytic": MODELLED, "cycle": SIMULATED, "rtl": SIMULATED}


def origin_of(fidelity: str) -> str:
    """Return how cycles of a fidelity were found, a key of `ORIGINS`."""
    return _OF_FIDELITY.get(fidelity, SIMULATED)


def learned_in_integers(beside: Collection[str]) -> bool:
    """Tell whether a training was in a machine's numbers, by the names of what is told of it."""
    return any(BESIDE + name in beside for name in FLOAT_FIGURES)


def origin_of_learned(beside: Collection[str]) -> str:
    """Return how what a training showed was found, a key of `ORIGINS`; `beside` are the names of all that is told."""
    return MEASURED_IN_INTEGERS if learned_in_integers(beside) else MEASURED


def figure_title(name: str, beside: Collection[str]) -> str:
    """Return what a figure is called.

    Parameters
    ----------
    name
        One of `FLOAT_FIGURES`, or the same with `BESIDE` before it.
    beside
        The names of what is told with it; or all of it by name, which may say whose numbers they are.
    """
    if name.startswith(BESIDE):
        return f"{name.removeprefix(BESIDE).replace('_', ' ')} of the same weights in floating point"
    if BESIDE + name not in beside:
        return FLOAT_FIGURES[name]
    whose = beside.get("numbers", THIS_MACHINE) if isinstance(beside, Mapping) else THIS_MACHINE
    return f"{name.replace('_', ' ')} in {whose}'s numbers"


def figures_in(beside: Collection[str]) -> list[str]:
    """Return the names of the figures among the names of what is told, those in floating point last."""
    names = [*FLOAT_FIGURES, *(BESIDE + name for name in FLOAT_FIGURES)]
    return [name for name in names if name in beside]


def origin_of_column(column: str, fidelity: str, columns: Collection[str] = ()) -> str:
    """Return how the numbers in a column of a sweep's table were found, a key of `ORIGINS`; `columns` are all of it."""
    learned = origin_of_learned(columns)
    origins = {"machine": DESCRIBED, "workload": DESCRIBED, "training": learned}
    origins |= dict.fromkeys(FLOAT_FIGURES, learned) | {BESIDE + name: MEASURED for name in FLOAT_FIGURES}
    origins |= dict.fromkeys(("energy", "energy_j", "area", "area_mm2", *WHOLE_TRAINING), MODELLED)
    return origins.get(column) or origins.get(column.partition(".")[0], origin_of(fidelity))


def recorded_words(workload: Mapping[str, Any]) -> str:
    """Return how the deltas of a workload, a table, were recorded, in words; empty if deltatrain made them itself."""
    recorded = workload.get("recorded")
    if not recorded:
        return ""
    source = f" ({recorded['source']})" if recorded.get("source") else ""
    return f"{RECORDED_LOOPS.get(recorded.get('loop'), 'recorded')}{source}"
