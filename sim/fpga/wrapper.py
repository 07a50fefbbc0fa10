"""A top module with few pins around a tile, whose thousands of port bits fit no package.

Inputs come from a chain of registers that is filled bit by bit; outputs go into registers and from there through a tree
of registered exclusive ors into one pin. So every path of the tile begins and ends in a register, and nothing is
optimised away. The wrapper is for measuring; it drives no memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from deltatrain.sim.gates.ports import Port, Ports

__all__ = ["INSTANCE", "PINS", "TOP", "PortBits", "port_bits", "wrapper"]

TOP = "fpga_top"
INSTANCE = "tile"
PINS = 4
"""clk, rst, scan_in, scan_out."""

_INPUTS_OF_A_LUT = 4


class PortBits(NamedTuple):
    """Bits of each port of a design by name, without ``clk`` and ``rst``."""

    inputs: dict[str, int]
    outputs: dict[str, int]

    @property
    def total(self) -> int:
        """All bits, with ``clk`` and ``rst``."""
        return sum(self.inputs.values()) + sum(self.outputs.values()) + 2


def port_bits(ports: Ports) -> PortBits:
    """Return the bits of all ports, the members of streams among them."""
    inputs, outputs = list(ports.inputs.values()), list(ports.outputs.values())
    for stream in ports.sources.values():
        inputs += [stream.payload, stream.valid]
        outputs.append(stream.ready)
    for stream in ports.sinks.values():
        inputs.append(stream.ready)
        outputs += [stream.payload, stream.valid]
    return PortBits(_widths(inputs), _widths(outputs))


def wrapper(bits: PortBits) -> str:
    """Return the Verilog of the module `TOP` around the module ``tile`` with these ports."""
    scanned, caught = sum(bits.inputs.values()), sum(bits.outputs.values())
    pins = [".clk(clk)", ".rst(reset)", *_connected(bits.inputs, "scan"), *_connected(bits.outputs, "given")]
    shifted = f"{{scan[{scanned - 2}:0], scan_in}}" if scanned > 1 else "scan_in"
    return (
        f"module {TOP}(input clk, input rst, input scan_in, output scan_out);\n"
        "  reg reset;\n"
        f"  reg [{scanned - 1}:0] scan;\n"
        f"  wire [{caught - 1}:0] given;\n"
        f"  reg [{caught - 1}:0] xor_0;\n"
        "  always @(posedge clk) begin\n"
        "    reset <= rst;\n"
        f"    scan <= {shifted};\n"
        "    xor_0 <= given;\n"
        "  end\n"
        f"{''.join(_tree(caught))}"
        f"  tile {INSTANCE} (\n    " + ",\n    ".join(pins) + "\n  );\nendmodule\n"
    )


def _widths(ports: list[Port]) -> dict[str, int]:
    return {port.name: port.width for port in ports}


def _connected(widths: Mapping[str, int], vector: str) -> Iterator[str]:
    """Yield the connections of ports to a vector, one after the other."""
    low = 0
    for name, width in widths.items():
        yield f".{name}({vector}[{low + width - 1}:{low}])"
        low += width


def _tree(width: int) -> Iterator[str]:
    """Yield the registered stages of the exclusive or, each bit of four of the stage before."""
    stage = 0
    while width > 1:
        parts = [
            f"^xor_{stage}[{min(low + _INPUTS_OF_A_LUT, width) - 1}:{low}]" for low in range(0, width, _INPUTS_OF_A_LUT)
        ]
        width, stage = len(parts), stage + 1
        joined = ", ".join(reversed(parts))
        yield f"  reg [{width - 1}:0] xor_{stage};\n  always @(posedge clk) xor_{stage} <= {{{joined}}};\n"
    yield f"  assign scan_out = xor_{stage}[0];\n"
