"""A host and a memory on the buses of a core, a cycle at a time: what `sim.driver` reads and writes through.

It is written from the AXI specification alone, and shares nothing with the gates or with `sim.gates.bus`.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

_SLVERR = 2


@dataclass
class _Burst:
    """A burst in the memory: where, its beats, the cycle in which it may be answered."""

    address: int
    beats: int
    due: int
    words: list[tuple[int, int]] = field(default_factory=list)


class AxiBus:
    """Runs a simulation of a core, and checks what it does on its buses.

    Parameters
    ----------
    simulation
        Of a `rtl.bus.core.Core`.
    beat_bytes
        Bytes of a beat on the bus of the memory.
    result_bytes
        Bytes of an item of the stream of results.
    seed
        Of all that is random: latency, and which ready or valid is low; None for a memory that answers at once.
    memory_bytes
        Of the memory; beyond them it answers with errors.

    Attributes
    ----------
    items
        What is still to be offered on the stream of sequences.
    takes_results
        Share of the cycles in which an item of a packet that is read is taken, where anything is random.
    """

    def __init__(
        self,
        simulation: Any,
        *,
        beat_bytes: int,
        result_bytes: int,
        seed: int | None = None,
        memory_bytes: int = 1 << 16,
    ) -> None:
        self.simulation, self.memory = simulation, bytearray(memory_bytes)
        self.bad_reads: set[int] = set()
        self.bad_writes: set[int] = set()
        self.longest_read = self.longest_write = self.most_reads = 0
        self._beat_bytes = beat_bytes
        self._random = None if seed is None else random.Random(seed)
        self._reads: deque[_Burst] = deque()
        self._writes: deque[_Burst] = deque()
        self._answers: deque[tuple[int, int]] = deque()
        self._early: deque[tuple[int, int, int]] = deque()  # beats may come before their address
        self.items: deque[int] = deque()
        self.takes_results = 0.5
        self._result_bytes = result_bytes
        self._packet: list[int] = []
        self._wants_packet = False
        self._keeps_item = False  # an item of the stream was offered and not taken
        self._keeps_beat = False  # a beat was offered and not taken
        self._held: dict[str, tuple[int, ...]] = {}
        self._inputs: dict[str, int] = {}

    # --- what a driver does

    def read32(self, address: int) -> int:
        """Return a register."""
        self._set(s_axi_araddr=address, s_axi_arvalid=1, s_axi_rready=0)
        self._until("s_axi_arready", "s_axi_arvalid")
        self._pause()
        self._set(s_axi_rready=1)
        return self._until("s_axi_rvalid", "s_axi_rready", "s_axi_rdata")

    def write32(self, address: int, value: int, strobes: int = 0xF) -> None:
        """Write a register; address and word come in either order."""
        self._set(s_axi_awaddr=address, s_axi_wdata=value, s_axi_wstrb=strobes, s_axi_bready=0)
        first, second = ("s_axi_awvalid", "s_axi_wvalid") if self._is_likely(0.5) else ("s_axi_wvalid", "s_axi_awvalid")
        self._set(**{first: 1})
        self._pause()
        self._set(**{second: 1})
        waiting = {"s_axi_awvalid": "s_axi_awready", "s_axi_wvalid": "s_axi_wready"}
        while waiting:
            taken = [valid for valid, ready in waiting.items() if self._value(ready)]
            self.tick()
            for valid in taken:
                self._set(**{valid: 0})
                del waiting[valid]
        self._pause()
        self._set(s_axi_bready=1)
        assert self._until("s_axi_bvalid", "s_axi_bready", "s_axi_bresp") == 0

    def read_bytes(self, address: int, count: int) -> bytes:
        """Return bytes of memory."""
        return bytes(self.memory[address : address + count])

    def write_bytes(self, address: int, data: bytes) -> None:
        """Write bytes of memory."""
        self.memory[address : address + len(data)] = data

    def read_packet(self) -> bytes:
        """Return the next packet of results, which must come."""
        self._packet, self._wants_packet = [], True
        for _ in range(1000):
            self.tick()
            if not self._wants_packet:
                return b"".join(item.to_bytes(self._result_bytes, "little") for item in self._packet)
        raise AssertionError("no packet came in 1000 cycles")

    # --- a cycle

    def tick(self) -> None:
        """Let a cycle pass: offer and take what is random, then clock."""
        cycle = self.simulation.cycle
        offered = self._offer(cycle)
        self._check_stable()
        self._take(cycle, offered)
        self.simulation.run(cycle + 1)

    def _offer(self, cycle: int) -> tuple[bool, bool]:
        """Drive the memory's side; return whether a beat that is read, and a response, are offered."""
        readies = {f"m_axi_{name}ready": int(self._is_likely(0.7)) for name in ("aw", "w", "ar")}
        readies["m_axi_arready"] &= len(self._reads) < 12
        reads = bool(self._reads and self._reads[0].due <= cycle and (self._keeps_beat or self._is_likely(0.8)))
        self._keeps_beat = reads
        if reads:
            burst = self._reads[0]
            bad = burst.address in self.bad_reads or not self._is_inside(burst.address)
            raw = self.memory[burst.address : burst.address + self._beat_bytes]
            response = _SLVERR if bad else 0
            readies |= {"m_axi_rdata": int.from_bytes(raw, "little"), "m_axi_rresp": response}
            readies["m_axi_rlast"] = int(burst.beats == 1)
        answers = bool(self._answers and self._answers[0][0] <= cycle)
        if answers:
            readies["m_axi_bresp"] = self._answers[0][1]
        self._keeps_item = bool(self.items and (self._keeps_item or self._is_likely(0.5)))
        if self._keeps_item:
            readies["s_axis_tdata"] = self.items[0]
        readies["m_axis_tready"] = int(self._wants_packet and self._is_likely(self.takes_results))
        self._set(**readies, s_axis_tvalid=int(self._keeps_item), m_axi_rvalid=int(reads), m_axi_bvalid=int(answers))
        return reads, answers

    def _take(self, cycle: int, offered: tuple[bool, bool]) -> None:
        """Do what the handshakes of this cycle say."""
        if self._goes("ar"):
            burst = self._burst("ar", cycle)
            self.longest_read = max(self.longest_read, burst.beats)
            self._reads.append(burst)
            self.most_reads = max(self.most_reads, len(self._reads))
        if offered[0] and self._value("m_axi_rready"):
            burst = self._reads[0]
            burst.address, burst.beats = burst.address + self._beat_bytes, burst.beats - 1
            self._keeps_beat = False
            if not burst.beats:
                self._reads.popleft()
        if self._goes("aw"):
            burst = self._burst("aw", cycle)
            self.longest_write = max(self.longest_write, burst.beats)
            self._writes.append(burst)
        if offered[1] and self._value("m_axi_bready"):
            self._answers.popleft()
        if self._goes("w"):
            self._early.append((self._value("m_axi_wdata"), self._value("m_axi_wstrb"), self._value("m_axi_wlast")))
        self._store(cycle)
        if self._inputs["m_axis_tready"] and self._value("m_axis_tvalid"):
            self._packet.append(self._value("m_axis_tdata"))
            self._wants_packet = not self._value("m_axis_tlast")
        if self._keeps_item and self._value("s_axis_tready"):
            self.items.popleft()
            self._keeps_item = False

    def _store(self, cycle: int) -> None:
        while self._writes and self._early:
            burst = self._writes[0]
            bytes_, strobes, last = self._early.popleft()
            assert last == (burst.beats == 1), "the last beat must say so, and no other"
            raw = bytes_.to_bytes(self._beat_bytes, "little")
            bad = burst.address in self.bad_writes or not self._is_inside(burst.address)
            for number in range(self._beat_bytes):
                if strobes >> number & 1 and not bad:
                    self.memory[burst.address + number] = raw[number]
            burst.words.append((bad, 0))
            burst.address, burst.beats = burst.address + self._beat_bytes, burst.beats - 1
            if not burst.beats:
                self._writes.popleft()
                wrong = any(word[0] for word in burst.words)
                self._answers.append((cycle + 1 + self._latency(), _SLVERR if wrong else 0))

    def _burst(self, channel: str, cycle: int) -> _Burst:
        """Return a burst that is taken, which must keep the rules."""
        address, beats = self._value(f"m_axi_{channel}addr"), self._value(f"m_axi_{channel}len") + 1
        assert self._value(f"m_axi_{channel}burst") == 1, "bursts must increment"
        assert 1 << self._value(f"m_axi_{channel}size") == self._beat_bytes
        assert address % self._beat_bytes == 0
        assert address // 4096 == (address + beats * self._beat_bytes - 1) // 4096, "a burst crosses 4 KiB"
        return _Burst(address, beats, cycle + 1 + self._latency())

    def _check_stable(self) -> None:
        """Check that what was offered and not taken is offered still (AXI4 specification, A3.2.1)."""
        stream = tuple(self._value(f"m_axis_t{name}") for name in ("valid", "data", "last"))
        if "results" in self._held:
            assert self._held.pop("results") == stream, "the stream of results did not keep what it offered"
        if stream[0] and not self._inputs["m_axis_tready"]:
            self._held["results"] = stream
        for channel, names in (
            ("aw", ("awaddr", "awlen")),
            ("w", ("wdata", "wstrb", "wlast")),
            ("ar", ("araddr", "arlen")),
        ):
            valid = self._value(f"m_axi_{channel}valid")
            now = tuple(self._value(f"m_axi_{name}") for name in names)
            if channel in self._held:
                assert valid and self._held[channel] == now, f"{channel} did not keep what it offered"
                del self._held[channel]
            if valid and not self._inputs[f"m_axi_{channel}ready"]:
                self._held[channel] = now

    # --- the wires

    def _goes(self, channel: str) -> bool:
        return bool(self._inputs[f"m_axi_{channel}ready"] and self._value(f"m_axi_{channel}valid"))

    def _set(self, **values: int) -> None:
        for name, value in values.items():
            if self._inputs.get(name) != value:
                self._inputs[name] = value
                self.simulation.set(name, value)

    def _value(self, name: str) -> int:
        return int(self.simulation.value(name))

    def _until(self, awaited: str, drops: str, wanted: str | None = None) -> int:
        """Let cycles pass until `awaited` is high in one; then drop a wire; return another as it was then."""
        for _ in range(1000):
            met = self._value(awaited)
            found = self._value(wanted) if wanted else 0
            self.tick()
            if met:
                self._set(**{drops: 0})
                return found
        raise AssertionError(f"{awaited} was not high in 1000 cycles")

    # --- what is random

    def _is_likely(self, share: float) -> bool:
        return self._random is None or self._random.random() < share

    def _latency(self) -> int:
        return 0 if self._random is None else int(self._random.expovariate(0.1))

    def _pause(self) -> None:
        if self._random is not None:
            for _ in range(self._random.randrange(3)):
                self.tick()

    def _is_inside(self, address: int) -> bool:
        return 0 <= address < len(self.memory)
