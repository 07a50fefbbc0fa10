"""How much memory this machine has left: asked before a file or a description makes something large of few bytes."""

from __future__ import annotations

from pathlib import Path

from deltatrain.accel.quantity import quantity

_MEMINFO = Path("/proc/meminfo")


def free_bytes() -> int | None:
    """Return how many bytes processes can still take without swapping; None where the system does not tell."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        (kilobytes,) = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
        return 1024 * int(kilobytes)
    except (OSError, ValueError):
        return None


def check_room(wanted_bytes: int, what: str) -> None:
    """Raise a `MemoryError` that says what is too large, if this machine has no room for `wanted_bytes`."""
    free = free_bytes()
    if free is not None and wanted_bytes > free:
        raise MemoryError(f"{what} takes {quantity(wanted_bytes, 'B')}, and {quantity(free, 'B')} are free")
