"""What a port is asked for."""

from __future__ import annotations

from functools import partial
from typing import Any

from deltatrain.accel.program import Program
from deltatrain.sim.machine.machine import Machine
from deltatrain.sim.memory.port import Port


def machine_with_log(program: Program) -> tuple[Machine, RequestLog]:
    """Return a machine whose requests come to its port one by one, and what writes them down."""
    machine = Machine(program, on_bursts=lambda *_: None)
    return machine, RequestLog(machine.memory.port)


class RequestLog:
    """Writes down what a port asks its memory for, and insists on the order of time.

    Attributes
    ----------
    requests
        Cycle, "read" or "write", address, bytes of each.
    """

    def __init__(self, port: Port) -> None:
        self.requests: list[tuple[int, str, int, int]] = []
        for kind in ("read", "write"):
            setattr(port.memory, kind, partial(self._asked, kind, getattr(port.memory, kind)))

    def _asked(self, kind: str, ask: Any, cycle: int, address: int, size_bytes: int, oldest: int | None) -> Any:
        assert not self.requests or cycle >= self.requests[-1][0]
        self.requests.append((cycle, kind, address, size_bytes))
        return ask(cycle, address, size_bytes, oldest)
