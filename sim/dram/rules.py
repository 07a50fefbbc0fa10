"""What the compiled kernel is called with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


class Rules(NamedTuple):
    """Command-to-command constraints in cycles, the controller's policy, and where the parts of a channel lie.

    `bus_ranks` share a data bus, of `ranks` in all. Refreshes of sets of banks take turns: of N sets the first is of
    the banks 0, N, 2 N and so on.

    `ranks_at`, `order_at` and `conflicts_at` count from the channel's first word. `order` lists the queued reads by age
    and then the free entries of their queue, `depth` in all, then the same for writes. `conflicts` is room for one
    entry of each bank.
    """

    read_latency: int
    write_latency: int
    burst: int
    read_to_write: int
    write_to_read_s: int
    write_to_read_l: int
    read_to_read_other: int
    write_to_write_other: int
    read_to_write_other: int
    write_to_read_other: int
    column_s: int
    column_l: int
    write_column_l: int
    tRCDRD: int
    tRCDWR: int
    tRP: int
    tRPab: int
    tRAS: int
    tRC: int
    tRRD_S: int
    tRRD_L: int
    tFAW: int
    tRTP: int
    tPPD: int
    write_to_precharge: int
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
    order_at: int
    conflicts_at: int
    depth: int
    reads_most: int
    writes_most: int
    accepts: int


class State(NamedTuple):
    """What the kernel works on.

    Attributes
    ----------
    words
        The records of all channels.
    finished
        (N, 4) ticket, accepted, done, write of what was finished in the last call.
    commands
        (N, 7) cycle, command, channel, rank, group, bank, row of those issued in the last call; no rows if not wanted.
    """

    words: Integers
    finished: Integers
    commands: Integers
