"""How many deltas fire, or spikes, of how many that could."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltatrain.workloads.network.network import Forward, Sizes


class Fired(NamedTuple):
    """How many deltas fired and could have, for each layer; as in `EpochCounts`."""

    fired_x: tuple[int, ...]
    fired_h: tuple[int, ...]
    steps_x: tuple[int, ...]
    steps_h: tuple[int, ...]
    asked_x: tuple[int, ...]
    asked_h: tuple[int, ...]

    def __add__(self, other: object) -> Fired:
        """Return the counts of both."""
        if not isinstance(other, Fired):
            return NotImplemented
        return Fired(*(tuple(a + b for a, b in zip(x, y, strict=True)) for x, y in zip(self, other, strict=True)))

    @property
    def occupancy_x(self) -> float:
        """Share of input deltas that fired, all layers together."""
        return sum(self.fired_x) / max(1, sum(self.steps_x))

    @property
    def occupancy_h(self) -> float:
        """Share of recurrent deltas that fired, all layers together."""
        return sum(self.fired_h) / max(1, sum(self.steps_h))


def fired_in(ran: Forward) -> Fired:
    """Return how many deltas fired in a forward pass and how many could have."""
    rows, samples, tapes = ran.packing.rows, ran.packing.samples, ran.tapes
    return Fired(
        tuple(int(np.count_nonzero(tape.fired_x)) for tape in tapes),
        tuple(int(np.count_nonzero(tape.fired_h)) for tape in tapes),
        tuple(rows * tape.fired_x.shape[1] for tape in tapes),
        tuple((rows - samples) * tape.fired_h.shape[1] for tape in tapes),
        tuple(int(np.count_nonzero(tape.asked_x)) for tape in tapes),
        tuple(int(np.count_nonzero(tape.asked_h)) for tape in tapes),
    )


def nothing_fired(sizes: Sizes) -> Fired:
    """Return the counts of no steps at all."""
    zeros = (0,) * len(sizes.hidden)
    return Fired(zeros, zeros, zeros, zeros, zeros, zeros)
