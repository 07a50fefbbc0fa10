"""What a driver does on a bus, written down: each access, and what it was answered."""

from __future__ import annotations

from deltatrain.sim.driver.bus import Bus

WORD_BYTES = 4


class BusRecord(Bus):
    """Hands accesses on to another bus, and keeps them as words of a system's bus.

    `accesses` has for each (kind, address, word, lanes): a "write" of those bytes of the word, or a "read" that found
    them. `registers` is where the machine's registers are on the system's bus.
    """

    def __init__(self, bus: Bus, *, registers: int) -> None:
        self._bus, self._registers = bus, registers
        self.accesses: list[tuple[str, int, int, int]] = []

    def read32(self, address: int) -> int:
        value = self._bus.read32(address)
        self._keep("read", self._registers + address, value.to_bytes(WORD_BYTES, "little"))
        return value

    def write32(self, address: int, value: int) -> None:
        self._bus.write32(address, value)
        self._keep("write", self._registers + address, value.to_bytes(WORD_BYTES, "little"))

    def read_bytes(self, address: int, count: int) -> bytes:
        found = self._bus.read_bytes(address, count)
        self._keep("read", address, found)
        return found

    def write_bytes(self, address: int, data: bytes) -> None:
        self._bus.write_bytes(address, data)
        self._keep("write", address, data)

    def read_packet(self) -> bytes:
        return self._bus.read_packet()

    def _keep(self, kind: str, address: int, data: bytes) -> None:
        """Keep an access, word after word."""
        for first in range(address - address % WORD_BYTES, address + len(data), WORD_BYTES):
            word = lanes = 0
            for lane in range(WORD_BYTES):
                if 0 <= (at := first + lane - address) < len(data):
                    word |= data[at] << 8 * lane
                    lanes |= 1 << lane
            self.accesses.append((kind, first, word, lanes))
