"""A training step on the gates, in lock-step with off-chip memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from amaranth.hdl import Shape

from deltatrain.accel.cell_arithmetic import name_of
from deltatrain.accel.counters import CacheCounters, Cause, Counters, causes
from deltatrain.accel.number import Integers
from deltatrain.accel.program import PHASES
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.off_chip.found import COUNT_BITS
from deltatrain.rtl.tile import RESET_CYCLES, Tile
from deltatrain.rtl.tiles.tile_array import TileArray
from deltatrain.sim.gates.commands import Commands
from deltatrain.sim.gates.images import Images, from_bytes
from deltatrain.sim.gates.layout import Layout
from deltatrain.sim.gates.loaded_words import LoadedWords
from deltatrain.sim.gates.packing import pack, packer
from deltatrain.sim.gates.ports import Ports
from deltatrain.sim.gates.remote_host import RemoteHost
from deltatrain.sim.gates.simulation import Simulation
from deltatrain.sim.gates.step import NumberedStep
from deltatrain.sim.gates.tile_process import TileProcess, requests_of
from deltatrain.sim.machine import tally
from deltatrain.sim.memory.clock import Clock

__all__ = ["GatesResult", "StepOnGates", "tile_for"]

_PROGRESS_EVERY_STOPS = 256


class GatesResult(NamedTuple):
    """What the gates did.

    Attributes
    ----------
    counters
        As every fidelity gives them; cycles, busy and stalled cycles are the gates' own.
    matrices
        Every matrix W and dW by name as the run left it, shape (rows, columns).
    """

    counters: Counters
    matrices: dict[str, Integers]


def tile_for(step: NumberedStep, sizes: TileSizes) -> Tile | TileArray:
    """Return a tile, or several, of these sizes for the machine and the cell of `step`."""
    cell, neuron = name_of(step.shape.arithmetic), getattr(step.shape.arithmetic, "NEURON", None)
    kind = TileArray if sizes.is_part else Tile
    return kind(architecture=step.architecture, cell=cell, sizes=sizes, neuron=neuron)


class StepOnGates:
    """One training step, laid out for a tile, ready to run on any simulator of the tile.

    Parameters
    ----------
    step
        The training step.
    tile
        The gates, of the same machine and cell and large enough; without it gates of just the size are made.

    Attributes
    ----------
    layout, commands
        Where everything is in the tile, and what its units are told.
    tile
        The gates.
    stops
        The tile's streams of requests (`sim.gates.tile_process.requests_of`).
    """

    def __init__(self, step: NumberedStep, tile: Tile | TileArray | None = None) -> None:
        self._step, self._program = step, step.program
        self.layout = Layout(step.program, step.shape, step.network.readout, tile.sizes if tile else None)
        if tile is not None and self.layout.sizes != tile.sizes:
            raise ValueError(f"the step needs a tile of at least {self.layout.sizes}, not {tile.sizes}")
        self.commands = Commands(step, self.layout)
        self._images = Images(step, self.layout, self.commands)
        self.tile = tile or tile_for(step, self.layout.sizes)
        self.stops = tuple(requests_of(Ports.of(self.tile).sinks))

    def run(self, simulation: Simulation, on_progress: Callable[[float], None] | None = None) -> GatesResult:
        """Run to the end and return what was counted and computed."""
        image = self._images.remote(self._images.before)
        if self.layout.sizes.cache or self.layout.sizes.number_bits:
            simulation.run(simulation.cycle + self.layout.sizes.forget_cycles)
        self._fill_local(simulation)
        origin = self._start(simulation)
        clock = Clock(simulation.cycle - origin)
        host = RemoteHost(self._step.architecture, image, clock, self.layout.sizes.number_bits)
        tells, sizes = hasattr(self.tile, "fetch_passed"), self.layout.sizes
        row = self.tile.store_words.payload.shape() if sizes.store_words > 1 else None
        loaded = LoadedWords(simulation, origin, self._step.architecture.engine, sizes.load_words)
        tile = TileProcess(clock, simulation, host, self.stops, origin, sizes.stores, loaded, tells, row)
        clock.process(tile.run(self._progress(simulation, on_progress)))
        clock.run()
        cycles = host.memory.finish(simulation.cycle - origin)
        return GatesResult(self._counters(simulation, host, cycles), self._matrices(simulation, image))

    # --- before

    def _fill_local(self, simulation: Simulation) -> None:
        """Write W into the tile, where it lives there; of compressed columns their table and the numbers of dW, too."""
        sizes = self.layout.sizes
        if sizes.number_bits:
            self._fill_table(simulation)
        if sizes.weight_words:
            self._fill(simulation, "weights")
        if sizes.number_bits and sizes.gradient_words:
            self._fill(simulation, "gradients")

    def _fill(self, simulation: Simulation, kind: TensorKind) -> None:
        """Write the matrices of a kind that live in the tile."""
        before = self._images.before
        for tile, port in enumerate(self._local(kind)):
            packed = packer(self._inside(f"local_{kind}", tile).host_writes.payload.shape())
            words = self._images.local(before, kind, tile=tile).tolist()
            for address, word in enumerate(words):
                simulation.offer(f"{port}__host_writes", 0, packed({"address": address, "word": word}))
        simulation.run(simulation.cycle + len(words))

    def _fill_table(self, simulation: Simulation) -> None:
        """Write the table of compressed columns."""
        packed, rows = packer(self.tile.column_table.payload.shape()), self._images.column_rows()
        for address, row in enumerate(rows):
            simulation.offer("column_table", 0, packed({"address": address, "row": row}))
        simulation.run(simulation.cycle + len(rows))

    def _local(self, kind: str) -> list[str]:
        """Return for each tile, or array, the name of the host's port to its memory of weights or of gradients."""
        homes = self._homes
        return [f"local_{kind}" if homes == 1 else f"local_{kind}__{home}" for home in range(homes)]

    @property
    def _homes(self) -> int:
        """How many memories of W there are: one of several tiles, or of several arrays, has its own."""
        return self.layout.sizes.tiles * self.layout.sizes.arrays

    def _inside(self, port: str, home: int) -> Any:
        """Return a port that each tile, or array, has."""
        found = getattr(self.tile, port)
        return found if self._homes == 1 else found[home]

    def _start(self, simulation: Simulation) -> int:
        """Hand over commands and let the tile start; return the simulator's cycle that is the program's first."""
        for name, factor in self._step.update_factors.items():
            width = Shape.cast(getattr(self.tile, name).shape()).width
            simulation.set(name, factor & ((1 << width) - 1))
        simulation.set("finishes", pack(self.tile.finishes.shape(), self.commands.finishes))
        for name, payloads in self.commands.packed(self.tile).items():
            for payload in payloads:
                simulation.offer(name, simulation.cycle, payload)
        simulation.set("start", 1)
        return simulation.cycle + RESET_CYCLES

    # --- meanwhile

    def _progress(self, simulation: Simulation, tell: Callable[[float], None] | None) -> Callable[[], None]:
        """Return what tells now and then which share of the ops is done."""
        total, stops = sum(self.commands.finishes), itertools.count()

        def stopped() -> None:
            if tell is not None and next(stops) % _PROGRESS_EVERY_STOPS == 0:
                tell(sum(_fields(simulation.value("done_counts"), len(self.layout.sizes.units))) / total)

        return stopped

    # --- after

    def _counters(self, simulation: Simulation, host: RemoteHost, cycles: int) -> Counters:
        """Return the gates' counters beside those of the memory."""
        program, sizes = self._program, self.layout.sizes
        waited = causes(sizes.units)
        per_phase = 1 + len(waited)
        count = len(sizes.units) - 2 + len(PHASES) + sizes.stores
        values = _fields(simulation.value("spent"), count * per_phase, 32)
        spent = [_tally(values[at : at + per_phase], waited) for at in range(0, len(values), per_phase)]
        engine = spent[1 : 1 + len(PHASES)]
        if sizes.banks:  # lanes that lack a word of a local matrix wait for its bank
            _rename(engine, "stream", "sram")
        others = [spent[0], _sum(engine), *spent[1 + len(PHASES) :], tally.UnitTally()]
        units = dict(zip(sizes.units, others, strict=False))  # a tile without a store has no counters of it
        remote = tally.remote_counters(program, host.memory.port)
        found = tally.counters(program, cycles, units, dict(zip(PHASES, engine, strict=True)), remote)
        return found.model_copy(update={"cache": self._looked_up(simulation)})

    def _looked_up(self, simulation: Simulation) -> dict[str, CacheCounters]:
        """Return what the tile looked up in its column cache, by phase; nothing without one.

        A tile has none either if all matrices live in it: zeros then, as nothing is looked up.
        """
        if self._program.cached_runs is None:
            return {}
        names = list(CacheCounters.model_fields)
        told = simulation.value("looked_up") if self.layout.sizes.cache else 0
        values = _fields(told, len(PHASES) * len(names), COUNT_BITS)
        of_phase = [values[at : at + len(names)] for at in range(0, len(values), len(names))]
        return {
            phase: CacheCounters(**dict(zip(names, counted, strict=True)))
            for phase, counted in zip(PHASES, of_phase, strict=True)
        }

    def _matrices(self, simulation: Simulation, image: bytearray) -> dict[str, Integers]:
        """Return what memory holds, here or off-chip."""
        lanes, found = self._step.architecture.engine.lanes, {}
        for index, tensor in enumerate(self._program.tensors):
            number = self._images.number(tensor)
            words = self.layout.own_words(index)
            if tensor.remote:
                data = np.frombuffer(image[tensor.address : tensor.address + tensor.bytes], np.uint8)
                of_values = tensor.word_bytes - (tensor.compressed.number_bytes if tensor.compressed else 0)
                values_alone = data.reshape(words, -1)[:, :of_values].tobytes()
                of_words = from_bytes(values_alone, number).reshape(words, -1, lanes)
                values = np.moveaxis(of_words, 1, 0)
            else:
                ports = self._local(tensor.kind)
                read = [word for port in ports for word in self._read_local(simulation, port, index, words)]
                values = self._values(read, number.bits)
            found[tensor.name] = self._images.matrix(values.reshape(-1, words, lanes), tensor)
        return found

    def _values(self, words: list[int], bits: int) -> Integers:
        """Return the values in words, (words, P), without the numbers of compressed columns."""
        lanes, width = self._step.architecture.engine.lanes, bits + self.layout.sizes.number_bits
        mask = (1 << bits) - 1
        return np.array([_signed([one & mask for one in _fields(word, lanes, width)], bits) for word in words])

    def _read_local(self, simulation: Simulation, port: str, index: int, words: int) -> list[int]:
        """Return the words of one matrix in a tile."""
        for address in range(words):
            simulation.offer(f"{port}__host_addresses", 0, self.layout.matrix(index) + address)
        read: list[int] = []
        while len(read) < words:
            simulation.run(simulation.cycle + words)
            read += (word for _, word in simulation.taken(f"{port}__host_words"))
        return read


def _fields(value: int, count: int, width: int = 24) -> list[int]:
    """Return `count` unsigned integers of `width` bits, the lowest first."""
    return [value >> (width * number) & ((1 << width) - 1) for number in range(count)]


def _signed(values: list[int], bits: int) -> list[int]:
    return [(value ^ (1 << (bits - 1))) - (1 << (bits - 1)) for value in values]


def _tally(values: list[int], waited: tuple[Cause, ...]) -> tally.UnitTally:
    found = tally.UnitTally()
    found.busy_cycles = values[0]
    for cause, cycles in zip(waited, values[1:], strict=True):
        found.stall(cause, cycles)
    return found


def _rename(parts: list[tally.UnitTally], cause: Cause, other: Cause) -> None:
    for part in parts:
        part.stall(other, part.stall_cycles.pop(cause, 0))


def _sum(parts: list[tally.UnitTally]) -> tally.UnitTally:
    total = tally.UnitTally()
    for part in parts:
        total.busy_cycles += part.busy_cycles
        for cause, cycles in part.stall_cycles.items():
            total.stall(cause, cycles)
    return total
