"""What a person has to say of a file, because the file does not."""

from __future__ import annotations

from typing import NamedTuple


class Choice(NamedTuple):
    """What to take of a file, and what it leaves open.

    Attributes
    ----------
    layers
        Names of its recurrent modules, the one next to the input first; empty where there is only one.
    head
        Name of its read-out; None where there is only one that could be.
    dt_s
        Seconds of a step, for neurons that are described in continuous time; None takes the file's.
    reset
        What a spike does to the potential, which NIR does not tell: "zero" or "subtract" (`accel.leaky_neuron`).
    """

    layers: tuple[str, ...] = ()
    head: str | None = None
    dt_s: float | None = None
    reset: str | None = None


NOTHING = Choice()
"""Nothing is said."""
