"""How a number was found: every number that a person is shown says which of these it is."""

from __future__ import annotations

MEASURED, MODELLED, SIMULATED = "measured", "modelled", "simulated"

ORIGINS = {
    SIMULATED: "cycles and bytes of a program run on the described machine, every cycle accounted for",
    MODELLED: "reckoned: energy from action counts and a published table, analytic cycles from closed forms",
    MEASURED: "counted while the network was trained in NumPy and tested on recordings it had not seen",
}
"""How numbers are found, in words."""

_OF_FIDELITY = {"analytic": MODELLED, "cycle": SIMULATED, "rtl": SIMULATED}


def origin_of(fidelity: str) -> str:
    """Return how cycles of a fidelity were found, a key of `ORIGINS`."""
    return _OF_FIDELITY.get(fidelity, SIMULATED)
