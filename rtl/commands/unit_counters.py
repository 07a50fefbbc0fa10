"""What a unit's cycles went into: the gates' side of `accel.result.UnitCounters`."""

from __future__ import annotations

from typing import get_args

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.program import TILE_UNITS
from deltatrain.accel.result import Cause

__all__ = ["CAUSES", "UnitCounters", "causes", "spent_layout"]


def causes(units: tuple[str, ...] = TILE_UNITS) -> tuple[Cause, ...]:
    """Return what a unit waits for: another, or the stream of words; what is left of a run is "end"."""
    return tuple(cause for cause in get_args(Cause) if cause in (*units, "stream"))


CAUSES = causes()
"""Those of a machine of one tile."""

_CYCLE_BITS = 32


def spent_layout(phases: int, units: tuple[str, ...] = TILE_UNITS) -> data.ArrayLayout:
    """Return the shape of the counters: for each phase ``busy_cycles``, and ``stall_cycles`` by number of `causes`."""
    cycles = unsigned(_CYCLE_BITS)
    spent = {"busy_cycles": cycles, "stall_cycles": data.ArrayLayout(cycles, len(causes(units)))}
    return data.ArrayLayout(data.StructLayout(spent), phases)


class UnitCounters(Component):
    """Counts busy and stalled cycles; those before an op go to its phase, and to what it waited for last.

    Of several units for which an op waited until the same cycle, the last in `units` is the cause, as in
    `sim.machine.machine`. Cycles are counted from the first after reset in which `running` is high.

    Parameters
    ----------
    phases
        Phases to tell apart.
    units
        The machine's units.

    Attributes
    ----------
    running : In(1)
        Whether cycles count.
    active : In(1)
        Whether the unit is on an op in this cycle.
    works : In(1)
        Whether it gets on with it, or waits for a stream.
    unmet : In(len(units))
        Units for which the op in front still waits in this cycle.
    phase : In(range(phases))
        Of the op that it is on.
    spent : Out(spent_layout(phases, units))
        The counters.
    """

    def __init__(self, *, phases: int = 1, units: tuple[str, ...] = TILE_UNITS) -> None:
        self._phases, self._causes = phases, causes(units)
        super().__init__(
            {
                "running": In(1),
                "active": In(1),
                "works": In(1),
                "unmet": In(len(units)),
                "phase": In(range(max(phases, 2))),
                "spent": Out(spent_layout(phases, units)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count waiting cycles apart until it is known which op they were for."""
        m = Module()
        waited, cause = Signal(_CYCLE_BITS), Signal(range(len(self._causes)))
        with m.If(self.running & ~self.active):
            m.d.sync += waited.eq(waited + 1)
            for unit in range(len(self.unmet)):
                with m.If(self.unmet[unit]):
                    m.d.sync += cause.eq(unit)
        with m.If(self.running & self.active):
            m.d.sync += waited.eq(0)
            for phase in range(self._phases):
                with m.If((self.phase == phase) | (self._phases == 1)):
                    self._spend(m, self.spent[phase], waited, cause)
        return m

    def _spend(self, m: Module, spent: data.View, waited: Signal, cause: Signal) -> None:
        """Add this cycle, and those waited before, to the counters of one phase."""
        m.d.sync += spent.busy_cycles.eq(spent.busy_cycles + self.works)
        stream = self._causes.index("stream")
        for number in range(len(self._causes)):
            stalls = spent.stall_cycles[number]
            more = ~self.works if number == stream else Mux(cause == number, waited, 0)
            m.d.sync += stalls.eq(stalls + more)
