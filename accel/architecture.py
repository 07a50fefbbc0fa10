"""Architecture: the whole machine, loaded from TOML, with the peaks that follow from it."""

from __future__ import annotations

import math
import os
from functools import cached_property
from typing import Any, Self

from pydantic import model_validator

from deltatrain.accel.cache import Cache, LineCache
from deltatrain.accel.described import JOIN, described, is_path, placing
from deltatrain.accel.description import Description, Name, with_overrides
from deltatrain.accel.dram import DramPart, capacity_bytes
from deltatrain.accel.energy import ENERGY_TABLES
from deltatrain.accel.energy.prices import prices
from deltatrain.accel.engine import Engine
from deltatrain.accel.errors import ConfigError, unknown_name, wrong_kind
from deltatrain.accel.files import AnyPath
from deltatrain.accel.host import NO_HOST, Host
from deltatrain.accel.memory import (
    REMOTE_DEVICES,
    Checkpoint,
    Dma,
    Home,
    IdealDevice,
    Local,
    Placement,
    Remote,
    load_device,
)
from deltatrain.accel.presets import MACHINES
from deltatrain.accel.quantity import quantity
from deltatrain.accel.tiles import ONE_TILE, Tiles


class Architecture(Description):
    """A described machine.

    Attributes
    ----------
    name
        What it is called in results.
    about
        What it is modelled on.
    engine
        Lanes, units and number formats. If there are several tiles, each has such an engine.
    local
        The local memory of each tile.
    remote
        The off-chip memory, one for all tiles.
    dma
        The port between the two, and the column buffer of each tile.
    tiles
        How many tiles there are, and the exchange between them; one if left out.
    placement
        Where it keeps weights, gradients and tape.
    checkpoint
        What it runs again instead of keeping it.
    cache
        The column cache of each tile; none if left out. What of it the machine has is `column_cache`.
    host
        What its host adds to the latency of a step; nothing if left out.
    energy, area
        Names of the tables in ``accel/energy``, or TOML files as they are, that price its actions and its parts, joined
        by ``+``. Each row is read from the first table that has it (`accel.energy.prices`).
    """

    name: Name
    about: str
    engine: Engine
    local: Local
    remote: Remote
    dma: Dma
    placement: Placement
    energy: str
    area: str = "cacti7_45nm_hp+aladdin_40nm"
    tiles: Tiles = ONE_TILE
    checkpoint: Checkpoint = Checkpoint()
    cache: Cache | None = None
    host: Host = NO_HOST

    @classmethod
    def of(cls, given: Self | AnyPath) -> Self:
        """Return the machine given, or the one of that name or in that file (`named`)."""
        if isinstance(given, str | os.PathLike):
            return cls.named(given)
        if not isinstance(given, cls):
            raise wrong_kind("a machine", "an Architecture, a preset's name or a TOML file", given)
        return given

    @classmethod
    def named(cls, name_or_path: AnyPath, overrides: dict[str, Any] | None = None) -> Self:
        """Return a preset or the machine in a TOML file.

        Parameters
        ----------
        name_or_path
            A preset's name, or a path that ends in ``.toml``.
        overrides
            Values for dotted fields, such as ``{"engine.lanes": 16}``.

        Raises
        ------
        ConfigError
            If there is no such preset or file, or a field is wrong.
        """
        name = os.fspath(name_or_path)
        table = described(name, MACHINES, placing("remote.device", "energy", "area"))
        return cls.from_table(with_overrides(table, overrides or {}), name if name.endswith(".toml") else "")

    def __repr__(self) -> str:
        tiles = f"{self.tiles.count:,} tiles of " if self.tiles.count > 1 else ""
        arrays = f"{self.engine.arrays:,} arrays of " if self.engine.arrays > 1 else ""
        weight, activation = self.engine.formats.weight.bits, self.engine.formats.activation.bits
        memory = f"{self.remote.device_name}, {quantity(self.remote.bytes, 'B')}"
        homes = ", ".join(f"{use} {home}" for use, home in self.homes.items())
        lines = [
            f"machine {self.name}: {self.about}",
            f"{tiles}{arrays}{self.engine.lanes} lanes at {quantity(self.engine.clock_hz, 'Hz')}, "
            f"{quantity(self.peak_macs_per_second, 'MAC/s')}; weights of {weight} bits, activations of {activation}",
            f"local {quantity(self.local.bytes, 'B')}; off-chip {memory}, at most "
            f"{quantity(self.remote_peak_bytes_per_second, 'B/s')}",
            f"{homes}; energy by {self.energy}",
        ]
        return "\n  ".join(lines)

    __str__ = __repr__

    @cached_property
    def device(self) -> DramPart | IdealDevice:
        """The device of the off-chip memory."""
        device = self.remote.device
        return load_device(device) if isinstance(device, str) else device

    @property
    def lanes(self) -> int:
        """Lanes of all arrays of all tiles together."""
        return self.engine.arrays * self.row_lanes

    @property
    def row_lanes(self) -> int:
        """Lanes that share the rows of a column: those of an array in every tile."""
        return self.tiles.count * self.engine.lanes

    @property
    def summing_tiles(self) -> int:
        """Tiles whose partial sums show in results: all where M saturates; one where it wraps, and no order matters."""
        return self.tiles.count if self.engine.formats.memory_overflow == "saturate" else 1

    @property
    def peak_macs_per_second(self) -> int:
        """Multiply-accumulates a second when every lane works every cycle."""
        return self.lanes * self.engine.clock_hz

    @property
    def weight_word_bytes(self) -> int:
        """Bytes of one word of weights: one for each lane of an array in every tile."""
        return self.row_lanes * self.engine.formats.weight.bytes

    @property
    def gradient_word_bytes(self) -> int:
        """Bytes of one word of weight gradients: one for each lane of an array in every tile."""
        return self.row_lanes * self.engine.formats.weight_gradient.bytes

    @property
    def homes(self) -> dict[str, Home]:
        """The homes of "weights", "gradients" and "tape", the last as the checkpoint policy says it if there is one."""
        tape = "auto" if self.checkpoint.runs_again else self.checkpoint.tape_home or self.placement.tape
        return {"weights": self.placement.weights, "gradients": self.placement.gradients, "tape": tape}

    @property
    def off_chip(self) -> frozenset[str]:
        """Which of those live in off-chip memory, whatever their sizes are."""
        return frozenset(use for use, home in self.homes.items() if home == "remote")

    @property
    def column_buffer_bytes(self) -> int:
        """Room for columns on their way to the lanes, in all tiles together."""
        return self.tiles.count * self.dma.buffer_bytes

    @property
    def idle_cache(self) -> str:
        """Why the local memory that is left is no column cache, though it is to be one; empty if it is, or is not."""
        if self.cache is None or self.cache.own_bytes is not None:
            return ""
        if self.tiles.count > 1:
            return f"of {self.tiles.count} tiles it must have a size of its own"
        if self.engine.arrays > 1:
            return f"its lines have one reader, and there are {self.engine.arrays} arrays"
        if self.local.ports == 1:
            return "it reads and writes a word at once, and local memory has one port"
        return ""

    @property
    def column_cache(self) -> LineCache | None:
        """The column cache that the machine has; None without one, or if it lies idle."""
        if self.cache is None or self.cache.bytes == 0 or self.idle_cache:
            return None
        two_words = 2 * self.gradient_word_bytes // self.tiles.count
        line_bytes = self.cache.line_bytes or min(two_words, self.dma.buffer_bytes // 2)
        return LineCache(self.cache.own_bytes, self.cache.ways, line_bytes, self.cache.policy)

    def without_cache(self) -> Self:
        """Return the machine with no column cache."""
        return self.model_copy(update={"cache": None})

    def cache_sets(self, room_bytes: int) -> int:
        """Return how many sets of lines the column cache of a tile has in so many bytes; 0 without a cache."""
        cache = self.column_cache
        return room_bytes // (cache.ways * cache.line_bytes) if cache else 0

    @property
    def remote_bus_bytes_per_second(self) -> float:
        """Bytes a second when no data bus of the off-chip memory ever rests; infinite for one without a bus."""
        if isinstance(self.device, DramPart):
            return self.remote.data_buses * self.device.peak_bytes_per_second(self.remote.bus_bits)
        return math.inf

    @property
    def remote_peak_bytes_per_second(self) -> float:
        """Bytes a second to and from the off-chip memory at best: the port moves its width each way at once."""
        port = 2.0 * self.dma.bytes_per_cycle * self.engine.clock_hz
        return min(port, self.remote_bus_bytes_per_second)

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        tables = ENERGY_TABLES.names()
        for what, name, known in (
            ("remote.device", self.remote.device, REMOTE_DEVICES.names()),
            *(("energy", name.strip(), tables) for name in self.energy.split(JOIN)),
            *(("area", name.strip(), tables) for name in self.area.split(JOIN)),
        ):
            if isinstance(name, str) and not is_path(name) and name not in known:
                raise ValueError(unknown_name(what, name, known))
        try:
            prices(self.energy).check()
        except ConfigError as error:
            raise ValueError(f"energy: {error}") from None
        if isinstance(self.device, DramPart):
            if problem := self.remote.fits(self.device):
                raise ValueError(f"remote.{problem}")
            if self.remote.bytes > (most := capacity_bytes(self.device, self.remote)):
                raise ValueError(f"remote.bytes must be at most the {most} of its channels, not {self.remote.bytes}")
        if self.dma.buffer_bytes >= self.local.bytes:
            raise ValueError(
                f"dma.buffer_bytes must be less than local.bytes ({self.local.bytes}), not {self.dma.buffer_bytes}"
            )
        word = (self.weight_word_bytes + self.gradient_word_bytes) // self.tiles.count  # the update reads both
        arrays, most = self.engine.arrays, 2 * self.engine.arrays * word
        if self.dma.buffer_bytes < most:
            of_arrays = f" for each of {arrays} arrays" if arrays > 1 else ""
            raise ValueError(
                f"dma.buffer_bytes must hold two words of W and dW{of_arrays} ({most} bytes), "
                f"not {self.dma.buffer_bytes}"
            )
        if (cache := self.column_cache) is not None and (problem := self._no_cache(cache)):
            raise ValueError(f"cache.{problem}")
        return self

    def _no_cache(self, cache: LineCache) -> str:
        """Return what is wrong with a column cache on this machine; an empty text if it fits."""
        longest, half = max(self.weight_word_bytes, self.gradient_word_bytes), self.dma.buffer_bytes // 2
        least, a_set = longest // self.tiles.count, cache.ways * cache.line_bytes
        if not least <= cache.line_bytes <= half:
            return (
                f"line_bytes must be {least} (a word of W or of dW) to {half} (half of dma.buffer_bytes), "
                f"not {cache.line_bytes}"
            )
        if cache.own_bytes is not None and cache.own_bytes < a_set:
            return f"bytes must hold a set of {cache.ways} lines ({a_set} bytes), not {cache.own_bytes}"
        return ""
