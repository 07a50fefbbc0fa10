"""How a number was found: every number that a person is shown says which of these it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DESCRIBED, MEASURED, MODELLED, SIMULATED = "described", "measured", "modelled", "simulated"

ORIGINS = {
    SIMULATED: "cycles and bytes of a program run on the described machine, every cycle accounted for",
    MODELLED: "reckoned: energy from action counts and a published table, analytic cycles from closed forms",
    MEASURED: "counted while the network was trained in NumPy, in floating-point numbers and not in the machine's, and "
    "tested on recordings it had not seen; of one's own computer, by its clock",
    DESCRIBED: "given in the description of the machine or the workload",
}
"""How numbers are found, in words."""

NO_DENSE = "no dense run"
"""What stands in the place of a speed-up where the dense twin was not simulated."""

FLOAT_ACCURACY = "accuracy of the float training"
"""What a test accuracy is called: no training in a machine's own numbers stands behind it."""

FLOAT_FIGURES = {
    "accuracy": FLOAT_ACCURACY,
    "mean_squared_error": "mean squared error of the float training",
    "perplexity": "perplexity of the float training",
}
"""What the figure of a task is called, by its name in results and sweeps."""

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


def origin_of_column(column: str, fidelity: str) -> str:
    """Return how the numbers in a column of a sweep's table were found, a key of `ORIGINS`."""
    origins = {"machine": DESCRIBED, "workload": DESCRIBED, "training": MEASURED}
    origins |= dict.fromkeys(FLOAT_FIGURES, MEASURED)
    origins |= dict.fromkeys(("energy", "energy_j", "area", "area_mm2"), MODELLED)
    return origins.get(column.partition(".")[0], origin_of(fidelity))


def recorded_words(workload: Mapping[str, Any]) -> str:
    """Return how the deltas of a workload, a table, were recorded, in words; empty if deltatrain made them itself."""
    recorded = workload.get("recorded")
    if not recorded:
        return ""
    source = f" ({recorded['source']})" if recorded.get("source") else ""
    return f"{RECORDED_LOOPS.get(recorded.get('loop'), 'recorded')}{source}"
