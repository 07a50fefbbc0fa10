"""The parts that a tile can be built for, and what yosys calls the resources of their families."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deltatrain.accel.errors import unknown_name

__all__ = ["ECP5", "PARTS", "RESOURCES", "XC7", "Family", "Part", "part_named"]

RESOURCES = ("lut", "carry", "ff", "lut_ram", "block_ram", "multiplier")
"""What is counted, in the order of the tables."""


@dataclass(frozen=True)
class Family:
    """Parts of one architecture.

    Attributes
    ----------
    synthesis
        yosys' command, to which the top module is added.
    cells
        For each of `RESOURCES` the kinds of cells that are of it, each with how many it is.
    units
        What one of each resource is, in words.
    """

    synthesis: str
    cells: Mapping[str, Mapping[str, int]]
    units: str


@dataclass(frozen=True)
class Part:
    """A part.

    Attributes
    ----------
    name
        As ``--part`` names it.
    family
        Its architecture.
    placing
        nextpnr-ecp5's options of the part; None where there is no place and route.
    """

    name: str
    family: Family
    placing: tuple[str, ...] | None


ECP5 = Family(
    synthesis="synth_ecp5",
    cells={
        "lut": {"LUT4": 1},
        "carry": {"CCU2C": 1},
        "ff": {"TRELLIS_FF": 1},
        "lut_ram": {"TRELLIS_DPR16X4": 1},
        "block_ram": {"DP16KD": 1},
        "multiplier": {"MULT18X18D": 1},
    },
    units="LUT4, carry of 2 bits (CCU2C), flip-flop, LUT RAM of 16 x 4 bits, block RAM of 18 Kb, multiplier 18 x 18",
)

XC7 = Family(
    synthesis="synth_xilinx -family xc7 -flatten",
    cells={
        "lut": {f"LUT{inputs}": 1 for inputs in range(1, 7)} | {"INV": 1},
        "carry": {"CARRY4": 1},
        "ff": dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), 1),
        "lut_ram": {
            "RAM32M": 4,
            "RAM64M": 4,
            "RAM32X1D": 2,
            "RAM64X1D": 2,
            "RAM128X1D": 4,
            "RAM32X1S": 1,
            "RAM64X1S": 1,
            "SRL16E": 1,
            "SRLC32E": 1,
        },
        "block_ram": {"RAMB18E1": 1, "RAMB36E1": 2},
        "multiplier": {"DSP48E1": 1},
    },
    units="LUT of up to 6 inputs, carry of 4 bits (CARRY4), flip-flop, LUT used as memory, block RAM of 18 Kb, DSP48E1",
)

PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        Part("lfe5u-25f", ECP5, ("--25k", "--package", "CABGA381", "--speed", "6")),
        Part("lfe5u-45f", ECP5, ("--45k", "--package", "CABGA381", "--speed", "6")),
        Part("lfe5u-85f", ECP5, ("--85k", "--package", "CABGA381", "--speed", "6")),
        Part("xc7", XC7, None),
    )
}
"""Speed grade 6 is the slowest of ECP5. The timing of a path within does not depend on the package."""


def part_named(name: str) -> Part:
    """Return the part called `name`; a `ConfigError` lists them."""
    if name not in PARTS:
        raise unknown_name("part", name, PARTS)
    return PARTS[name]
