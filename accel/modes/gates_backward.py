"""Element-wise gates of one step, backward: the gradients of M, c and h from those of the step after."""

from __future__ import annotations

from accel.modes import gates_forward

UNIT = "elementwise"

issue_cycles = gates_forward.issue_cycles
drain_cycles = gates_forward.drain_cycles
work = gates_forward.work
