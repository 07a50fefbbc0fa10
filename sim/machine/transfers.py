"""Load and store: vectors between local and off-chip memory."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial

from deltatrain.sim.machine.transfers_in_flight import Transfer, TransfersInFlight
from deltatrain.sim.machine.units import Issue, Tile, Unit, Waits
from deltatrain.sim.memory.clock import LOAD, Turn
from deltatrain.sim.memory.port import Arrival
from deltatrain.sim.memory.remote_memory import RemoteMemory


class _Mover(Unit):
    """A unit that may take its next op while transfers of those before are in flight.

    Parameters
    ----------
    name
        "load" or "store".
    tile
        Whose unit it is.
    memory
        The off-chip memory.
    """

    def __init__(self, name: str, tile: Tile, memory: RemoteMemory) -> None:
        super().__init__(name, tile)
        program, engine = tile.program, tile.program.architecture.engine
        self._memory = memory
        self._word_bytes = program.architecture.tiles.count * engine.lanes * engine.formats.activation.bytes
        self._address, self._size_bytes = program.ops.address, program.ops.count
        self._in_flight = TransfersInFlight(tile.clock, program.architecture.dma.in_flight)

    def _issue(self, op: int) -> Issue:
        """Ask the memory, and wait until the unit can take its next op."""
        if not self._size_bytes[op]:
            return 0
        yield from self._ask(op, int(self._address[op]), int(self._size_bytes[op]))
        yield from self._in_flight.make_room(self._tile.issue_cycles[op])
        return self._tile.issue_cycles[op]

    @abstractmethod
    def _ask(self, op: int, address: int, size_bytes: int) -> Waits:
        """Begin a transfer in its phase of this cycle."""

    def _retire(self, op: int) -> None:
        if not self._size_bytes[op]:
            super()._retire(op)  # any other op is done when its bytes are there

    def _moved(self, op: int, there: int) -> None:
        """Retire an op whose bytes are there in cycle `there`, as soon as units may know of it."""
        self._tile.scoreboard.retire_at(op, there + self._tile.drain_cycles[op])


class Load(_Mover):
    """Moves bytes from off-chip memory; each tile takes a word a cycle."""

    def _ask(self, op: int, address: int, size_bytes: int) -> Waits:
        yield Turn(self._clock, self._clock.cycle, LOAD)
        arrived = partial(self._arrived, op, self._in_flight.begin(), -(-size_bytes // self._word_bytes))
        self._memory.read(address, size_bytes, self._word_bytes, arrived)

    def _arrived(self, op: int, transfer: Transfer, words: int, arrival: Arrival) -> None:
        self._moved(op, self._in_flight.end(transfer, arrival.ready, words))


class Store(_Mover):
    """Moves bytes to off-chip memory; they are there from the cycle in which the memory tells that it took them."""

    def _ask(self, op: int, address: int, size_bytes: int) -> Waits:
        self._memory.write(address, size_bytes, partial(self._taken, op, self._in_flight.begin()))
        yield from ()  # in the first phase

    def _taken(self, op: int, transfer: Transfer, cycle: int) -> None:
        self._moved(op, self._in_flight.end(transfer, cycle + 1, 0))
