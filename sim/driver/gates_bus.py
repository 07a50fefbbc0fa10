"""A machine's gates on a simulated bus, as a driver's bus."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.bus.register import REGISTER_BYTES
from deltatrain.accel.bus.registers import ADDRESS_BITS as REGISTER_ADDRESS_BITS
from deltatrain.accel.cell_arithmetic import name_of
from deltatrain.rtl.bus.core import Core
from deltatrain.sim.driver.bus import Bus
from deltatrain.sim.driver.errors import BusError
from deltatrain.sim.driver.program_image import ProgramImage
from deltatrain.sim.gates.bus.register_host import Access
from deltatrain.sim.gates.bus.system import System
from deltatrain.sim.gates.engines import engine_named
from deltatrain.sim.gates.packing import packer
from deltatrain.sim.gates.simulation import Simulation

__all__ = ["GatesBus"]

_BEAT_NUMBER_BYTES = 4  # in what the memory's host port takes
_MOST_ACCESS_CYCLES = 10_000


class GatesBus(Bus):
    """Time passes only while the bus is used: an access to a register takes `access_cycles`, as a processor's does.

    Parameters
    ----------
    simulation
        Of a `sim.gates.bus.system.System`.
    system
        That system.
    access_cycles
        Cycles from one access to a register until the next may begin.
    stalls
        In so many of 256 cycles, at random, each channel of the memory does not go on.
    """

    def __init__(self, simulation: Simulation, system: System, *, access_cycles: int = 64, stalls: int = 0) -> None:
        self._simulation, self._beat_bytes = simulation, system.data_bytes
        self._memory_bytes = system.data_bytes * system.beats
        self._access_cycles = access_cycles
        self._packed = packer(Access())
        simulation.set("stalls", stalls)

    @classmethod
    def of(cls, image: ProgramImage, *, memory_bytes: int, engine: str | None = None, stalls: int = 0) -> GatesBus:
        """Return the bus of the machine that a program is for, drawn and simulated.

        Parameters
        ----------
        image
            The program.
        memory_bytes
            Memory there is at least, from address 0 on.
        engine
            What simulates the gates, see `sim.gates.engines`.
        stalls
            As above.
        """
        cell = name_of(image.shape.network.arithmetic)
        core = Core(architecture=image.shape.architecture, cell=cell, sizes=image.sizes)
        beats = 1 << (-(-memory_bytes // core.beat_bytes) - 1).bit_length()
        system = System(core, data_bytes=core.beat_bytes, beats=beats)
        return cls(engine_named(engine)(system), system, stalls=stalls)

    @property
    def interrupts(self) -> bool:
        """Whether the machine interrupts."""
        return bool(self._simulation.value("interrupts"))

    @property
    def breaks_rule(self) -> bool:
        """Whether the machine has ever broken a rule of the bus."""
        return bool(self._simulation.value("breaks_rule"))

    def read32(self, address: int) -> int:
        """Return the register at `address`."""
        return self._accessed({"writes": 0, "address": address, "value": 0})

    def write32(self, address: int, value: int) -> None:
        """Write the register at `address`."""
        self._accessed({"writes": 1, "address": address, "value": value})

    def _accessed(self, access: dict[str, int]) -> int:
        """Do an access and return the value that came of it."""
        address = access["address"]
        if address % REGISTER_BYTES or not 0 <= address < 1 << REGISTER_ADDRESS_BITS:
            raise BusError(f"there is no register at {address:#x}")
        simulation = self._simulation
        simulation.offer("accesses", simulation.cycle, self._packed(access))
        until = simulation.cycle + _MOST_ACCESS_CYCLES
        while True:
            simulation.run(simulation.cycle + self._access_cycles)
            if answers := simulation.taken("answers"):
                ((_, answer),) = answers
                break
            if simulation.cycle > until:
                raise BusError(f"the register at {address:#x} does not answer")
        if answer & 0b11:
            raise BusError(f"the register at {address:#x} answered with an error")
        return answer >> 2

    def read_bytes(self, address: int, count: int) -> bytes:
        """Return bytes of memory."""
        first, beats = self._beats(address, count)
        if not beats:
            return b""
        numbers = np.arange(first, first + beats, dtype="<u4")
        simulation = self._simulation
        simulation.offer_array("host_addresses", self._now(beats), numbers)
        simulation.run(simulation.cycle + beats)
        _, rows = simulation.taken_array("host_words")
        return rows.tobytes()[address % self._beat_bytes :][:count]

    def write_bytes(self, address: int, data: bytes) -> None:
        """Write bytes of memory; of the first and the last beat the other bytes are read before."""
        first, beats = self._beats(address, len(data))
        if not beats:
            return
        before, after = address % self._beat_bytes, -(address + len(data)) % self._beat_bytes
        whole = b"".join(
            (
                self.read_bytes(address - before, before) if before else b"",
                data,
                self.read_bytes(address + len(data), after) if after else b"",
            )
        )
        rows = np.zeros((beats, _BEAT_NUMBER_BYTES + self._beat_bytes), dtype=np.uint8)
        rows[:, :_BEAT_NUMBER_BYTES] = np.arange(first, first + beats, dtype="<u4")[:, None].view(np.uint8)
        rows[:, _BEAT_NUMBER_BYTES:] = np.frombuffer(whole, dtype=np.uint8).reshape(beats, self._beat_bytes)
        self._simulation.offer_array("host_writes", self._now(beats), rows)
        self._simulation.run(self._simulation.cycle + beats)

    def _now(self, items: int) -> NDArray[np.int64]:
        return np.full(items, self._simulation.cycle, dtype=np.int64)

    def _beats(self, address: int, count: int) -> tuple[int, int]:
        """Return the first beat that holds some of these bytes, and how many do."""
        if not 0 <= address <= address + count <= self._memory_bytes:
            raise BusError(f"there is no memory at {address:#x}")
        first = address // self._beat_bytes
        return first, -(-(address + count) // self._beat_bytes) - first if count else 0
