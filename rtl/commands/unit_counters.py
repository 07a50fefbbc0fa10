"""Busy and stalled cycles of a unit: the hardware side of `accel.counters.UnitCounters`."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.counters import causes
from deltatrain.accel.program import TILE_UNITS
from deltatrain.rtl.commands.sizes import TileSizes

__all__ = ["CAUSES", "UnitCounters", "count_cycles", "spent_layout"]


CAUSES = causes()
"""Those of a machine of one tile."""

_CYCLE_BITS = 32


def spent_layout(phases: int, units: tuple[str, ...] = TILE_UNITS) -> data.ArrayLayout:
    """Return the shape of the counters: for each phase ``busy_cycles``, and ``stall_cycles`` by number of `causes`."""
    cycles = unsigned(_CYCLE_BITS)
    spent = {"busy_cycles": cycles, "stall_cycles": data.ArrayLayout(cycles, len(causes(units)))}
    return data.ArrayLayout(data.StructLayout(spent), phases)


class UnitCounters(Component):
    """Counts busy and stalled cycles. Stalls before an op belong to its phase; the last wait is their cause.

    If an op waited for several units until the same cycle, the last of them in `units` is the cause, as in
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
        Whether the unit has an op in this cycle.
    works : In(1)
        Whether that op advances; if not, it stalls for the stream.
    unmet : In(len(units))
        Units that the op in front still waits for.
    phase : In(range(phases))
        Phase of the unit's op.
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
        """Collect stalled cycles until it is known which op they count for."""
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


def count_cycles(
    m: Module,
    sizes: TileSizes,
    spent: data.View,
    *,
    running: Value,
    active: Value,
    works: Value | int,
    unmet: Value,
    phase: Value | int = 0,
) -> None:
    """Add a unit's `UnitCounters` to its module, and let `spent` show them; the other arguments are their inputs.

    Where the tile counts no cycles `spent` stays zero.
    """
    if sizes.uncounted:
        return
    phases = spent.shape().length
    m.submodules.counters = counters = UnitCounters(phases=phases, units=sizes.units)
    m.d.comb += [
        counters.running.eq(running),
        counters.active.eq(active),
        counters.works.eq(works),
        counters.unmet.eq(unmet),
        counters.phase.eq(phase),
        spent.eq(counters.spent),
    ]
