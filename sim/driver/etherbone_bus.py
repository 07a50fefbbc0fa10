"""A machine in a LiteX system, over its Etherbone or UART bridge, as a driver's bus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deltatrain.sim.driver.bus import Bus, no_packets

__all__ = ["EtherboneBus"]

_WORD_BYTES = 4


class EtherboneBus(Bus):
    """Registers and memory by reads and writes of words on the system's bus.

    Parameters
    ----------
    client
        An opened ``litex.RemoteClient``: ``read(address, length)`` returns a list of words, ``write(address, words)``
        takes one.
    registers
        Address of the machine's first register on that bus.
    memory
        Address there of what the machine sees at address 0.
    packets
        Returns the bytes of the next packet of ``m_axis``, such as of a queue that the system has for it.
    """

    def __init__(
        self, client: Any, *, registers: int, memory: int = 0, packets: Callable[[], bytes] = no_packets
    ) -> None:
        self._client, self._registers, self._memory, self._packets = client, registers, memory, packets

    def read32(self, address: int) -> int:
        """Return the register at `address`."""
        return int(self._client.read(self._registers + address, 1)[0])

    def write32(self, address: int, value: int) -> None:
        """Write the register at `address`."""
        self._client.write(self._registers + address, [value])

    def read_bytes(self, address: int, count: int) -> bytes:
        """Return bytes of memory."""
        before = address % _WORD_BYTES
        words = self._client.read(self._memory + address - before, -(-(before + count) // _WORD_BYTES)) if count else []
        return b"".join(int(word).to_bytes(_WORD_BYTES, "little") for word in words)[before:][:count]

    def read_packet(self) -> bytes:
        """Return the next packet of results."""
        return self._packets()

    def write_bytes(self, address: int, data: bytes) -> None:
        """Write bytes of memory; of the first and the last word the other bytes are read before."""
        before, after = address % _WORD_BYTES, -(address + len(data)) % _WORD_BYTES
        if not data:
            return
        whole = self.read_bytes(address - before, before) + data + self.read_bytes(address + len(data), after)
        words = [int.from_bytes(whole[at : at + _WORD_BYTES], "little") for at in range(0, len(whole), _WORD_BYTES)]
        self._client.write(self._memory + address - before, words)
