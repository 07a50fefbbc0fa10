"""What the machine is doing: it begins what the host commands, and stops it when something goes wrong."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.bus.channels import ADDRESS_BITS
from deltatrain.rtl.bus.machine import MOVES
from deltatrain.rtl.parts.arguments import check_at_least

__all__ = ["ENDS", "RunControl"]

ENDS = ("finished", "aborted", "read_error", "write_error", "program_error")
"""How a run may end, as in the registers."""

_ERRORS = ENDS[2:]


class RunControl(Component):
    """Does one run after another.

        IDLE      a command is taken; the ends of the run before are cleared
        CLEAR     the machine is reset for a cycle, its counters too: before a program, and after a run that was stopped
        FORGET    gradients of h that a stopped run left are forgotten: one word a cycle
        RUN       until it is done, is aborted, or something is wrong
        DRAIN     bursts that have begun come to their end

    Parameters
    ----------
    forget_cycles
        Cycles in which the machine forgets.

    Attributes
    ----------
    start, abort, reset_counters, MOVES : In(1)
        Commands, each high for a cycle. All but ``abort`` are ignored unless idle, and in a cycle in which ``abort`` is
        high; of several that run the first in this order does.
    done, drained : In(1)
        The machine has done what it was told; no burst is on its way.
    ERRORS : In(1)
        The last three of `ENDS`: what goes wrong in this cycle; the first of them counts.
    where : In(unsigned(ADDRESS_BITS))
        Where it does.
    clears : Out(1)
        Reset the machine.
    runs, MOVES_now : Out(1)
        What the machine is to do; the latter for each of `MOVES`, as ``NAME_now``.
    stops : Out(1)
        It is to ask for nothing.
    idle, running : Out(1)
        What is the case.
    ends : Out(len(ENDS))
        How the last run ended, a bit for each of `ENDS`.
    ended : Out(1)
        High for a cycle when a run ends: `ends` says how, in the same cycle.
    error_address : Out(unsigned(ADDRESS_BITS))
        Where something went wrong.
    """

    def __init__(self, *, forget_cycles: int) -> None:
        check_at_least("forget_cycles", forget_cycles, 1)
        self._forget_cycles = forget_cycles
        super().__init__(
            {
                **dict.fromkeys(("start", "abort", "reset_counters", *MOVES), In(1)),
                "done": In(1),
                "drained": In(1),
                **dict.fromkeys(_ERRORS, In(1)),
                "where": In(ADDRESS_BITS),
                "clears": Out(1),
                "runs": Out(1),
                **{f"{name}_now": Out(1) for name in MOVES},
                "stops": Out(1),
                "idle": Out(1),
                "running": Out(1),
                "ends": Out(len(ENDS)),
                "ended": Out(1),
                "error_address": Out(ADDRESS_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        commands = [self.start, *(getattr(self, name) for name in MOVES)]
        chosen, left = Signal(len(commands)), Signal(range(self._forget_cycles + 1))
        errors = Cat(getattr(self, name) for name in _ERRORS)
        acts, aborted = Signal(), Signal()
        outputs = [self.runs, *(getattr(self, f"{name}_now") for name in MOVES)]
        m.d.comb += [
            self.running.eq(~self.idle),
            self.stops.eq(1),
            *(output.eq(acts & chosen[number]) for number, output in enumerate(outputs)),
        ]
        with m.If(self.abort):
            m.d.sync += aborted.eq(1)
        with m.FSM(name="run"):
            with m.State("IDLE"):
                m.d.comb += [self.idle.eq(1), self.clears.eq(self.reset_counters & ~self.abort)]
                m.d.sync += aborted.eq(0)
                with m.If(Cat(commands).any() & ~self.abort):
                    m.d.sync += [chosen.eq(_lowest(commands)), self.ends.eq(0), left.eq(self._forget_cycles)]
                    with m.If(self.start | ~self.ends[0]):
                        m.next = "CLEAR"
                    with m.Else():
                        m.next = "RUN"
            with m.State("CLEAR"):
                m.d.comb += self.clears.eq(1)
                m.next = "FORGET"
            with m.State("FORGET"):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += [acts.eq(1), self.stops.eq(0)]
                with m.If(errors.any()):
                    m.d.sync += [self.ends.eq(errors << 2), self.error_address.eq(self.where)]
                    m.next = "DRAIN"
                with m.Elif(self.abort | aborted):
                    m.d.sync += self.ends.eq(1 << ENDS.index("aborted"))
                    m.next = "DRAIN"
                with m.Elif(self.done):
                    m.d.sync += self.ends.eq(1 << ENDS.index("finished"))
                    m.next = "END"
            with m.State("DRAIN"):
                m.d.comb += acts.eq(1)
                with m.If(self.drained):
                    m.next = "END"
            with m.State("END"):
                m.d.comb += self.ended.eq(1)
                m.next = "IDLE"
        return m


def _lowest(bits: list[Signal]) -> Any:
    """Return the bits with all but the first that is high cleared."""
    earlier: Any = 0
    found = []
    for bit in bits:
        found.append(bit & ~earlier if not isinstance(earlier, int) else bit)
        earlier = earlier | bit
    return Cat(found)
