"""What a network goes on from after a forward pass: its cells alone, or all that it holds."""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.layer import Held, LayerState, LayerTape, State
from deltatrain.workloads.arrays.packing import Array, Packing, last_rows, rows_before
from deltatrain.workloads.network.network import Forward, Network, outputs, passed_on


def cells_after(ran: Forward) -> State:
    """Return what the cells of each layer hold after a forward pass; a pass from there begins its deltas anew."""
    last = ran.packing.samples + last_rows(ran.packing)
    return tuple(LayerState(tape.values[:, last]) for tape in ran.tapes)


def all_after(network: Network, ran: Forward) -> State:
    """Return all that each layer holds; a pass from there with the same weights is one with what went before."""
    cells = cells_after(ran)
    if network.thresholds is None:
        return cells
    below, states = ran.inputs, []
    for number, (tape, cell) in enumerate(zip(ran.tapes, cells, strict=True)):
        before = ran.before[number].held if ran.before else None
        states.append(cell._replace(held=_held(network, tape, below, ran.packing, before)))
        below = passed_on(network, number, outputs(network, tape, ran.packing), ran.packing)
    return tuple(states)


def _held(network: Network, tape: LayerTape, x: Array, packing: Packing, before: Held | None) -> Held:
    h_before = tape.values[network.sizes.cell.VALUES.index("h"), rows_before(packing)]
    M = np.empty_like(tape.M)
    M[packing.order] = tape.M
    x_hat, h_hat = (before.x_hat, before.h_hat) if before else (None, None)
    return Held(_last_fired(x, tape.fired_x, packing, x_hat), _last_fired(h_before, tape.fired_h, packing, h_hat), M)


def _last_fired(values: Array, fired: Array, packing: Packing, before: Array | None) -> Array:
    """Return what each element of a stream was when it last fired, shape (B, W), of packed rows, (N, W)."""
    shape = (packing.samples, values.shape[1])
    hat = np.zeros(shape, values.dtype) if before is None else before[packing.order]
    for n, start in zip(packing.active, packing.start, strict=True):
        rows = slice(start, start + n)
        np.putmask(hat[:n], fired[rows], values[rows])
    in_order = np.empty(shape, values.dtype)
    in_order[packing.order] = hat
    return in_order
