"""The memories as data: local SRAM, off-chip memory and its devices, the DMA between them."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from deltatrain.accel.described import described, is_path
from deltatrain.accel.description import Delay, Description, PositiveInt, Width
from deltatrain.accel.devices import DEVICES
from deltatrain.accel.dram import DramController, DramPart
from deltatrain.accel.dram_parts import DRAM_PARTS
from deltatrain.accel.errors import ConfigError, unknown_name

Home = Literal["local", "remote", "auto"]

NEVER_AGAIN: dict[str, Home] = {"store_all": "local", "tape_to_dram": "remote"}
"""Checkpoint policies that run no step again, and where they keep the tape."""


class Local(Description):
    """The tile's SRAM. It answers in the cycle it is asked; every unit has its own port.

    Attributes
    ----------
    bytes
        Capacity.
    banks
        Equal parts that it is made of, each priced as a memory of its own. Word w of the matrices W, and of dW, is in
        bank w mod `banks`.
    ports
        Ports of each bank of the lanes' matrices: 2, one to read and one to write, or a single one for both. With a
        single port, lanes that write a word back may have to wait (`sim.memory.banks`). Accumulators, lists and the
        column buffer have ports of their own.
    """

    bytes: PositiveInt
    banks: Width = 1
    ports: Literal[1, 2] = 2

    @property
    def bank_bytes(self) -> float:
        """Bytes of one bank."""
        return self.bytes / self.banks


class IdealDevice(Description):
    """A memory without banks: every byte arrives a fixed latency after its request, as fast as the port takes it.

    Attributes
    ----------
    latency_ps
        From the request at the controller to the first byte, a second at most.
    source
        Which published experiment assumes such a memory.
    """

    source: str
    latency_ps: Annotated[int, Field(ge=0, le=10**12, strict=True)]


class _Devices:
    """The tables of ``accel/dram_parts`` and ``accel/devices``."""

    def names(self) -> list[str]:
        return sorted([*DEVICES.names(), *DRAM_PARTS.names()])

    def load(self, name: str) -> dict[str, Any]:
        if name not in self.names():
            raise unknown_name("memory device", name, self.names())
        return (DRAM_PARTS if name in DRAM_PARTS.names() else DEVICES).load(name)


REMOTE_DEVICES = _Devices()


def load_device(name_or_path: str) -> DramPart | IdealDevice:
    """Return a device of `REMOTE_DEVICES`, which is read once, or the one in a TOML file, which is read anew.

    Raises
    ------
    ConfigError
        If there is none of that name or path, or something in it is wrong.
    """
    return _read(name_or_path) if is_path(name_or_path) else _named_device(name_or_path)


@lru_cache(maxsize=32)
def _named_device(name: str) -> DramPart | IdealDevice:
    return _read(name)


def _read(name_or_path: str) -> DramPart | IdealDevice:
    return _device(described(name_or_path, REMOTE_DEVICES), name_or_path)


def _device(table: dict[str, Any], source: str) -> DramPart | IdealDevice:
    kind = IdealDevice if "latency_ps" in table else DramPart
    return kind.from_table(table, source)


def _with_content(given: object) -> object:
    """Return the device that a path or a table describes; a name stays a name."""
    try:
        if isinstance(given, dict):
            return _device(given, "")
        if is_path(given):
            return load_device(str(given))
    except ConfigError as error:
        raise ValueError("; ".join(str(error).splitlines())) from None
    if not isinstance(given, str | DramPart | IdealDevice):
        raise ValueError(f"must be a name, a path that ends in .toml, or a table, not {given!r}")
    return given


class Remote(DramController):
    """The off-chip memory: a device, and the controller in front of it. An `IdealDevice` needs no controller.

    Attributes
    ----------
    device
        Name of a file in ``accel/dram_parts`` or ``accel/devices``, or a TOML file as they are, whose content takes its
        place; or that content.
    bytes
        Capacity that the machine uses.
    """

    device: Annotated[str | DramPart | IdealDevice, BeforeValidator(_with_content)]
    bytes: PositiveInt

    @property
    def device_name(self) -> str:
        """What the device is called: its name, or what its file is about."""
        if isinstance(self.device, str):
            return self.device
        return self.device.about if isinstance(self.device, DramPart) else "described memory"


class Dma(Description):
    """The port between local and remote memory.

    Attributes
    ----------
    bytes_per_cycle
        Width of the port: bytes moved each engine cycle at most, in each direction.
    buffer_bytes
        Local SRAM set aside for columns on their way to the lanes; bounds how far the fetch runs ahead.
    request_cycles
        Engine cycles from a request at the port until the memory controller sees it.
    in_flight
        How many loads, and how many stores, may be in flight at once. With 1 the next one is asked for
        when the last byte of the one before has come.
    columns_in_flight
        How many segments of columns may be asked for and not there yet, as with a data mover that takes one command at
        a time. If left out, as many as the buffer has room for.
    """

    bytes_per_cycle: PositiveInt
    buffer_bytes: PositiveInt
    request_cycles: Delay
    in_flight: Width = 1
    columns_in_flight: Width | None = None


class Placement(Description):
    """Where each kind of tensor lives; ``auto`` is local if it still fits, in the order given here.

    Attributes
    ----------
    weights, gradients
        The matrices W and dW.
    tape
        What the backward pass of a step needs: gate values and fired lists.
    """

    weights: Home
    gradients: Home
    tape: Home


class Checkpoint(Description):
    """What is kept of a forward pass and what is run again. Without a policy all is kept where `Placement.tape` says.

    Attributes
    ----------
    policy
        A member of ``workloads/lowering/checkpoint/policies``; it takes the place of `Placement.tape`.
    overlap
        Whether tapes and states are moved beside the other units' work. Otherwise all units wait for each transfer.
    local_bytes
        Local SRAM for tapes and states; if left out, all that nothing else takes.
    """

    policy: str | None = None
    overlap: bool = True
    local_bytes: PositiveInt | None = None

    def room_bytes(self, free_bytes: int) -> int:
        """Return how many bytes tapes and states may take of the local bytes that are free."""
        return free_bytes if self.local_bytes is None else min(free_bytes, self.local_bytes)

    @property
    def tape_home(self) -> Home | None:
        """Where the policy keeps the tape if it runs nothing again; None for other policies, and without one."""
        return None if self.policy is None else NEVER_AGAIN.get(self.policy)

    @property
    def runs_again(self) -> bool:
        """Whether the policy may run steps again, which takes a checkpoint schedule."""
        return self.policy is not None and self.tape_home is None
