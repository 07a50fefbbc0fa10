"""DRAM energy from datasheet currents and what the banks did."""

from __future__ import annotations

from typing import NamedTuple

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.accel.errors import ConfigError


def unknown_energy(part: DramPart, controller: DramController) -> str:
    """Return why a part's energy cannot be told, in words; an empty text if it can."""
    if part.currents is None:
        return f"no source publishes currents of {part.about}"
    if controller.refresh != "all_bank":
        return "no source tells what a refresh of one bank uses (DRAMSys's IDD5PB is its standby current)"
    return ""


class Actions(NamedTuple):
    """What the devices of all ranks did: commands, and clocks of ranks with a bank open (or refreshing) and without."""

    activates: int
    reads: int
    writes: int
    refreshes: int
    active: int
    idle: int


def energy_of(part: DramPart, controller: DramController, actions: Actions) -> dict[str, float]:
    """Return what the devices of all ranks used, in joules, by cause.

    Raises
    ------
    ConfigError
        If the currents are not known.

    Notes
    -----
    The sums of DRAMsim3's ``InitPowerParams`` (umd-memsys/DRAMsim3 at 2981759), with the clock period that its totals
    lack (its issue 18), for n devices a rank: an activate with its precharge VDD (IDD0 tRC - IDD3N tRAS - IDD2N tRP) n;
    a read VDD (IDD4R - IDD3N) burst n, a write likewise; a refresh VDD (IDD5 - IDD3N) tRFC n; standby VDD IDD3N n while
    a bank is open and VDD IDD2N n else. Unlike there, a refresh counts as standby with open banks, so that it costs
    IDD5 as it was measured. I/O and termination are not in it.
    """
    if reason := unknown_energy(part, controller):
        raise ConfigError(f"energy is not known: {reason}")
    i, t = part.currents, part.timing
    assert i is not None
    milliampere_cycles = {
        "activate and precharge": actions.activates * (i.idd0_ma * t.tRC - i.idd3n_ma * t.tRAS - i.idd2n_ma * t.tRP),
        "read": actions.reads * (i.idd4r_ma - i.idd3n_ma) * part.burst_cycles,
        "write": actions.writes * (i.idd4w_ma - i.idd3n_ma) * part.burst_cycles,
        "refresh": actions.refreshes * (i.idd5_ma - i.idd3n_ma) * t.tRFC,
        "standby": actions.active * i.idd3n_ma + actions.idle * i.idd2n_ma,
    }
    joules = i.vdd_v * 1e-3 * part.tck_ps * 1e-12 * part.devices(controller.bus_bits)
    return {cause: value * joules for cause, value in milliampere_cycles.items()}
