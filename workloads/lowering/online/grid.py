"""Which ops a step of online learning has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deltatrain.workloads.lowering import op_kinds as kinds
from deltatrain.workloads.lowering.checkpoint.timeline import NONE
from deltatrain.workloads.lowering.grid import Entry, Grid
from deltatrain.workloads.lowering.online.kinds import LIST_TRACES, SIGNAL, TRACE
from deltatrain.workloads.lowering.online.order import OnlineOrder
from deltatrain.workloads.lowering.op_order import OpOrder, Position


class OnlineGrid(Grid):
    """The ops of a training step in which each step learns at once; forward they are those of any other."""

    def _empty_order(self, *, in_turn: bool) -> OpOrder:
        return OnlineOrder(len(self._shape.hidden), in_turn)

    def _backward(self) -> Iterator[Entry]:
        """Yield what a step does backward: what a loss is known of, and the traces of every step."""
        shape, steps, last = self._shape, self.timeline.steps, len(self._shape.hidden) - 1
        position = Position(steps.stage, steps.macro, False)
        ran = self._everywhere(steps.made_by != NONE)
        recurrent = ran & (np.arange(ran.shape[2]) > 0) & bool(shape.arithmetic.BLOCKS_H)
        learned = ran & self._read_back[-1:]
        below = learned & (self._layer < last)
        for kind, exists in (
            (TRACE.x, ran),
            (TRACE.h, recurrent),
            (LIST_TRACES.x, learned),
            (LIST_TRACES.h, learned & recurrent),
            (kinds.READ_T, learned & (self._layer == last)),
            (kinds.READ_OUTER, learned & (self._layer == last)),
            (SIGNAL, below & shape.broadcasts),
            (kinds.CELL_BACKWARD, learned),
            (kinds.MATVEC_T.x, learned & (self._layer > 0) & (not shape.broadcasts)),
            (kinds.OUTER.x, learned),
            (kinds.OUTER.h, learned & recurrent),
        ):
            yield kind, exists, position
