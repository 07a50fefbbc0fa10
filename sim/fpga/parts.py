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
    router
        The program that places and routes.
    routing
        Its options. Each ``{}`` stands for the name of a seed's files: what it writes there is the configuration of the
        part, as ``.config``.
    untimed
        Kinds of cells for which the router knows no delays: no path through them is in its clock.
    """

    synthesis: str
    cells: Mapping[str, Mapping[str, int]]
    units: str
    router: str
    routing: tuple[str, ...]
    untimed: tuple[str, ...] = ()


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
        The router's options of the part; None where there is no place and route.
    pins
        The part's pins for the four of the wrapper, where the router asks for them.
    """

    name: str
    family: Family
    placing: tuple[str, ...] | None
    pins: tuple[str, ...] = ()

    @property
    def constraints(self) -> str:
        """The pins as Xilinx's tools are told of them."""
        wired = zip(("clk", "rst", "scan_in", "scan_out"), self.pins, strict=False)
        told = ((f"PACKAGE_PIN {pin}", port) for port, pin in wired)
        lines = [
            f"set_property {what} [get_ports {port}]" for one, port in told for what in (one, "IOSTANDARD LVCMOS33")
        ]
        return "".join(line + "\n" for line in lines)


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
    router="nextpnr-ecp5",
    routing=("--lpf-allow-unconstrained", "--textcfg", "{}.config"),
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
    router="nextpnr-himbaechel-xilinx",
    routing=("-o", "xdc=pins.xdc", "-o", "fasm={}.config"),
    untimed=("DSP48E1",),
)

PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        Part("lfe5u-25f", ECP5, ("--25k", "--package", "CABGA381", "--speed", "6")),
        Part("lfe5u-45f", ECP5, ("--45k", "--package", "CABGA381", "--speed", "6")),
        Part("lfe5u-85f", ECP5, ("--85k", "--package", "CABGA381", "--speed", "6")),
        Part("xc7", XC7, None),
        Part("xc7z010", XC7, ("--device", "xc7z010clg400-1"), ("H16", "D19", "D20", "R14")),
        Part("xc7z020", XC7, ("--device", "xc7z020clg400-1"), ("H16", "D19", "D20", "R14")),
        Part("xc7a50t", XC7, ("--device", "xc7a50tcsg324-1"), ("E3", "C12", "A8", "H5")),
        Part("xc7a100t", XC7, ("--device", "xc7a100tcsg324-1"), ("E3", "C12", "A8", "H5")),
    )
}
"""Speed grade 6 is the slowest of ECP5, grade 1 that of 7-series. The package does not change the timing within."""


def part_named(name: str) -> Part:
    """Return the part called `name`; a `ConfigError` lists them."""
    if name not in PARTS:
        raise unknown_name("part", name, PARTS)
    return PARTS[name]
