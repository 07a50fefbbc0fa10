"""Ports that are there once, or several times beside each other."""

from __future__ import annotations

from typing import Any

__all__ = ["of_arrays"]


def of_arrays(port: Any) -> list[Any]:
    """Return the ports of all arrays, where there are several, or the one there is."""
    return list(port) if isinstance(port, list) else [port]
