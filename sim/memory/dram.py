"""A DRAM rank as banks with open rows: plain timing functions under the JEDEC constraints (JESD79-3, section 4)."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from accel.memory import DramDevice


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
        self._open_row = [-1] * device.banks
        self._column_from = [0] * device.banks  # first time for a column command: activate + tRCD
        self._precharge_from = [0] * device.banks
        self._activate_from = [0] * device.banks  # precharge + tRP, or the end of a refresh
        self._activates: deque[int] = deque([-self._tFAW] * 4, maxlen=4)
        self._next_read_ps = 0
        self._next_write_ps = 0
        self._next_refresh_ps = self._tREFI

    def access(self, now_ps: int, address: int, size_bytes: int, write: bool) -> list[Piece]:
        """Serve a request that the controller sees at `now_ps`, not before the one served last, and return its pieces.

        For a write, a piece's times are when the memory has taken the data.
        """
        pieces = []
        end = address + size_bytes
        while address < end:
            stop = min(end, (address // self._row_bytes + 1) * self._row_bytes)
            pieces.append(self._piece(now_ps, address, stop, write))
            address = stop
        return pieces

    def _piece(self, now_ps: int, address: int, stop: int, write: bool) -> Piece:
        tck, burst = self._tck, self._burst_bytes
        earliest = max(-(-now_ps // tck) * tck, self._next_write_ps if write else self._next_read_ps)
        while earliest >= self._next_refresh_ps:
            self._refresh()
        number = address // self._row_bytes
        bank, row = number % self._banks, number // self._banks
        if self._open_row[bank] == row:
            self.counts.hits += 1
        else:
            self._open(bank, row, -(-now_ps // tck) * tck)
        command = max(earliest, self._column_from[bank])
        bursts = -(-stop // burst) - address // burst
        last_command = command + (bursts - 1) * self._burst_ps
        latency = self._write_ps if write else self._read_ps
        first = command + latency + self._data_ps
        last = last_command + latency + self._data_ps
        if write:
            held = last + self._tWR
            self._next_write_ps = last_command + self._burst_ps
            self._next_read_ps = last + self._tWTR
        else:
            held = last_command + self._tRTP
            self._next_read_ps = last_command + self._burst_ps
            self._next_write_ps = last_command + self._read_to_write_ps
        self._precharge_from[bank] = max(self._precharge_from[bank], held)
        self.counts.busy_ps += bursts * self._data_ps
        return Piece(stop - address, first, last, burst, self._burst_ps, address % burst)

    def _open(self, bank: int, row: int, now_ps: int) -> None:
        activate = max(now_ps, self._activate_from[bank])
        if self._open_row[bank] < 0:
            self.counts.misses += 1
        else:
            self.counts.conflicts += 1
            activate = max(activate, max(now_ps, self._precharge_from[bank]) + self._tRP)
        activate = max(activate, self._activates[-1] + self._tRRD, self._activates[0] + self._tFAW)
        self._activates.append(activate)
        self.counts.activates += 1
        self._open_row[bank] = row
        self._column_from[bank] = activate + self._tRCD
        self._precharge_from[bank] = activate + self._tRAS

    def _refresh(self) -> None:
        """Close every row and refresh all banks, as soon as it is due and the banks allow."""
        start = self._next_refresh_ps
        for bank, row in enumerate(self._open_row):
            ready = self._activate_from[bank] if row < 0 else self._precharge_from[bank] + self._tRP
            start = max(start, ready)
        self._open_row = [-1] * self._banks
        self._activate_from = [start + self._tRFC] * self._banks
        self._next_refresh_ps += self._tREFI
        self.counts.refreshes += 1
