"""What the compiled kernel is told about a memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


class Rules(NamedTuple):
    """Command-to-command constraints in cycles, the controller's policy, and how a channel is made.

    `bus_ranks` share a data bus, of `ranks` in all. Refreshes of sets of banks take turns: of N sets the first is of
    the banks 0, N, 2 N and so on. `ranks_at` counts from the channel's first word.

    What holds for reads is followed by what holds for writes, where there are two: the kernel takes them as pairs. The
    distances from one direction to the other are those of one rank, in one group (l) and in two (s), and of two ranks
    (other).
    """

    read_latency: int
    write_latency: int
    column_l: int
    write_column_l: int
    column_s: int
    read_to_write_l: int
    write_to_read_l: int
    read_to_write_s: int
    write_to_read_s: int
    read_to_read_other: int
    write_to_write_other: int
    read_to_write_other: int
    write_to_read_other: int
    tRTP: int
    write_to_precharge: int
    burst: int
    tRCDRD: int
    tRCDWR: int
    tRP: int
    tRPab: int
    tRAS: int
    tRC: int
    tRRD_S: int
    tRRD_L: int
    tFAW: int
    tPPD: int
    refresh: int
    refresh_interval: int
    refresh_to_activate: int
    refresh_sets: int
    refresh_command: int
    row_bus: int
    activate_clocks: int
    column_clocks: int
    closed_policy: int
    write_high: int
    write_low: int
    most_bypasses: int
    bus_ranks: int
    ranks: int
    banks: int
    ranks_at: int
    reads_most: int
    writes_most: int
    accepts: int
