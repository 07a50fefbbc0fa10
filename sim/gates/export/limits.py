"""What the test bench of an export cannot run, beside what has no gates at all (`rtl.limits`)."""

from __future__ import annotations

from collections.abc import Collection

from deltatrain.accel.architecture import Architecture


def limits(architecture: Architecture, off_chip: Collection[str]) -> list[str]:
    """Return a line for each reason why the test bench cannot run a machine's gates; arguments as of `rtl.limits`."""
    reasons = []
    if architecture.tiles.count > 1:
        reasons.append(f"the test bench is for one tile: tiles.count must be 1, not {architecture.tiles.count}")
    if architecture.engine.arrays > 1:
        reasons.append(f"the test bench is for one array: engine.arrays must be 1, not {architecture.engine.arrays}")
    if "tape" in off_chip:
        reasons.append(
            "the test bench has no memory for a tape: placement.tape must be 'local', or 'auto' with local.bytes large "
            f"enough, not {architecture.homes['tape']!r} with {architecture.local.bytes}"
        )
    return reasons
