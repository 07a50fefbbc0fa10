"""How long every step took from its input to its output, while a forward pass runs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deltatrain.accel.latency import Latency
from deltatrain.accel.observer import Span
from deltatrain.accel.program import Program


class StepLatency:
    """An observer that notes when each step begins and ends.

    A step begins when the encoder looks at the input of its first layer. It ends when the cells of its last layer, or
    its read-out if it has one, are done.

    Parameters
    ----------
    program
        What is run, forward alone.
    """

    watches_memory = False
    watches_ops = True

    def __init__(self, program: Program) -> None:
        ops = program.ops
        self._program = program
        self._begins = program.is_unit("encoder") & (ops.layer == 0) & ops.is_stream("x")
        self._ends = (ops.is_mode("cell_forward") & (ops.layer == ops.layer.max(initial=0))) | ops.is_stream("readout")
        self._drain = program.drain_cycles
        self._start = np.zeros((int(ops.sample.max(initial=0)) + 1, int(ops.step.max(initial=0)) + 1), dtype=np.int64)
        self._end = np.zeros_like(self._start)

    def span(self, span: Span) -> None:
        """Note when the first op of a step begins, and when its last is done."""
        if not span.works:
            return
        place = self._program.ops.sample[span.op], self._program.ops.step[span.op]
        if self._begins[span.op]:
            self._start[place] = span.start
        if self._ends[span.op]:
            self._end[place] = max(self._end[place], span.end + self._drain[span.op])

    def level(self, track: str, cycle: int, value: int) -> None:
        """Ignore a level."""

    def activity(self, track: str, what: str, start_ps: int, end_ps: int, numbers: Mapping[str, int]) -> None:
        """Ignore what the memory did."""

    def found(self) -> Latency:
        """Return the latencies of the run."""
        took = np.where(self._end > 0, self._end - self._start, 0)
        sample, step = np.unravel_index(int(took.argmax()), took.shape)
        return Latency(
            steps=int((self._end > 0).sum()),
            mean_cycles=float(took.sum() / (self._end > 0).sum()),
            worst_cycles=int(took.max()),
            worst_sample=int(sample),
            worst_step=int(step),
            host_s=self._program.architecture.host.request_s,
        )
