"""What each point's tile takes of an FPGA, and the clock that its gates reach there, as columns beside the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.description import Description, PositiveInt, with_overrides
from deltatrain.accel.errors import unknown_name
from deltatrain.sim.fpga.parts import PARTS
from deltatrain.sim.fpga.tools import tools_for
from deltatrain.workloads.trace import Trace

__all__ = ["CLOCK", "OF_THE_GATES", "OnFpga", "faults"]

CLOCK = "machine.engine.clock_hz"
OF_THE_GATES = "fpga"
"""What a space's ``fixed`` gives for `CLOCK` where each point has the clock that its gates reach."""

_AREA = {"fpga.lut": "lut", "fpga.bram": "block_ram", "fpga.dsp": "multiplier"}
"""Columns, and what `sim.fpga.parts.RESOURCES` calls them."""
_FMAX = "fpga.fmax_hz"


class OnFpga(Description):
    """The FPGA that points are built for. What was built before is found in the cache folder of `sim.fpga`.

    Attributes
    ----------
    part
        The FPGA, as ``deltatrain fpga --part`` takes it.
    seeds
        How many seeds of place and route; the best one counts.
    """

    part: str
    seeds: PositiveInt = 1

    @property
    def routes(self) -> bool:
        """Whether the part has place and route, and so a clock."""
        return PARTS[self.part].placing is not None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that points have."""
        return (*_AREA, *([_FMAX] if self.routes else []))

    @property
    def identity(self) -> tuple[str | int, ...]:
        """What decides the columns beside the tile: part, seeds, and the versions of the tools."""
        return (self.part, self.seeds, *(tool.version for tool in tools_for(PARTS[self.part])))

    def row(self, machine: Architecture, trace: Trace) -> dict[str, Any]:
        """Return the columns of a machine's tile; errors as for `sim.fpga.run.fpga`, `FitError` for a small part."""
        from deltatrain.sim.fpga.run import fpga  # builds gates, which most sweeps do not

        found = fpga(machine, trace, part=self.part, seeds=self.seeds)
        area = {column: found.area[resource] for column, resource in _AREA.items()}
        return area | ({_FMAX: found.fmax_hz} if self.routes else {})

    @staticmethod
    def at_its_clock(machine: Architecture, row: dict[str, Any]) -> Architecture:
        """Return `machine` with the clock that its gates reach, in whole hertz below."""
        table = machine.model_dump(mode="json")
        return Architecture.from_table(with_overrides(table, {"engine.clock_hz": int(row[_FMAX])}))


def faults(asked: OnFpga | None, clock: Any) -> Iterator[str]:
    """Yield what is wrong with a space's table ``fpga``, and with a `clock` that shall be the gates'."""
    if asked is not None and asked.part not in PARTS:
        yield f"fpga.part: {unknown_name('part', asked.part, PARTS)}"
    elif clock == OF_THE_GATES and asked is None:
        yield f"fixed.{CLOCK} = {OF_THE_GATES!r} needs a table fpga with the part"
    elif clock == OF_THE_GATES and asked is not None and not asked.routes:
        yield f"fixed.{CLOCK} = {OF_THE_GATES!r} needs a part with place and route, and {asked.part} has none"
