"""Ports to the memories that hold the tape and the states."""

from __future__ import annotations

from amaranth.lib.wiring import Out, Signature

__all__ = ["TapePorts"]


class TapePorts(Signature):
    """Ports to the memory of the tape and to that of states, seen from who keeps them.

    Parameters
    ----------
    tape
        Signature of a port to the memory of the tape; None for a cell whose tape is the state that a step leaves.
    state
        Signature of a port to the memory of states; None for a cell that has no state but its tape.

    Attributes
    ----------
    has_tape, has_state
        Whether there is the port ``tape``, and ``state``.

    Members
    -------
    tape : Out(tape)
        To the tape, if `has_tape`.
    state : Out(state)
        To the states, if `has_state`.
    """

    def __init__(self, *, tape: Signature | None, state: Signature | None) -> None:
        self.has_tape, self.has_state = tape is not None, state is not None
        ports = {"tape": tape, "state": state}
        super().__init__({name: Out(port) for name, port in ports.items() if port is not None})
