"""The tile as gates: one SimPy process, beside that of the off-chip memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Sequence

import numpy as np
import simpy
from numpy.typing import NDArray

from deltatrain.rtl.off_chip.request import FetchRequest
from deltatrain.rtl.off_chip.wide_store import TapeRow
from deltatrain.rtl.parts.layouts import INDEX_BITS
from deltatrain.sim.gates.loaded_words import LoadedWords
from deltatrain.sim.gates.remote_host import Kind, Offer, RemoteHost
from deltatrain.sim.gates.simulation import Simulation
from deltatrain.sim.memory.clock import SAMPLE, Clock, Turn

__all__ = ["FETCH_BITS", "POSTS", "TileProcess", "requests_of", "until_stop"]

POSTS: dict[str, Kind] = {"posts_weights": "weights", "posts_gradients": "gradients"}
"""Streams of requests to write, and the kind of their words."""

_OTHERS = ("store_requests", "load_requests", "fetch_requests")


def requests_of(sinks: Collection[str]) -> list[str]:
    """Return which of a tile's streams are requests, in the order in which those of one cycle reach the memory.

    Of several arrays each has posts of its own, those of the first before those of the second.
    """
    posts = [name for name in sinks if name.partition("__")[0] in POSTS]
    order = list(POSTS)

    def place(name: str) -> tuple[int, int]:
        stream, _, array = name.partition("__")
        return int(array or 0), order.index(stream)

    return [*sorted(posts, key=place), *(name for name in _OTHERS if name in sinks)]


Rows = NDArray[np.uint8]
"""Words as the bytes of their payloads, shape (words, bytes)."""

_PATIENCE_CYCLES = 10_000_000
_STREAM_OF: dict[Kind, str] = {"weights": "weights", "gradients": "weight_gradients"}
FETCH_BITS = FetchRequest().size
"""Of a request of the fetch, above which lies the number of its array."""


def until_stop(clock: Clock, simulation: Simulation, origin: int) -> Generator[simpy.Event, None, None]:
    """Clock gates until they stop, and let the environment's time come to that cycle.

    Nothing can come to the gates before the environment's next event. So they are clocked until then, or until they ask
    for something, and only then does the environment's time follow: SimPy sees requests and never cycles. A cycle is
    sampled in its last phase, when everything that is due by it has been offered.

    Parameters
    ----------
    clock
        The time of the environment.
    simulation
        The gates.
    origin
        The simulation's cycle in which the environment's is 0.

    Raises
    ------
    RuntimeError
        If they do not stop for very long.
    """
    patience = simulation.cycle + _PATIENCE_CYCLES
    stopped = False
    yield from _sampled(clock, clock.cycle)
    while not stopped:
        stopped = simulation.run(int(min(patience, clock.peek() + origin)))
        if simulation.cycle == patience and not stopped:
            raise RuntimeError(f"the gates have not asked for anything, nor finished, in {_PATIENCE_CYCLES} cycles")
        if simulation.cycle - origin > clock.cycle:
            yield from _sampled(clock, simulation.cycle - origin)


def _sampled(clock: Clock, cycle: int) -> Generator[simpy.Event, None, None]:
    """Let time come to the last phase of `cycle`, by an event only if there are others up to it."""
    if not clock.pass_quietly(cycle):
        yield Turn(clock, cycle, SAMPLE)


class TileProcess:
    """Gates that ask the off-chip memory of their environment.

    Parameters
    ----------
    clock
        The time of the environment.
    simulation
        The gates, ready to start.
    host
        The off-chip memory.
    stops
        The gates' streams of requests, see `requests_of`.
    origin
        The simulation's cycle in which the environment's is 0.
    tape_is_remote
        Whether loads may be of the tape.
    loaded
        What offers the words of loads to the gates.
    tells
        Whether the gates want to know when the last word of a request of columns passes the port.
    row
        What the gates store in a cycle, if that are several words of the tape.
    """

    def __init__(
        self,
        clock: Clock,
        simulation: Simulation,
        host: RemoteHost,
        stops: Sequence[str],
        origin: int,
        tape_is_remote: bool,
        loaded: LoadedWords,
        tells: bool = False,
        row: TapeRow | None = None,
    ) -> None:
        self._clock, self._simulation, self._host = clock, simulation, host
        self._arrays = len({name.partition("__")[2] for name in stops if name.partition("__")[0] in POSTS})
        self._loaded, self._tells, self._row = loaded, tells, row
        self._stops, self._origin, self._tape_is_remote = stops, origin, tape_is_remote
        self._made: defaultdict[str, list[Rows]] = defaultdict(list)

    def run(self, on_stop: Callable[[], None]) -> Generator[simpy.Event, None, None]:
        """Run the gates until they finish; `on_stop` is called after each stop but the last."""
        while True:
            yield from until_stop(self._clock, self._simulation, self._origin)
            finished = self._simulation.value("finished")  # asked first: after an answer the design has to settle anew
            for name in self._stops:
                for _, payload in self._simulation.taken(name):
                    self._ask(name, payload)
            if finished:
                return
            on_stop()

    def _ask(self, name: str, payload: int) -> None:
        """Hand a request to the memory; what it answers goes to the gates."""
        if name == "fetch_requests":
            kind: Kind = "gradients" if payload & 1 else "weights"
            array = f"__{payload >> FETCH_BITS}" if self._arrays > 1 else ""
            address, words = _request(payload >> 1)
            self._host.read(address, words, kind, self._offer(f"{_STREAM_OF[kind]}{array}", words))
        elif name == "load_requests":
            self._load(payload)
        elif name == "store_requests":
            self._host.announce(*_request(payload), "tape", self._stored)
        else:
            self._post(name, payload)

    def _load(self, payload: int) -> None:
        """Ask for a vector, or the tape as far as it has been stored."""
        if self._tape_is_remote:
            self._host.hand_over(self._stored_words(), "tape")
            if self._simulation.value("load_is_tape"):
                self._host.read(*_request(payload), "tape", self._loaded.offer("load_tape_words", _request(payload)[1]))
                return
        self._host.read(*_request(payload), "vectors", self._loaded.offer("load_words", _request(payload)[1]))

    def _stored_words(self) -> list[int]:
        """Return the words of the tape that the gates have handed over, one in a cycle or some (`TapeRow`)."""
        rows = [payload for _, payload in self._simulation.taken("store_words")]
        if self._row is None:
            return rows
        bits = self._row["words"].shape.elem_shape.size
        counts = (row >> self._row["count"].offset for row in rows)
        return [
            row >> bits * number & ((1 << bits) - 1)
            for row, count in zip(rows, counts, strict=True)
            for number in range(count)
        ]

    def _post(self, name: str, payload: int) -> None:
        """Hand over the oldest words that the lanes have made, of a kind and an array, and that were not posted yet."""
        address, words = _request(payload)
        stream, _, array = name.partition("__")
        kind, array = POSTS[stream], f"__{array}" if array else ""
        made = np.concatenate([*self._made[name], self._simulation.taken_array(f"new_{_STREAM_OF[kind]}{array}")[1]])
        self._made[name] = [made[words:]]

        def taken(cycle: int) -> None:
            self._simulation.offer(f"{kind}_written{array}", cycle + self._origin, words)

        self._host.post_rows(address, made[:words], kind, taken)

    def _offer(self, stream: str, columns: int = 0) -> Offer:
        """Return what offers words to a stream into the gates, and tells of the last of so many of `columns`, if asked.

        The words of a request pass the port in one cycle or in several; the gates have them one a cycle.
        """
        left = columns

        def offer(due: NDArray[np.int64], rows: Rows) -> None:
            nonlocal left
            self._simulation.offer_array(stream, due + self._origin, rows)
            left -= len(due)
            if self._tells and columns and not left:
                self._simulation.offer("fetch_passed", int(due[-1]) + self._origin, 0)

        return offer

    def _stored(self, cycle: int) -> None:
        self._simulation.pulse("stored", cycle + self._origin)


def _request(payload: int) -> tuple[int, int]:
    """Return address and words of the bits of a `rtl.off_chip.request.Request`."""
    return payload & 0xFFFF_FFFF, payload >> 32 & ((1 << INDEX_BITS) - 1)
