"""The smallest machine that moves words of one beat and of two: two lanes, W and dW off-chip, and steps for it."""

from __future__ import annotations

from core_on_bus import REMOTE, tiny

from deltatrain.sim.gates.random_step import random_step

TWO_LANES = REMOTE | {
    "engine.lanes": 2,
    "engine.encoder_elements": 2,
    "engine.elementwise_lanes": 2,
    "dma.bytes_per_cycle": 4,
}


def a_step(seed, **changes):
    """Return a step; all have the same shape."""
    return random_step(tiny(TWO_LANES), "rnn", seed=seed, features=3, hidden=(3,), lengths=(2, 1), **changes)
