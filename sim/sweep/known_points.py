"""What is known of the points of a sweep, in arrays: some sixty bytes a point, so that a million fit any machine."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator

import numpy as np

from deltatrain.sim.sweep.outcome import Outcome
from deltatrain.sim.sweep.pareto import Losses

_UNKNOWN, _FAILED, _SIMULATED = range(3)
_FREE = -1


class Numbers:
    """Numbers of texts, from 0 on in the order in which they come. Texts are known by their hash, of 64 bits."""

    def __init__(self) -> None:
        self._hashes = array("q")
        self._places = array("i", [_FREE]) * 1024  # at least half of them are free, so the next free one is near

    def __len__(self) -> int:
        return len(self._hashes)

    def of(self, text: str) -> int:
        """Return the number of a text, a new one if it has none."""
        wanted = hash(text)
        place = self._place(wanted)
        if self._places[place] == _FREE:
            self._places[place] = len(self._hashes)
            self._hashes.append(wanted)
            if 2 * len(self._hashes) > len(self._places):
                self._spread()
                return len(self._hashes) - 1
        return self._places[place]

    def _place(self, wanted: int) -> int:
        """Return where the number of a hash stands, or would stand."""
        last = len(self._places) - 1
        place = wanted & last
        while (number := self._places[place]) != _FREE and self._hashes[number] != wanted:
            place = (place + 1) & last
        return place

    def _spread(self) -> None:
        """Put all numbers into twice as many places."""
        self._places = array("i", [_FREE]) * (2 * len(self._places))
        for number, known in enumerate(self._hashes):
            self._places[self._place(known)] = number


class KnownPoints:
    """The outcomes of points.

    Parameters
    ----------
    objectives, constraints
        How many each outcome has.
    """

    def __init__(self, objectives: int, constraints: int) -> None:
        self._objectives, self._width = objectives, objectives + constraints
        self._numbers = Numbers()
        self._state = bytearray()
        self._values = array("d")

    def number(self, digest: str) -> int:
        """Return the number of a point, a new one if it has none."""
        number = self._numbers.of(digest)
        if number == len(self._state):
            self._state.append(_UNKNOWN)
            self._values.extend([math.nan] * self._width)
        return number

    def learn(self, number: int, outcome: Outcome) -> None:
        """Keep the outcome of a point."""
        self._state[number] = _FAILED if outcome.losses is None else _SIMULATED
        if outcome.losses is not None:
            begin = number * self._width
            self._values[begin : begin + self._width] = array("d", (*outcome.losses, *outcome.excesses))

    def __contains__(self, number: int) -> bool:
        return self._state[number] != _UNKNOWN

    def outcome(self, number: int) -> Outcome:
        """Return what is known of a point."""
        if self._state[number] == _FAILED:
            return Outcome(None)
        values = self._values[number * self._width : (number + 1) * self._width].tolist()
        return Outcome(tuple(values[: self._objectives]), tuple(values[self._objectives :]))

    def simulated(self, numbers: array[int]) -> tuple[Losses, Losses]:
        """Return losses and excesses of those of the points that could be simulated, in their order."""
        chosen = np.array(numbers, dtype=np.int64)
        chosen = chosen[np.frombuffer(self._state, dtype=np.uint8)[chosen] == _SIMULATED]
        values = np.frombuffer(self._values).reshape(-1, self._width)[chosen]
        return values[:, : self._objectives], values[:, self._objectives :]


class Found:
    """The different points that one search has asked for, in the order of asking, and what is known of them.

    Parameters
    ----------
    known
        Of all points.
    """

    def __init__(self, known: KnownPoints) -> None:
        self._known = known
        self._asked, self._told = bytearray(), bytearray()
        self._order = array("i")
        self.told = 0
        """How many of them the search has been told of."""

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Outcome]:
        return map(self._known.outcome, self._order)

    def add(self, number: int) -> bool:
        """Add a point; tell whether it is new."""
        if number >= len(self._asked):
            more = bytes(number + 1 - len(self._asked))
            self._asked += more
            self._told += more
        new = not self._asked[number]
        if new:
            self._asked[number] = True
            self._order.append(number)
        return new

    def tell(self, number: int) -> None:
        """Note that the search has been told of a point."""
        self.told += not self._told[number]
        self._told[number] = True

    @property
    def failed(self) -> int:
        """How many could not be simulated."""
        return len(self) - len(self._known.simulated(self._order)[0])

    def feasible_losses(self) -> Losses:
        """Return the losses of those that keep all constraints, shape (N, M)."""
        losses, excesses = self._known.simulated(self._order)
        return losses[(excesses <= 0).all(axis=1)]
