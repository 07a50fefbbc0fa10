"""How many deltas fire, or spikes, of how many that could; and how many spikes a list had no room for."""

from __future__ import annotations

from operator import add
from typing import NamedTuple, TypeGuard

import numpy as np

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.cells import Cell, SpikingCell
from deltatrain.workloads.network.network import Forward, Sizes


class Fired(NamedTuple):
    """How many deltas fired and could have, and what became of spikes, for each layer; as in `EpochCounts`."""

    fired_x: tuple[int, ...]
    fired_h: tuple[int, ...]
    steps_x: tuple[int, ...]
    steps_h: tuple[int, ...]
    asked_x: tuple[int, ...]
    asked_h: tuple[int, ...]
    spikes: tuple[int, ...] = ()
    spikes_cut: tuple[int, ...] = ()
    steps_cut: tuple[int, ...] = ()
    carried_h: tuple[int, ...] = ()
    carried_steps_h: tuple[int, ...] = ()

    def __add__(self, other: object) -> Fired:
        """Return the counts of both; those that are not there are zeros."""
        if not isinstance(other, Fired):
            return NotImplemented
        pairs = zip(self, other, strict=True)
        return Fired(*(tuple(map(add, x, y)) if x and y else x or y for x, y in pairs))

    @property
    def occupancy_x(self) -> float:
        """Share of input deltas that fired, all layers together."""
        return sum(self.fired_x) / max(1, sum(self.steps_x))

    @property
    def occupancy_h(self) -> float:
        """Share of recurrent deltas that fired, all layers together."""
        return sum(self.fired_h) / max(1, sum(self.steps_h))


def fired_in(cell: Cell, ran: Forward) -> Fired:
    """Return how many deltas fired in a forward pass of a network of `cell`, and how many could have."""
    rows, samples, tapes = ran.packing.rows, ran.packing.samples, ran.tapes
    spikes = [spikes_in(cell, tape.values[:, samples:]) for tape in tapes] if _spiking(cell) else []
    spikes_of, cut, steps_cut = zip(*spikes, strict=True) if spikes else ((), (), ())
    carried = bool(ran.before)
    return Fired(
        tuple(int(np.count_nonzero(tape.fired_x)) for tape in tapes),
        tuple(int(np.count_nonzero(tape.fired_h)) for tape in tapes),
        tuple(rows * tape.fired_x.shape[1] for tape in tapes),
        tuple((rows if carried else rows - samples) * tape.fired_h.shape[1] for tape in tapes),
        tuple(int(np.count_nonzero(tape.asked_x)) for tape in tapes),
        tuple(int(np.count_nonzero(tape.asked_h)) for tape in tapes),
        *(spikes_of, cut, steps_cut),
        tuple(int(np.count_nonzero(tape.fired_h[:samples])) for tape in tapes if carried),
        tuple(samples * tape.fired_h.shape[1] for tape in tapes if carried),
    )


def spikes_in(cell: SpikingCell, values: Array) -> tuple[int, int, int]:
    """Return how many spikes were listed, how many found no room, and in how many steps of a sample any did not.

    Parameters
    ----------
    cell
        Of the layer.
    values
        Its `VALUES` of any steps, shape (V, N, H).
    """
    above, h = values[cell.VALUES.index("u")] > cell.NEURON.threshold, values[cell.VALUES.index("h")]
    listed = np.count_nonzero(h)
    cut = np.count_nonzero(above) - listed
    steps = np.count_nonzero(np.count_nonzero(above, axis=-1) > np.count_nonzero(h, axis=-1)) if cut else 0
    return int(listed), int(cut), int(steps)


def nothing_fired(sizes: Sizes) -> Fired:
    """Return the counts of no steps at all."""
    zeros = (0,) * len(sizes.hidden)
    return Fired(*[zeros] * 6, *[zeros] * (3 if _spiking(sizes.cell) else 0))


def _spiking(cell: Cell) -> TypeGuard[SpikingCell]:
    """Tell whether the cell is one of leaky neurons; to ask `isinstance` of a protocol takes 100 times as long."""
    return hasattr(cell, "NEURON")
