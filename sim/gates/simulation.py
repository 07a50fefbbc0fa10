"""What runs gates in lock-step with a host: one interface, whichever simulator is behind it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Simulation"]


class Simulation(Protocol):
    """A component whose ports are driven and read by a host that may answer within the cycle it is asked in.

    Ports are called by the path of the member joined with two underscores, as in Verilog (``requests__0``,
    ``memory__addr``); a stream by the path of its interface. Payloads and values are the port's bits as an unsigned
    integer. All streams out of the design are always ready.

    The order within a cycle, the same in every simulator:

    1. Everything due by the cycle is driven, and the design settles.
    2. If a stream of `stops` offers something that was not reported in this cycle, or the output `halts` is high and
       was not seen to be in this cycle, `run` returns, *before* the clock edge. The host may offer, pulse and set what
       is due now and call `run` again, which goes back to 1.
    3. What streams offer is taken and the clock ticks.

    Raises
    ------
    ValueError
        From every method, for a port that does not exist or is of the wrong kind, a value that does not fit, or a cycle
        that is over.
    """

    @property
    def cycle(self) -> int:
        """The cycle that is about to be clocked."""

    def offer(self, port: str, due: int, payload: int) -> None:
        """Offer an item to a stream into the design, behind those before, not before cycle `due`, until taken."""

    def offer_array(self, port: str, due: NDArray[np.integer], payloads: NDArray[np.generic]) -> None:
        """Offer many items to a stream into the design.

        Parameters
        ----------
        due
            For each item the cycle before which it is not offered, shape (items,).
        payloads
            The items, one row each, whose bytes are the payload's bits, least significant first, in as few bytes as
            hold them, shape (items, ...): words of P 16-bit values are an array of int16 of shape (items, P).
        """

    def pulse(self, port: str, due: int) -> None:
        """Let a one-bit input be high in cycle `due`; in the other cycles it is what `set` made it, or low.

        Pulses are queued in their order; two of a port in the same cycle are a ValueError.
        """

    def set(self, port: str, value: int) -> None:
        """Drive a plain input with `value` from now on."""

    def value(self, port: str) -> int:
        """Return a plain output in this cycle, with everything driven that is due so far and the design settled."""

    def run(self, until: int) -> bool:
        """Clock until `cycle` is `until`; return True if stopped before that, within the cycle `cycle`.

        Raises
        ------
        RuntimeError
            If a stream of `stops` did not keep, up to the clock edge, what it was reported to offer.
        """

    def taken(self, port: str) -> list[tuple[int, int]]:
        """Return what a stream out of the design gave since last asked: cycle and payload of each item."""

    def taken_array(self, port: str) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return the same as arrays: cycles of shape (items,), payloads of shape (items, bytes) as in `offer_array`."""

    def restart(self) -> None:
        """Go back to the first cycle and the first state, with nothing offered, taken or set.

        Raises
        ------
        ValueError
            If a waveform is being written: it has one beginning.
        """

    def close(self) -> None:
        """Free what the simulation holds and finish its waveform; nothing may be called after."""
