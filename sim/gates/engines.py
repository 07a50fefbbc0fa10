"""What may run the gates: Amaranth's simulator, or the same design compiled."""

from __future__ import annotations

from collections.abc import Callable

from accel.errors import ConfigError, unknown_name
from sim.gates.amaranth_simulation import AmaranthSimulation
from sim.gates.compiled.simulation import CompiledSimulation
from sim.gates.compiled.tools import find_tool
from sim.gates.simulation import Simulation

__all__ = ["ENGINES", "engine_named"]

Engine = Callable[..., Simulation]

ENGINES: dict[str, Engine] = {"amaranth": AmaranthSimulation, "compiled": CompiledSimulation}


def engine_named(name: str | None) -> Engine:
    """Return an engine by its name; without one the compiled, if this machine has a tool that compiles gates.

    Raises
    ------
    ConfigError
        If there is no such engine.
    """
    if name is not None and name not in ENGINES:
        raise ConfigError(unknown_name("engine", name, sorted(ENGINES)))
    if name is None:
        try:
            find_tool(None)
        except ConfigError:
            return AmaranthSimulation
        return CompiledSimulation
    return ENGINES[name]
