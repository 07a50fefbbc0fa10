"""A DRAM rank as banks with open rows: plain timing functions under the JEDEC constraints (JESD79-3, section 4)."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from accel.memory import DramDevice

_CLOSED = -1


class Piece(NamedTuple):
    """A contiguous piece of a request, which arrives (or is taken) at an even pace.

    Attributes
    ----------
    bytes
        Its size.
    first_ps
        When its first burst is complete.
    last_ps
        When all of it is.
    step_bytes, step_ps
        It moves in bursts of this many bytes, so far apart.
    lead_bytes
        Bytes of its first burst that lie before it.
    """

    bytes: int
    first_ps: int
    last_ps: int
    step_bytes: int
    step_ps: int
    lead_bytes: int


class RowCounts:
    """What the banks did."""

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0
        self.conflicts = 0
        self.activates = 0
        self.refreshes = 0
        self.busy_ps = 0


class Dram:
    """One rank that serves requests in the order in which they come.

    Consecutive addresses run through a row, then through the banks, then to the next row (RoBaCo). A request is split
    into pieces of one row each; activating a piece's row overlaps the data of the pieces before it. Rows stay open.
    A refresh of all banks is due every tREFI and is made before the first piece that would begin after that time, so
    it is late by at most one piece, far less than the eight intervals the standard allows.

    Parameters
    ----------
    device
        Geometry and timing.
    bus_bits
        Width of the data bus.
    """

    def __init__(self, device: DramDevice, bus_bits: int) -> None:
        tck = device.tck_ps
        self.counts = RowCounts()
        self._tck = tck
        self._row_bytes = device.row_bytes(bus_bits)
        self._burst_bytes = device.burst_bytes(bus_bits)
        self._banks = device.banks
        # The data bus, not only tCCD, keeps bursts apart.
        self._burst_ps = max(device.tCCD, device.burst_length // 2) * tck
        self._data_ps = device.burst_length // 2 * tck
        self._read_ps, self._write_ps = device.CL * tck, device.CWL * tck
        self._tRCD, self._tRP, self._tRAS = device.tRCD * tck, device.tRP * tck, device.tRAS * tck
        self._tRRD, self._tFAW = device.tRRD * tck, device.tFAW * tck
        self._tRFC, self._tREFI = device.tRFC * tck, device.tREFI * tck
        self._tRTP, self._tWR, self._tWTR = device.tRTP * tck, device.tWR * tck, device.tWTR * tck
        # JESD79-3, read to write: RL + tCCD + 2 tCK - WL between the commands.
        self._read_to_write_ps = self._read_ps + self._burst_ps + 2 * tck - self._write_ps
        self._open_row = [_CLOSED] * device.banks
        self._column_from = [0] * device.banks  # first time for a column command: activate + tRCD
        self._precharge_from = [0] * device.banks
        self._refreshed_ps = 0  # end of the last refresh, before which no bank can be activated
        self._activates: deque[int] = deque([-self._tFAW] * 4, maxlen=4)
        self._next_read_ps = 0
        self._next_write_ps = 0
        self._next_refresh_ps = self._tREFI

    def access(self, now_ps: int, address: int, size_bytes: int, write: bool) -> list[Piece]:
        """Serve a request that the controller sees at `now_ps`, not before the one served last, and return its pieces.

        For a write, a piece's times are when the memory has taken the data.
        """
        pieces = []
        end, row_bytes = address + size_bytes, self._row_bytes
        seen_ps = -(-now_ps // self._tck) * self._tck
        while address < end:
            number = address // row_bytes
            stop = min(end, (number + 1) * row_bytes)
            pieces.append(self._piece(seen_ps, number, address, stop, write))
            address = stop
        return pieces

    # Conditions instead of max() below, because this is where a simulation spends its time.

    def _piece(self, seen_ps: int, number: int, address: int, stop: int, write: bool) -> Piece:
        earliest = self._next_write_ps if write else self._next_read_ps
        if earliest < seen_ps:
            earliest = seen_ps
        while earliest >= self._next_refresh_ps:
            self._refresh()
        row, bank = divmod(number, self._banks)
        if self._open_row[bank] == row:
            self.counts.hits += 1
        else:
            self._open(bank, row, seen_ps)
        command = self._column_from[bank]
        if command < earliest:
            command = earliest
        burst, burst_ps = self._burst_bytes, self._burst_ps
        bursts = -(-stop // burst) - address // burst
        last_command = command + (bursts - 1) * burst_ps
        latency = (self._write_ps if write else self._read_ps) + self._data_ps
        last = last_command + latency
        if write:
            held = last + self._tWR
            self._next_write_ps = last_command + burst_ps
            self._next_read_ps = last + self._tWTR
        else:
            held = last_command + self._tRTP
            self._next_read_ps = last_command + burst_ps
            self._next_write_ps = last_command + self._read_to_write_ps
        if held > self._precharge_from[bank]:
            self._precharge_from[bank] = held
        self.counts.busy_ps += bursts * self._data_ps
        return Piece(stop - address, command + latency, last, burst, burst_ps, address % burst)

    def _open(self, bank: int, row: int, seen_ps: int) -> None:
        """Activate a row as soon as its bank, and the activates before it, allow."""
        counts, activates = self.counts, self._activates
        activate = seen_ps
        if self._open_row[bank] == _CLOSED:
            counts.misses += 1
        else:
            counts.conflicts += 1
            if activate < self._precharge_from[bank]:
                activate = self._precharge_from[bank]
            activate += self._tRP
        activate = max(activate, self._refreshed_ps, activates[-1] + self._tRRD, activates[0] + self._tFAW)
        activates.append(activate)
        counts.activates += 1
        self._open_row[bank] = row
        self._column_from[bank] = activate + self._tRCD
        self._precharge_from[bank] = activate + self._tRAS

    def _refresh(self) -> None:
        """Close every row and refresh all banks, as soon as it is due and the banks allow."""
        start = max(self._next_refresh_ps, self._refreshed_ps, max(self._precharge_from) + self._tRP)
        self._open_row = [_CLOSED] * self._banks
        self._refreshed_ps = start + self._tRFC
        self._next_refresh_ps += self._tREFI
        self.counts.refreshes += 1
