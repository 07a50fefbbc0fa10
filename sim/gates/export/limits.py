"""What is not written as Verilog, for a test bench or an FPGA, beside what has no gates at all (`rtl.limits`)."""

from __future__ import annotations

from deltatrain.accel.architecture import Architecture

__all__ = ["limits"]


def limits(architecture: Architecture) -> list[str]:
    """Return a line for each reason why a machine's gates are not written for a test bench or an FPGA."""
    arrays = architecture.engine.arrays
    if arrays == 1:
        return []
    return [f"Verilog for a test bench or an FPGA is of one array: engine.arrays must be 1, not {arrays}"]
