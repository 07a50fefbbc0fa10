"""The memories as data: local SRAM, off-chip memory and its devices, the DMA between them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from accel.description import Description, NonNegativeInt, PositiveInt
from accel.devices import DEVICES

Home = Literal["local", "remote", "auto"]


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
        Of each bank for the lanes' matrices: 2, one to read and one to write, or a single one for both, so that lanes
        that write a word back may have to wait (`sim.memory.banks`). Accumulators, lists and the column buffer have
        ports of their own.
    """

    bytes: PositiveInt
    banks: PositiveInt = 1
    ports: Literal[1, 2] = 2

    @property
    def bank_bytes(self) -> float:
        """Bytes of one bank."""
        return self.bytes / self.banks


class Remote(Description):
    """The off-chip memory: one channel of one rank.

    Attributes
    ----------
    device
        Name of a file in ``accel/devices``.
    bytes
        Capacity.
    bus_bits
        Width of the data bus; several devices side by side fill it.
    """

    device: str
    bytes: PositiveInt
    bus_bits: PositiveInt


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
        Loads that may be on their way at once, and stores; with 1, as the gates have it, the next is asked for when the
        last byte of the one before has come.
    """

    bytes_per_cycle: PositiveInt
    buffer_bytes: PositiveInt
    request_cycles: NonNegativeInt
    in_flight: PositiveInt = 1


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
    """What is kept of a forward pass and what is run again; without a policy all is kept where `Placement.tape` says.

    Attributes
    ----------
    policy
        A member of ``workloads/checkpoint/policies``; it takes the place of `Placement.tape`.
    overlap
        Whether tapes and states are moved beside the other units' work; otherwise all wait for each of them.
    local_bytes
        Local SRAM for tapes and states; whatever is left if not given.
    """

    policy: str | None = None
    overlap: bool = True
    local_bytes: PositiveInt | None = None

    @property
    def tape_home(self) -> Home | None:
        """Where a policy that runs nothing again keeps the tape; None for all others, and without a policy."""
        homes: dict[str | None, Home] = {"store_all": "local", "tape_to_dram": "remote"}
        return homes.get(self.policy)

    @property
    def runs_again(self) -> bool:
        """Whether a policy may run steps again, so that a schedule is needed."""
        return self.policy is not None and self.tape_home is None


class DramDevice(Description):
    """A DRAM part's geometry and timing; times in clock cycles unless the name says otherwise.

    Attributes
    ----------
    tck_ps
        Clock period; data moves on both edges.
    device_bits, device_row_bytes
        Data width and row (page) size of one device.
    banks, burst_length
        Banks of a rank; beats of one burst.
    CL, CWL
        Read and write latency.
    tRCD, tRP, tRAS, tRFC, tREFI, tRRD, tFAW, tCCD, tWTR, tWR, tRTP
        As named in JESD79-3.
    source
        Where the values come from.
    """

    kind: Literal["dram"]
    source: str
    tck_ps: PositiveInt
    device_bits: PositiveInt
    device_row_bytes: PositiveInt
    banks: PositiveInt
    burst_length: PositiveInt
    CL: PositiveInt
    CWL: PositiveInt
    tRCD: PositiveInt
    tRP: PositiveInt
    tRAS: PositiveInt
    tRFC: PositiveInt
    tREFI: PositiveInt
    tRRD: PositiveInt
    tFAW: PositiveInt
    tCCD: PositiveInt
    tWTR: PositiveInt
    tWR: PositiveInt
    tRTP: PositiveInt

    @model_validator(mode="after")
    def _refresh_leaves_time(self) -> DramDevice:
        if self.tRFC >= self.tREFI:
            raise ValueError(f"tRFC must be less than tREFI ({self.tREFI}), not {self.tRFC}")
        return self

    def row_bytes(self, bus_bits: int) -> int:
        """Bytes of one open row over all devices of a rank."""
        return self.device_row_bytes * (bus_bits // self.device_bits)

    def burst_bytes(self, bus_bits: int) -> int:
        """Bytes of one burst."""
        return self.burst_length * bus_bits // 8

    def peak_bytes_per_second(self, bus_bits: int) -> float:
        """Bytes a second when the data bus never rests."""
        return 2e12 / self.tck_ps * bus_bits / 8


class IdealDevice(Description):
    """A memory without banks: every byte arrives a fixed latency after its request, as fast as the port takes it.

    Attributes
    ----------
    latency_ps
        From the request at the controller to the first byte.
    source
        Which published experiment assumes such a memory.
    """

    kind: Literal["ideal"]
    source: str
    latency_ps: NonNegativeInt


Device = Annotated[DramDevice | IdealDevice, Field(discriminator="kind")]
_DEVICE: TypeAdapter[DramDevice | IdealDevice] = TypeAdapter(Device)


def load_device(name: str) -> DramDevice | IdealDevice:
    """Return the device in ``accel/devices/<name>.toml``; an unknown name is a `ConfigError` with a suggestion."""
    table = DEVICES.load(name)
    try:
        return _DEVICE.validate_python(table)
    except ValidationError as error:
        raise AssertionError(f"accel/devices/{name}.toml is wrong: {error}") from None
