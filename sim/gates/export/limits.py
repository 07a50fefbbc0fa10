"""What is not written as Verilog for an FPGA, beside what has no gates at all (`rtl.limits`)."""

from __future__ import annotations

from deltatrain.accel.architecture import Architecture

__all__ = ["limits"]


def limits(architecture: Architecture) -> list[str]:
    """Return a line for each reason why a machine's gates are not written for an FPGA."""
    arrays = architecture.engine.arrays
    return [] if arrays == 1 else [f"Verilog for an FPGA is of one array: engine.arrays must be 1, not {arrays}"]
