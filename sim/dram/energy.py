"""DRAM energy from datasheet currents and what the banks did."""

from __future__ import annotations

from accel.dram import DramController, DramPart
from accel.errors import ConfigError
from sim.dram.controller import DramChannels


def unknown_energy(part: DramPart, controller: DramController) -> str:
    """Return why a part's energy cannot be told, in words; an empty text if it can."""
    if part.currents is None:
        return f"no source publishes currents of {part.about}"
    if controller.refresh == "per_bank":
        return "no source tells what a refresh of one bank uses (DRAMSys's IDD5PB is its standby current)"
    return ""


def dram_energy_j(memory: DramChannels, end: int) -> dict[str, float]:
    """Return what the devices of all ranks used in the cycles before `end`, in joules, by cause.

    Parameters
    ----------
    memory
        The channels, after all they had to do.
    end
        Cycle up to which standby is counted.

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
    part, counts = memory.part, memory.counts
    if reason := unknown_energy(part, memory.controller):
        raise ConfigError(f"energy is not known: {reason}")
    i, t = part.currents, part.timing
    assert i is not None
    active = memory.active_cycles(end)
    idle = end * memory.controller.channels * memory.controller.ranks - active
    milliampere_cycles = {
        "activate and precharge": counts.activates * (i.idd0_ma * t.tRC - i.idd3n_ma * t.tRAS - i.idd2n_ma * t.tRP),
        "read": counts.read_bursts * (i.idd4r_ma - i.idd3n_ma) * part.burst_cycles,
        "write": counts.write_bursts * (i.idd4w_ma - i.idd3n_ma) * part.burst_cycles,
        "refresh": counts.refreshes * (i.idd5_ma - i.idd3n_ma) * t.tRFC,
        "standby": active * i.idd3n_ma + idle * i.idd2n_ma,
    }
    joules = i.vdd_v * 1e-3 * part.tck_ps * 1e-12 * part.devices(memory.controller.bus_bits)
    return {cause: value * joules for cause, value in milliampere_cycles.items()}
