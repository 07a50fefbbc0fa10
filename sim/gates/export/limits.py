"""What is not written as Verilog, with a test bench or for an FPGA, beside what has no gates at all (`rtl.limits`)."""

from __future__ import annotations

from deltatrain.accel.architecture import Architecture
from deltatrain.rtl.commands.sizes import TileSizes

__all__ = ["limits", "program_limits"]


def limits(architecture: Architecture) -> list[str]:
    """Return a line for each reason why a machine's gates are not written for an FPGA."""
    arrays = architecture.engine.arrays
    return [] if arrays == 1 else [f"Verilog for an FPGA is of one array: engine.arrays must be 1, not {arrays}"]


def program_limits(sizes: TileSizes) -> list[str]:
    """Return why gates of these sizes are not written with a test bench: it knows no states in its memory."""
    if not sizes.moves_states:
        return []
    return [
        "Verilog with a test bench moves no states off-chip: checkpoint.local_bytes and local.bytes must be large "
        "enough to keep them, or checkpoint.policy be 'segment', 'revolve' or 'store_all'"
    ]
