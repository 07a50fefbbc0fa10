"""What a step of inference takes once a sequence runs, with a stated number of columns fired."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.fidelity import cycle
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.lowering.step_programs import recorded_program
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.workload import Workload

_CLASSES = 2


class SteadyStep(NamedTuple):
    """A network of equal layers, and how many columns fire in a step of it.

    Attributes
    ----------
    cell
        A member of `workloads.cells`.
    inputs, hidden, layers
        Features of a step, width of each layer, how many layers.
    columns
        That fire in a step over all layers and streams, in the mean; bias columns are not among them.
    """

    cell: str
    inputs: int
    hidden: int
    layers: int
    columns: float

    @property
    def columns_at_most(self) -> int:
        """How many columns there are in a step, bias columns aside."""
        return self._firing().size

    @property
    def widths(self) -> list[int]:
        """Widths of the streams that fire: x and h of each layer in turn."""
        return [self.inputs, self.hidden, *[self.hidden] * 2 * (self.layers - 1)]

    def cycles(self, machine: Architecture, steps: int) -> float:
        """Return the cycles of a step on a machine, taken over `steps` steps behind as many others."""
        taken = [self._run_cycles(machine, number * steps) for number in (1, 2)]
        return (taken[1] - taken[0]) / steps

    def _run_cycles(self, machine: Architecture, steps: int) -> int:
        fired = self._masks(steps)
        recorded = RecordedStep(0, 0, np.array([steps]), tuple(fired[0::2]), tuple(fired[1::2]))
        changes = {"cell": self.cell, "hidden": [self.hidden] * self.layers, "phases": ["FP"]}
        sizes = {"synthetic.inputs": self.inputs, "synthetic.classes": _CLASSES}
        trace = Trace(Workload.named("synthetic", changes | sizes), self.inputs, _CLASSES, (recorded,), ())
        return cycle.count(recorded_program(machine, trace, recorded)).cycles

    def _masks(self, steps: int) -> list[NDArray[np.bool_]]:
        """Return what fires in each stream, spread evenly by chance; the first step's h is empty."""
        rng, total, firing = np.random.default_rng(0), sum(self.widths), self._firing()
        ends = np.floor(self.columns * np.arange(steps + 1) + 1e-9).astype(int)
        masks = np.zeros((steps, 1, total), dtype=np.bool_)
        for step, count in enumerate(np.diff(ends)):
            masks[step, 0, firing[rng.permutation(firing.size)[:count]]] = True
        parts = np.split(masks, np.cumsum(self.widths)[:-1], axis=2)
        for part in parts[1::2]:
            part[0] = False
        return parts

    def _firing(self) -> NDArray[np.int64]:
        """Return which places of the streams side by side can fire: of a cell without recurrence no h."""
        recurrent = bool(CELLS.load(self.cell).TARGETS_H)
        return np.flatnonzero(np.repeat([True, recurrent] * self.layers, self.widths))
