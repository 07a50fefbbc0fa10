"""DRAM as data: the parts with their standards' constraints, and the controller before them."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from deltatrain.accel.clock_period import ClockPeriod
from deltatrain.accel.described import described
from deltatrain.accel.description import (
    Description,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Width,
    with_overrides,
)
from deltatrain.accel.dram_parts import DRAM_PARTS
from deltatrain.accel.dram_ranges import (
    MOST_REFRESH_SETS,
    check_controller,
    check_currents,
    check_part,
    check_timing,
)
from deltatrain.accel.dram_refresh import Refresh, refreshes_of
from deltatrain.accel.files import AnyPath
from deltatrain.accel.quantity import quantity

RowPolicy = Literal["open", "closed"]
FIELDS = ("Ro", "Ba", "Bg", "Ra", "Co", "Pc", "Ch")


class DramTiming(Description):
    """The constraints of a part's standard, in clock cycles, under the names that JEDEC gives them.

    A constraint that a standard does not have is zero. It is left out where that says that the part lacks a feature.

    Attributes
    ----------
    CL, CWL
        Read and write latency.
    tDQSCK
        By how much read data come later than CL (LPDDR4).
    tDQSS
        By how much write data come later than CWL (LPDDR4).
    tRTW
        Idle cycles of the data bus between the last beat of a read and the first of a write.
    tRTRS
        Idle cycles of the data bus between bursts of two ranks; left out if a channel has one rank only.
    tRCDRD, tRCDWR
        Activate to read, activate to write.
    tRP, tRPab
        Precharge of one bank; of all banks.
    tRAS, tRC
        Activate to precharge; activate to activate, both in one bank.
    tRRD_S, tRRD_L, tFAW
        Activate to activate in another bank group, in the same one; the window that holds at most four activates.
    tCCD_S, tCCD_L, tCCD_L_WR
        Column command to column command of one direction, other and same bank group; write to write in the same one,
        left out if it is tCCD_L.
    tWTR_S, tWTR_L
        End of write data to a read, other and same bank group.
    tWR, tRTP, tPPD
        End of write data to precharge; read to precharge; precharge to precharge in two banks.
    tRFC, tREFI
        A refresh of all banks of a rank; how often one is due.
    tRFCpb, tREFIpb, tRREFD
        A refresh of one bank; how often one is due; from it to an activate in another bank. Left out if the standard
        has no refresh of one bank, or the sources do not tell.
    tRFCsb, tREFIsb, tREFSBRD
        The same of a refresh of the same bank of every group (DDR5).
    """

    CL: PositiveInt
    CWL: PositiveInt
    tDQSCK: NonNegativeInt = 0
    tDQSS: NonNegativeInt = 0
    tRTW: NonNegativeInt
    tRTRS: NonNegativeInt | None = None
    tRCDRD: PositiveInt
    tRCDWR: PositiveInt
    tRP: PositiveInt
    tRPab: PositiveInt
    tRAS: PositiveInt
    tRC: PositiveInt
    tRRD_S: PositiveInt
    tRRD_L: PositiveInt
    tFAW: PositiveInt
    tCCD_S: PositiveInt
    tCCD_L: PositiveInt
    tCCD_L_WR: PositiveInt | None = None
    tWTR_S: PositiveInt
    tWTR_L: PositiveInt
    tWR: PositiveInt
    tRTP: PositiveInt
    tPPD: NonNegativeInt = 0
    tRFC: PositiveInt
    tREFI: PositiveInt
    tRFCpb: PositiveInt | None = None
    tREFIpb: PositiveInt | None = None
    tRREFD: PositiveInt | None = None
    tRFCsb: PositiveInt | None = None
    tREFIsb: PositiveInt | None = None
    tREFSBRD: PositiveInt | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for short, long in (("tRFC", "tREFI"), ("tRFCpb", "tREFIpb"), ("tRFCsb", "tREFIsb"), ("tRAS", "tRC")):
            low, high = getattr(self, short), getattr(self, long)
            if low is not None and high is not None and low >= high:
                raise ValueError(f"{short} must be less than {long} ({high}), not {low}")
        check_timing(self)
        return self


class DramCurrents(Description):
    """Supply voltage and mean currents of one device, as datasheets name them.

    Attributes
    ----------
    vdd_v
        Supply voltage.
    idd0_ma
        One bank activated and precharged every tRC.
    idd2n_ma, idd3n_ma
        Standby with all banks closed; with a bank open.
    idd4r_ma, idd4w_ma
        Reading, writing without a gap.
    idd5_ma
        Refreshing all banks without a gap.
    """

    vdd_v: PositiveFloat
    idd0_ma: PositiveFloat
    idd2n_ma: PositiveFloat
    idd3n_ma: PositiveFloat
    idd4r_ma: PositiveFloat
    idd4w_ma: PositiveFloat
    idd5_ma: PositiveFloat

    @model_validator(mode="after")
    def _possible(self) -> Self:
        check_currents(self)
        return self


class DramPart(Description):
    """A DRAM part: geometry, timing and, where they are published, currents.

    Attributes
    ----------
    about, source
        What it is; where its values come from.
    standard
        The name of its standard. Nothing depends on it.
    tck_ps
        Clock period: whole, decimal, or an exact ratio such as "1250/3".
    beats_per_clock
        Beats of data in a clock, which is that of commands: 8 for LPDDR5, whose data have a clock four times as fast.
    device_bits, device_row_bytes
        Data width and row (page) size of one device.
    rows, banks_per_group, bank_groups
        Rows of a bank; banks of a group; groups of a rank, 1 if the standard has none.
    burst_length
        Beats of one burst.
    usual_bus_bits
        Data width of the channel, or pseudo channel, that it is usually built into.
    pseudo_channels
        Pseudo channels that share the command buses of one channel; 1 if the standard has none.
    row_bus
        Whether row commands have a command bus of their own.
    activate_clocks, column_clocks
        Clocks for which an activate, a read or a write holds its command bus. Constraints count from the first.
    timing, currents
        Constraints; currents, left out where no source publishes them.
    """

    about: str
    source: str
    standard: str
    tck_ps: ClockPeriod
    beats_per_clock: PositiveInt = 2
    device_bits: PositiveInt
    device_row_bytes: PositiveInt
    rows: PositiveInt
    bank_groups: PositiveInt
    banks_per_group: PositiveInt
    burst_length: PositiveInt
    usual_bus_bits: PositiveInt
    pseudo_channels: PositiveInt = 1
    row_bus: bool
    activate_clocks: PositiveInt = 1
    column_clocks: PositiveInt = 1
    timing: DramTiming
    currents: DramCurrents | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        check_part(self)
        if self.burst_length % self.beats_per_clock:
            raise ValueError(
                f"burst_length must be a multiple of beats_per_clock ({self.beats_per_clock}), not {self.burst_length}"
            )
        return self

    @classmethod
    def named(cls, name_or_path: AnyPath, overrides: dict[str, Any] | None = None) -> Self:
        """Return the part in ``accel/dram_parts/<name>.toml``, or in a TOML file, with values by dotted field changed.

        Raises
        ------
        ConfigError
            If there is none of that name (with a suggestion), or something in it is wrong.
        """
        name = os.fspath(name_or_path)
        return cls.from_table(with_overrides(described(name, DRAM_PARTS), overrides or {}), name)

    def __repr__(self) -> str:
        timing, bus = self.timing, self.usual_bus_bits
        priced = "currents published" if self.currents else "no currents published"
        lines = [
            f"DRAM part {self.about}: {quantity(self.peak_bytes_per_second(bus), 'B/s')} on a bus of {bus} bits",
            f"clock {float(self.tck_ps):.6g} ps, {self.beats_per_clock} beats a clock, bursts of {self.burst_length}",
            f"{self.banks} banks in {self.bank_groups} groups, {self.rows:,} rows of {self.device_row_bytes:,} bytes "
            f"in each device of {self.device_bits} bits",
            f"clocks: CL {timing.CL}, tRCD {timing.tRCDRD}, tRP {timing.tRP}, tRC {timing.tRC}, tRFC {timing.tRFC}, "
            f"tREFI {timing.tREFI}; {priced}",
        ]
        return "\n  ".join(lines)

    __str__ = __repr__

    @property
    def banks(self) -> int:
        """Banks of a rank."""
        return self.bank_groups * self.banks_per_group

    @property
    def burst_cycles(self) -> int:
        """Cycles for which one burst holds the data bus."""
        return self.burst_length // self.beats_per_clock

    def devices(self, bus_bits: int) -> int:
        """Return the number of devices side by side in a rank."""
        return bus_bits // self.device_bits

    def row_bytes(self, bus_bits: int) -> int:
        """Return the bytes of one row over all devices of a rank."""
        return self.device_row_bytes * self.devices(bus_bits)

    def burst_bytes(self, bus_bits: int) -> int:
        """Return the bytes of one burst."""
        return self.burst_length * bus_bits // 8

    def peak_bytes_per_second(self, bus_bits: int) -> float:
        """Return the bytes a second when one data bus never rests."""
        return self.beats_per_clock * 1e12 / self.tck_ps * bus_bits / 8


class DramController(Description):
    """The controller in front of a DRAM, and how many channels and ranks it has.

    Attributes
    ----------
    channels, pseudo_channels, ranks
        Channels; pseudo channels of each, which share its queues and command buses and have a data bus each; ranks of
        each pseudo channel. A single pseudo channel has the queues and buses for itself.
    bus_bits
        Data width of a pseudo channel.
    address_map
        Fields from the highest address bits to the lowest, such as RoBaRaCoCh: Ro row, Ra rank, Bg bank group, Ba bank,
        Co column, Pc pseudo channel, Ch channel. A map without Bg keeps the group right below the bank, one without Pc
        the pseudo channel right above the channel. RoBaRaCoBgCh sends neighbouring bursts to different bank groups, and
        is the same as RoBaRaCoCh for a part without bank groups.
    row_policy
        ``open`` rows stay open until another row of the bank is wanted; ``closed`` rows are closed by the last queued
        request for them.
    refresh
        ``all_bank``: all banks of a rank every tREFI; ``per_bank``: one bank after the other, every tREFIpb;
        ``same_bank``: the same bank of all groups, one after the other, every tREFIsb.
    accepts_per_clock
        Requests that a channel takes in a clock; a request is one burst.
    read_queue, write_queue
        Entries of each queue of a channel.
    write_high, write_low
        A channel turns from reads to writes when `write_high` writes are queued. It turns back, if reads wait, when
        `write_low` are left.
    most_bypasses
        Requests for an open row that may be served before an older request for another row of the same bank.
    """

    channels: Width = 1
    pseudo_channels: Width = 1
    ranks: Width = 1
    bus_bits: PositiveInt
    address_map: str = "RoBaRaCoBgCh"
    row_policy: RowPolicy = "open"
    refresh: Refresh = "all_bank"
    accepts_per_clock: Annotated[int, Field(ge=1, le=64, strict=True)] = (
        1  # as in DRAMsim3 and Ramulator 2.1, a channel each
    )
    read_queue: Width = 32  # as in Ramulator 2.1 and DRAMsim3
    write_queue: Width = 32
    write_high: Width = 32  # DRAMsim3, controller.cpp: drained when full, until empty; Ramulator 2.1 has 26 and 6
    write_low: NonNegativeInt = 0
    most_bypasses: Width = 32  # assumption: one queue's worth

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.write_low < self.write_high <= self.write_queue:
            found = f"{self.write_low}, {self.write_high} and {self.write_queue}"
            raise ValueError(f"write_low < write_high <= write_queue must hold, not {found}")
        fields_of(self.address_map)
        check_controller(self)
        return self

    def fits(self, part: DramPart) -> str:
        """Return why this controller cannot drive `part`, in words; an empty text if it can."""
        if self.bus_bits % part.device_bits:
            return f"bus_bits must be a multiple of the part's {part.device_bits} bits, not {self.bus_bits}"
        if self.pseudo_channels > part.pseudo_channels:
            return (
                f"pseudo_channels must be at most {part.pseudo_channels}, which {part.about} has, "
                f"not {self.pseudo_channels}"
            )
        if self.ranks > 1 and part.timing.tRTRS is None:
            return f"ranks must be 1: no source tells how {part.about} changes between ranks (tRTRS)"
        if (refresh := refreshes_of(part).get(self.refresh)) is None:
            name = self.refresh.replace("_", "-")
            return f"refresh must be all_bank: {part.about} has no {name} refresh that the sources describe"
        if refresh.refresh_sets > (most := MOST_REFRESH_SETS):
            return f"refresh must be all_bank for more than {most} banks of a rank, and {part.about} has {part.banks}"
        return ""

    @property
    def data_buses(self) -> int:
        """Data buses of all channels, one for each pseudo channel."""
        return self.channels * self.pseudo_channels

    @property
    def all_ranks(self) -> int:
        """Ranks of all channels."""
        return self.data_buses * self.ranks


def capacity_bytes(part: DramPart, controller: DramController) -> int:
    """Return the bytes of all channels."""
    banks = controller.all_ranks * part.banks
    return banks * part.rows * part.row_bytes(controller.bus_bits)


def fields_of(address_map: str) -> tuple[str, ...]:
    """Return the fields of an address map from the highest to the lowest, Bg and Pc among them.

    Raises
    ------
    ValueError
        If it is not made of each field once.
    """
    fields = [address_map[at : at + 2] for at in range(0, len(address_map), 2)]
    if "Bg" not in fields and "Ba" in fields:
        fields.insert(fields.index("Ba") + 1, "Bg")
    if "Pc" not in fields and "Ch" in fields:
        fields.insert(fields.index("Ch"), "Pc")
    if sorted(fields) != sorted(FIELDS):
        raise ValueError(
            f"address_map must name Ro, Ba, Ra, Co and Ch once, Bg and Pc or not, as in RoBaRaCoCh, not {address_map!r}"
        )
    return tuple(fields)
