"""Ports to the memories that hold the tape and the states."""

from __future__ import annotations

from amaranth.lib.wiring import Out, Signature

__all__ = ["TapePorts"]


class TapePorts(Signature):
    """Ports to the memory of the tape and to that of states, seen from who keeps them.

    Parameters
    ----------
    tape
        Signature of a port to the memory of the tape.
    state
        Signature of a port to the memory of states; None for a cell that has no state but its tape.

    Attributes
    ----------
    has_state
        Whether there is the port ``state``.

    Members
    -------
    tape : Out(tape)
        To the tape.
    state : Out(state)
        To the states, if `has_state`.
    """

    def __init__(self, *, tape: Signature, state: Signature | None) -> None:
        self.has_state = state is not None
        super().__init__({"tape": Out(tape)} | ({"state": Out(state)} if self.has_state else {}))
