"""What would make a run cheaper: the same step on changed machines and of changed networks, and the file of it."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from deltatrain.accel.description import Count, Description, NonNegativeFloat
from deltatrain.accel.kept import Kept
from deltatrain.accel.result import Result


class Cost(Description):
    """What one step costs.

    Attributes
    ----------
    seconds
        Time of the step.
    remote_bytes
        Moved to and from off-chip memory.
    energy_j, area_mm2
        Sums of what is priced; 0 where nothing is.
    figure
        Accuracy, or the task's other figure, of the training behind the step; None without a training.
    """

    seconds: NonNegativeFloat
    remote_bytes: Count
    energy_j: NonNegativeFloat
    area_mm2: NonNegativeFloat
    figure: float | None = None


class Effect(Description):
    """One change, and what the step costs then.

    Attributes
    ----------
    change
        The change in words.
    fields
        The changed fields of machine and workload by dotted path, as ``--set`` takes them.
    cost
        Of the step with the change.
    """

    change: str
    fields: dict[str, Any]
    cost: Cost


def digests_of(result: Result) -> dict[str, str]:
    """Return the digests by which a result tells what was simulated."""
    return {name: str(value) for name, value in result.provenance.items() if name.endswith("_digest")}


class Advice(Kept):
    """What would help a run, found by simulating each change by itself.

    Attributes
    ----------
    workload, machine, fidelity
        Names of what was simulated, and how.
    figure
        Name of the task's figure ("accuracy"); empty where no training stands behind the step.
    digests
        Of the run that it is about (`digests_of`).
    now
        What the step costs as it is.
    effects
        Every change that was simulated.
    refused
        Changes that could not be, and why.
    """

    CALLED: ClassVar[str] = "what `deltatrain advise` wrote"

    workload: str
    machine: str
    fidelity: str
    figure: str = ""
    digests: dict[str, str]
    now: Cost
    effects: tuple[Effect, ...]
    refused: dict[str, str] = Field(default_factory=dict)

    def speedup(self, cost: Cost) -> float:
        """Return how many times less time a step takes than now."""
        return self.now.seconds / cost.seconds if cost.seconds else 1.0

    def worth(self, cost: Cost) -> float:
        """Return the speed-up over how many times larger the priced area becomes: the gain for the cost."""
        larger = cost.area_mm2 / self.now.area_mm2 if self.now.area_mm2 else 1.0
        return self.speedup(cost) / larger

    @property
    def ranked(self) -> list[Effect]:
        """The effects, the one of most gain for its cost first."""
        return sorted(self.effects, key=lambda effect: -self.worth(effect.cost))
