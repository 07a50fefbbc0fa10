"""The memories as data: local SRAM, off-chip memory and its devices, the DMA between them."""

from __future__ import annotations

from typing import Literal

from accel.description import Description, NonNegativeInt, PositiveInt
from accel.devices import DEVICES
from accel.dram import DramController, DramPart
from accel.dram_parts import DRAM_PARTS
from accel.errors import unknown_name

Home = Literal["local", "remote", "auto"]


class Local(Description):
    """The tile's SRAM. It answers in the cycle it is asked; every unit has its own port.

    Attributes
    ----------
    bytes
        Capacity.
    """

    bytes: PositiveInt


class Remote(DramController):
    """The off-chip memory: a device, and the controller before it; one of `IdealDevice` needs no controller.

    Attributes
    ----------
    device
        Name of a file in ``accel/dram_parts`` or ``accel/devices``.
    bytes
        Capacity that the machine uses.
    """

    device: str
    bytes: PositiveInt


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
    """

    bytes_per_cycle: PositiveInt
    buffer_bytes: PositiveInt
    request_cycles: NonNegativeInt


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


class IdealDevice(Description):
    """A memory without banks: every byte arrives a fixed latency after its request, as fast as the port takes it.

    Attributes
    ----------
    latency_ps
        From the request at the controller to the first byte.
    source
        Which published experiment assumes such a memory.
    """

    source: str
    latency_ps: NonNegativeInt


def remote_devices() -> list[str]:
    """Return the names that `load_device` knows."""
    return sorted([*DEVICES.names(), *DRAM_PARTS.names()])


def load_device(name: str) -> DramPart | IdealDevice:
    """Return the device in ``accel/dram_parts`` or ``accel/devices``; an unknown name is a `ConfigError`."""
    if name in DRAM_PARTS.names():
        return DramPart.named(name)
    if name not in DEVICES.names():
        raise unknown_name("memory device", name, remote_devices())
    return IdealDevice.from_table(DEVICES.load(name), name)
