"""A machine in the fabric of a Zynq under PYNQ, as a driver's bus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from deltatrain.sim.driver.bus import Bus, no_packets

__all__ = ["PynqBus"]


class PynqBus(Bus):
    """Registers by memory-mapped input and output, memory by a contiguous buffer.

    Parameters
    ----------
    registers
        A ``pynq.MMIO`` of the machine's registers; an IP of an overlay has one as ``mmio``.
    buffer
        Of ``pynq.allocate(shape=(bytes,), dtype="u1")``. The driver's ``memory`` is its ``device_address``.
    packets
        Returns the bytes of the next packet of ``m_axis``, such as one transfer of a DMA's ``recvchannel``.
    """

    def __init__(self, registers: Any, buffer: Any, packets: Callable[[], bytes] = no_packets) -> None:
        self._registers, self._buffer, self._packets = registers, buffer, packets

    def read32(self, address: int) -> int:
        """Return the register at `address`."""
        return int(self._registers.read(address))

    def write32(self, address: int, value: int) -> None:
        """Write the register at `address`."""
        self._registers.write(address, value)

    def read_bytes(self, address: int, count: int) -> bytes:
        """Return bytes of the buffer, as the machine left them in memory."""
        self._buffer.invalidate()
        return np.asarray(self._buffer[self._within(address, count)]).tobytes()

    def write_bytes(self, address: int, data: bytes) -> None:
        """Write bytes of the buffer, through the processor's caches."""
        self._buffer[self._within(address, len(data))] = np.frombuffer(data, dtype=np.uint8)
        self._buffer.flush()

    def read_packet(self) -> bytes:
        """Return the next packet of results."""
        return self._packets()

    def _within(self, address: int, count: int) -> slice:
        first = address - self._buffer.device_address
        if not 0 <= first <= first + count <= len(self._buffer):
            raise ValueError(f"bytes {address:#x} to {address + count:#x} are outside of the buffer")
        return slice(first, first + count)
