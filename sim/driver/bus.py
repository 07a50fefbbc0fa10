"""The one interface between a driver and a machine: its registers, and the memory that both see."""

from __future__ import annotations

from typing import Protocol

from deltatrain.sim.driver.errors import BusError

__all__ = ["Bus", "no_packets"]


class Bus(Protocol):
    """Registers and memory, whatever carries the reads and writes.

    Addresses of registers are offsets from the machine's first one. Addresses of memory are those that the machine
    uses. Every method raises `sim.driver.errors.BusError` if the bus answers with an error. What is written to memory
    is there for the machine before a register that is written later: a bus with caches flushes them here.
    """

    def read32(self, address: int) -> int:
        """Return the register at `address`."""

    def write32(self, address: int, value: int) -> None:
        """Write the register at `address`."""

    def read_bytes(self, address: int, count: int) -> bytes:
        """Return `count` bytes of memory from `address` on."""

    def read_packet(self) -> bytes:
        """Return the next packet of the machine's stream of results, of which the machine has said that it waits."""

    def write_bytes(self, address: int, data: bytes) -> None:
        """Write memory from `address` on."""


def no_packets() -> bytes:
    """Raise what a bus does that the stream of results does not come to."""
    raise BusError("the stream of results does not come to this bus")
