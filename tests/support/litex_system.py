"""A system of LiteX in LiteX's simulator: a core, memory, and a host that repeats what a driver did on another bus.

python litex_system.py FOLDER draw: write the system's Verilog. FOLDER holds the core's files, and ``host.json``: where
registers and memory are, how wide the bus is, and the accesses; where streams are used also the beats of input vectors
and the items of results that are expected. With run in place of draw: simulate it, too; the host says PASS or FAIL.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from litex.build.generic_platform import Pins
from litex.build.sim import SimPlatform
from litex.build.sim.config import SimConfig
from litex.gen import LiteXModule
from litex.soc.integration.soc import SoCRegion
from litex.soc.integration.soc_core import SoCCore
from litex.soc.interconnect import wishbone
from migen import FSM, Cat, ClockDomain, Display, Finish, If, Memory, NextState, NextValue, Replicate, Signal

CLOCK_HZ = 1_000_000
MOST_POLLS = 20_000


class Streams(LiteXModule):
    """Offers beats of input vectors in turn, and takes results, not in every cycle. `done` once all were as expected.

    Each of `results` is an item and, above it, a bit that says whether it is the last of its packet.
    """

    def __init__(self, core, vectors, results):
        self.done = Signal()
        sent, taken, wrong, pause = Signal(32), Signal(32), Signal(), Signal(2)
        beats = Memory(len(core.sequences.data), len(vectors), init=vectors)
        items = Memory(len(core.results.data) + 1, len(results), init=results)
        offered, expected = beats.get_port(async_read=True), items.get_port(async_read=True)
        self.specials += beats, items, offered, expected
        self.comb += [
            offered.adr.eq(sent),
            core.sequences.data.eq(offered.dat_r),
            core.sequences.valid.eq(sent != len(vectors)),
            expected.adr.eq(taken),
            core.results.ready.eq(pause == 0),
            self.done.eq((sent == len(vectors)) & (taken == len(results)) & ~wrong),
        ]
        self.sync += [
            pause.eq(pause + 1),
            If(core.sequences.valid & core.sequences.ready, sent.eq(sent + 1)),
            If(
                core.results.valid & core.results.ready,
                taken.eq(taken + 1),
                If(
                    (taken >= len(results)) | (Cat(core.results.data, core.results.last) != expected.dat_r), wrong.eq(1)
                ),
            ),
        ]


class Host(LiteXModule):
    """Repeats accesses on a bus, and reads each word until it is as expected, but not forever.

    It waits for `interrupt` where that is an access, and at the end for `streams_done`.
    """

    def __init__(self, accesses):
        self.interrupt, self.streams_done, self.waits = Signal(), Signal(reset=1), Signal()
        self.bus = bus = wishbone.Interface(data_width=32, address_width=32, addressing="word")
        self.number, self.count, self.polls = Signal(32), len(accesses), Signal(32)
        memory = Memory(1 + 4 + 32 + 30 + 1, self.count, init=[_packed(*access) for access in accesses])
        port = memory.get_port(async_read=True)
        self.specials += memory, port
        self.comb += [
            port.adr.eq(self.number),
            Cat(bus.we, bus.sel, bus.dat_w, bus.adr, self.waits).eq(port.dat_r),
        ]
        self.fsm = fsm = FSM(reset_state="ACCESS")
        self._access(fsm)
        fsm.act(
            "BETWEEN",
            NextState("ACCESS"),
            If(
                self.number == self.count,
                NextState("BETWEEN"),
                NextValue(self.polls, self.polls + 1),
                If(self.streams_done, NextState("PASSED")),
            ),
            If(self.polls == MOST_POLLS, NextState("FAILED")),
        )
        fsm.act("PASSED")
        fsm.act("FAILED")
        self.sync += [
            If(fsm.ongoing("PASSED"), Display("PASS %d accesses", self.number), Finish()),
            If(fsm.ongoing("FAILED"), Display("FAIL at access %d", self.number), Finish()),
        ]

    def _access(self, fsm):
        """Write, or read and compare the bytes that are asked for."""
        bus, wrong = self.bus, Signal(32)
        self.comb += wrong.eq((bus.dat_r ^ bus.dat_w) & Cat(*(Replicate(lane, 8) for lane in bus.sel)))
        fsm.act(
            "ACCESS",
            bus.cyc.eq(~self.waits),
            bus.stb.eq(~self.waits),
            If(
                self.waits,
                NextState("BETWEEN"),
                NextValue(self.polls, self.polls + 1),
                If(self.interrupt, NextValue(self.number, self.number + 1), NextValue(self.polls, 0)),
            ),
            If(
                bus.ack,
                NextState("BETWEEN"),
                NextValue(self.polls, self.polls + 1),
                If(bus.we | (wrong == 0), NextValue(self.number, self.number + 1), NextValue(self.polls, 0)),
            ),
            If(bus.err, NextState("FAILED")),
        )


def _packed(kind, address, word, lanes):
    """Return an access as the host's memory has it: from the lowest bit on we, sel, dat_w, adr, waits."""
    return (kind == "write") | lanes << 1 | word << 5 | address >> 2 << 37 | (kind == "interrupt") << 67


class Clocks(LiteXModule):
    """The domain sys, from the simulator's clock."""

    def __init__(self, clock):
        self.cd_sys = ClockDomain(reset_less=False)
        self.comb += self.cd_sys.clk.eq(clock)


class System(SoCCore):
    """No processor: the host, memory and a core on one bus."""

    def __init__(self, platform, wanted):
        from deltatrain_core_litex import add_deltatrain

        super().__init__(
            platform,
            clk_freq=CLOCK_HZ,
            cpu_type=None,
            bus_data_width=wanted["bus_bits"],
            with_uart=False,
            with_timer=False,
            integrated_sram_size=0,
            ident="",
        )
        self.crg = Clocks(platform.request("sys_clk"))
        self.host = Host(wanted["accesses"])
        self.bus.add_master("host", self.host.bus)
        size = wanted["memory_bytes"]
        bus = wishbone.Interface(data_width=wanted["bus_bits"], address_width=32, addressing="word")
        self.core_memory = wishbone.SRAM(size, bus=bus)
        self.bus.add_slave("core_memory", bus, SoCRegion(origin=wanted["memory"], size=size, cached=False))
        self.csr.add("deltatrain", n=wanted["events"])
        core = add_deltatrain(self, origin=wanted["registers"])
        self.comb += self.host.interrupt.eq(core.ev.irq)
        if "results" in wanted:
            self.streams = Streams(core, wanted["vectors"], wanted["results"])
            self.comb += self.host.streams_done.eq(self.streams.done)


def main(folder, runs):
    """Build the system with LiteX's simulator."""
    sys.path.insert(0, str(folder))
    wanted = json.loads((folder / "host.json").read_text())
    platform = SimPlatform("SIM", [("sys_clk", 0, Pins(1))])
    clocks = SimConfig()
    clocks.add_clocker("sys_clk", freq_hz=CLOCK_HZ)
    system = System(platform, wanted)
    system.build(
        build_dir=str(folder / "build"),
        sim_config=clocks,
        interactive=False,
        verbose=False,
        run=runs,
        jobs=1,  # LiteX compiles all files at once otherwise
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2] == "run")
