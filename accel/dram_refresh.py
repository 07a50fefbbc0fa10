"""The ways to refresh a DRAM: all banks of a rank at once, one bank, or the same bank of every group.

`accel.dram` asks the function here about its parts, so it takes them by their fields and imports none.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

Refresh = Literal["all_bank", "per_bank", "same_bank"]


class RefreshTiming(NamedTuple):
    """What one way to refresh takes, in clocks.

    Attributes
    ----------
    refresh, refresh_interval
        How long a refresh keeps its banks; from when one is due until the next is.
    refresh_to_activate
        From a refresh to an activate in another bank; 0 if there is none.
    refresh_sets
        Sets of banks that take turns: set n of N has the banks n, n + N, n + 2 N and so on of a rank.
    """

    refresh: int
    refresh_interval: int
    refresh_to_activate: int
    refresh_sets: int


def refreshes_of(part: Any) -> dict[Refresh, RefreshTiming]:
    """Return the ways to refresh a part whose times are known."""
    t = part.timing
    found: dict[Refresh, RefreshTiming] = {"all_bank": RefreshTiming(t.tRFC, t.tREFI, 0, 1)}
    if t.tRFCpb is not None and t.tREFIpb is not None and t.tRREFD is not None:
        found["per_bank"] = RefreshTiming(t.tRFCpb, t.tREFIpb, t.tRREFD, part.banks)
    if t.tRFCsb is not None and t.tREFIsb is not None and t.tREFSBRD is not None:
        found["same_bank"] = RefreshTiming(t.tRFCsb, t.tREFIsb, t.tREFSBRD, part.banks_per_group)
    return found
