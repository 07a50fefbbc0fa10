"""The physical ranges of DRAM parts and controllers: what is outside makes a count, a share or an energy impossible.

`accel.dram` asks the functions here about its descriptions, so they take these by their fields and import none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deltatrain.accel.dram_refresh import refreshes_of

BURST_LENGTHS: Mapping[str, tuple[int, ...]] = {
    "DDR3": (4, 8),  # JESD79-3: BL8 and chopped
    "DDR4": (4, 8),  # JESD79-4
    "DDR5": (8, 16),  # JESD79-5
    "LPDDR4": (16, 32),  # JESD209-4
    "LPDDR5": (16, 32),  # JESD209-5
    "HBM2": (2, 4),  # JESD235: legacy mode, pseudo channels
    "HBM3": (8,),  # JESD238
    "GDDR6": (16,),  # JESD250
}
"""Beats of one burst that a standard has; of a standard that is not here, any power of two."""

PART_MOST = {
    "tck_ps": 10**6,  # 1 MHz
    "device_bits": 1024,
    "device_row_bytes": 1 << 16,
    "rows": 1 << 24,
    "bank_groups": 64,
    "banks_per_group": 64,
    "burst_length": 64,
    "usual_bus_bits": 4096,
    "pseudo_channels": 16,
    "activate_clocks": 16,
    "column_clocks": 16,
}
"""Largest values of a part, an order of magnitude above any that is built; times, sizes and counts then fit 64 bits."""

CONTROLLER_MOST = {
    "channels": 1024,
    "pseudo_channels": 16,
    "ranks": 16,
    "bus_bits": 4096,
    "read_queue": 1024,
    "write_queue": 1024,
    "most_bypasses": 1 << 20,
}
"""Largest values of a controller; its records then take less than a gigabyte."""

MOST_BANKS = 64
MOST_REFRESH_SETS = 62  # the kernel keeps those that had their turn as bits of one word
MOST_CLOCKS = 10**7  # any constraint of the timing
MOST_MILLIAMPERES = 10**5
MOST_VOLTS = 10.0


def check_part(part: Any) -> None:
    """Raise a `ValueError` of one line if a part cannot be built."""
    _check_most(part, PART_MOST)
    standard, beats = str(part.standard), part.burst_length
    if beats < 2 or beats & (beats - 1):
        raise ValueError(f"burst_length must be a power of two from 2 on, not {beats}")
    if beats not in BURST_LENGTHS.get(standard, (beats,)):
        known = " or ".join(map(str, BURST_LENGTHS[standard]))
        raise ValueError(f"burst_length must be {known}, which {standard} has, not {beats}")
    row_bits, burst_bits = 8 * part.device_row_bytes, part.device_bits * beats
    if row_bits % burst_bits or burst_bits % 8:
        raise ValueError(
            f"device_row_bytes must be a multiple of a device's burst, {part.device_bits} x {beats} bits "
            f"in whole bytes, not {part.device_row_bytes}"
        )
    if part.banks > MOST_BANKS:
        raise ValueError(f"bank_groups x banks_per_group must be at most {MOST_BANKS}, not {part.banks}")
    _check_refresh_leaves_time(part)
    if part.currents is not None:
        _check_energies(part.currents, part.timing)


def check_timing(timing: Any) -> None:
    """Raise a `ValueError` of one line if a constraint is longer than any part needs."""
    _check_most(timing, dict.fromkeys(type(timing).model_fields, MOST_CLOCKS))


def check_currents(currents: Any) -> None:
    """Raise a `ValueError` of one line if standby takes more than what happens beside it."""
    names = [name for name in type(currents).model_fields if name.endswith("_ma")]
    _check_most(currents, {"vdd_v": MOST_VOLTS, **dict.fromkeys(names, MOST_MILLIAMPERES)})
    for less, more in (("idd2n_ma", "idd3n_ma"), *(("idd3n_ma", f"idd{n}_ma") for n in ("4r", "4w", "5"))):
        if (found := getattr(currents, more)) < (least := getattr(currents, less)):
            raise ValueError(f"{more} must be at least {less} ({least:g}), not {found:g}")


def check_controller(controller: Any) -> None:
    """Raise a `ValueError` of one line if a controller is larger than any that is built."""
    _check_most(controller, CONTROLLER_MOST)


def _check_most(given: Any, most: Mapping[str, float]) -> None:
    for name, largest in most.items():
        value = getattr(given, name)
        if value is not None and value > largest:
            raise ValueError(f"{name} must be at most {largest:,}, not {value!r}")


def _check_refresh_leaves_time(part: Any) -> None:
    """Refuse a bank that has no time, from one refresh to the next, to open a row, move a burst and close it."""
    t = part.timing
    row = max(t.tRC, max(t.CL, t.CWL + t.tWR) + max(t.tRCDRD, t.tRCDWR) + part.burst_cycles + t.tRPab)
    names = {"all_bank": "", "per_bank": "pb", "same_bank": "sb"}
    for kind, (refresh, interval, _, turns) in refreshes_of(part).items():
        if refresh + row > interval * turns:
            raise ValueError(
                f"timing.tRFC{names[kind]} must leave {row} clocks for a row until the bank's next refresh, "
                f"{turns} x tREFI{names[kind]} later ({interval * turns}), not be {refresh}"
            )


def _check_energies(currents: Any, timing: Any) -> None:
    """Refuse an activate with its precharge that uses less than standby meanwhile."""
    least = (currents.idd3n_ma * timing.tRAS + currents.idd2n_ma * timing.tRP) / timing.tRC
    if currents.idd0_ma < least:
        raise ValueError(
            f"currents.idd0_ma must be at least what standby takes in a tRC, {least:.4g}, not {currents.idd0_ma:g}"
        )
