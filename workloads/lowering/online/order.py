"""The order of the ops of online learning: a step forward, its gradient back through the layers, and its traces.

A macro step is a step of a sample. Its weight gradients are left for the next macro step, where the lanes have room for
them while cells and loss are computed; so have the input products of the step to come. Of two layers:

    lanes            h0(t)  dW0(t-1)  x1(t) h1(t)  dW1(t-1)  read(t) dW_out(t-1) x0(t+1)   read_t(t)   W1^T(t)
    element-wise            cells 0               cells 1                    traces(t), loss(t)   g(u1)       g(u0)
    encoder     h0(t)              x1(t), h1(t)                 x0(t+1), lists of traces(t)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.lowering import op_kinds as kinds
from deltatrain.workloads.lowering.online.kinds import LIST_TRACES, SIGNAL, TRACE
from deltatrain.workloads.lowering.op_kinds import OpKind
from deltatrain.workloads.lowering.op_order import OpOrder


class _Place(NamedTuple):
    """Where ops of a kind are: part of the macro step, order within a layer there, macro steps later than their own."""

    part: int
    order: int
    later: int = 0


_UP, _READ, _NEXT, _TRACES, _LISTS, _LOSS, _DOWN = range(7)
"""The parts of a macro step. In `_DOWN` the layers follow each other from the last to the first."""

_PLACES: dict[OpKind, _Place] = {
    kinds.ENCODE.x: _Place(_UP, 0),
    kinds.ENCODE.h: _Place(_UP, 1),
    kinds.MATVEC.x: _Place(_UP, 2),
    kinds.MATVEC.h: _Place(_UP, 3),
    kinds.CELL: _Place(_UP, 4),
    kinds.OUTER.x: _Place(_UP, 5, later=1),
    kinds.OUTER.h: _Place(_UP, 6, later=1),
    kinds.READ: _Place(_READ, 0),
    kinds.READ_OUTER: _Place(_READ, 1, later=1),
    TRACE.x: _Place(_TRACES, 0),
    TRACE.h: _Place(_TRACES, 1),
    LIST_TRACES.x: _Place(_LISTS, 0),
    LIST_TRACES.h: _Place(_LISTS, 1),
    kinds.LOSS: _Place(_LOSS, 0),
    kinds.READ_T: _Place(_LOSS, 1),
    SIGNAL: _Place(_DOWN, 0),
    kinds.CELL_BACKWARD: _Place(_DOWN, 1),
    kinds.MATVEC_T.x: _Place(_DOWN, 2),
}

_AHEAD = {
    kinds.LOAD_X: _Place(_NEXT, 0, later=-1),
    kinds.ENCODE.x: _Place(_NEXT, 1, later=-1),
    kinds.MATVEC.x: _Place(_NEXT, 2, later=-1),
}
"""What layer 0 does a macro step ahead."""


@dataclass
class OnlineOrder(OpOrder):
    """The ops of online learning, in their order."""

    def _keys(self, kind: OpKind) -> tuple[NDArray[np.int64], ...]:
        """Return by what the ops of a kind are put in order, the most important first."""
        layer, sample, number = self._points[kind]
        first = layer == 0 if kind in _AHEAD else np.zeros(len(layer), dtype=np.bool_)
        usual, ahead = _PLACES.get(kind, _AHEAD.get(kind)), _AHEAD.get(kind)
        assert usual is not None, f"ops of kind {kind} have a place"
        part, order, later = (np.where(first, b, a) for a, b in zip(usual, ahead or usual, strict=True))
        of_layer = np.where(part == _DOWN, -layer, layer)
        return sample, number + later, part, of_layer, order
