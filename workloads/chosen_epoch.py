"""The epoch that a validation part chose, and how its network does on the test part, which nothing else looked at."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from deltatrain.accel.errors import ConfigError


@dataclass(frozen=True)
class ChosenEpoch:
    """What is kept of a training that has a validation part.

    Attributes
    ----------
    epoch
        Number from 0 of the epoch whose network is kept.
    validation_loss
        Mean loss a sample of the validation part after it, the lowest of all epochs that could be kept.
    loss, figure
        Of the network that is kept, on the test part; the figure is the task's.
    float_figure
        As `EpochCounts.float_figure`, on the test part.
    """

    epoch: int
    validation_loss: float
    loss: float
    figure: float
    float_figure: float | None = None

    def table(self) -> dict[str, float]:
        """Return the fields, without what no training has but one in a machine's numbers."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def check(self, epochs: int) -> None:
        """Raise a `ConfigError` in one line unless it is one of so many epochs."""
        if not 0 <= self.epoch < epochs:
            raise ConfigError(f"epoch must be from 0 to {epochs - 1}, not {self.epoch}")
        for name in ("validation_loss", "loss", "figure"):
            if not math.isfinite(getattr(self, name)):
                raise ConfigError(f"{name} must be a finite number, not {getattr(self, name)}")
        if self.float_figure is not None and not math.isfinite(self.float_figure):
            raise ConfigError(f"float_figure must be a finite number, not {self.float_figure}")
