"""Sweeps over design spaces: `sweep` runs one, `load_results` reads what it left.

Nothing heavy is imported here; see README.md in this folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deltatrain.sim.sweep.results import load_results
    from deltatrain.sim.sweep.run import sweep

__all__ = ["load_results", "sweep"]


def __getattr__(name: str) -> Any:
    if name == "sweep":
        from deltatrain.sim.sweep.run import sweep

        return sweep
    if name == "load_results":
        from deltatrain.sim.sweep.results import load_results

        return load_results
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
