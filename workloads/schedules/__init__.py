"""Family: learning-rate schedules, one file each; `LearningRateSchedule` says what a member has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from deltatrain.accel.family import ModuleFamily


class LearningRateSchedule(Protocol):
    """A pure function of how far training is and how it went."""

    def factor(self, progress: float, losses: Sequence[float]) -> float:
        """Return what the learning rate is multiplied with, from the share of updates done and each epoch's loss."""


SCHEDULES = ModuleFamily[LearningRateSchedule]("deltatrain.workloads.schedules", "schedule", LearningRateSchedule)
