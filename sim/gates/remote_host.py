"""The off-chip memory behind a tile's port, for lock-step runs: the timing of `sim.memory.port`, and the bytes too."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.number import NumberFormat
from deltatrain.sim.memory.port import RemotePort

Kind = Literal["weights", "gradients", "vectors", "tape"]
"""What the words of a request are: of W, of dW, of activations, of the tape."""


class DueRows(NamedTuple):
    """Words on their way to the tile.

    Attributes
    ----------
    tag
        What the request for them was called.
    due
        Cycles in which they may be offered at the tile's port, if the words before them were, shape (words,).
    rows
        The bytes of their payloads, lowest first, shape (words, bytes), as `Simulation.offer_array` takes them.
    """

    tag: str
    due: NDArray[np.int64]
    rows: NDArray[np.uint8]


class _Asked(NamedTuple):
    """A request whose words have not all been handed out."""

    tag: str
    rows: NDArray[np.uint8]


class RemoteHost:
    """The off-chip memory as the gates see it.

    Requests come in the order of time, and those of one cycle in the order in which the law has them: posted writes (of
    W, then of dW), store, load, fetch. The caller keeps that order, and offers the words of each kind one a cycle, in
    the order of the requests, from the cycle on in which they are due.

    When words come is not known at the request, but some cycles before they do; `advance` tells, and `next_due` until
    when there is nothing to tell. Lanes that take one word a cycle then end exactly as `sim.machine.columns` reckons:
    let n words be due in cycles d_0 to d_(n-1), and the lanes be free from cycle f on. Each word is taken in the cycle
    after the one before it or when it is due, so the cycle after the last is the largest of f + n and all d_k + n - k.
    Offering one word a cycle changes nothing, as no more are taken in one.

    Values lie in memory one after the other, each in whole bytes, the lowest first, in two's complement.

    Parameters
    ----------
    architecture
        The machine.
    image
        The off-chip memory from address 0 on, as far as it is used; read and written in place.

    Attributes
    ----------
    port
        The timing, which also counts the bytes moved.
    """

    def __init__(self, architecture: Architecture, image: bytearray) -> None:
        formats = architecture.engine.formats
        self.port = RemotePort(architecture)
        self._lanes = architecture.engine.lanes
        self._image = image
        self._asked: deque[_Asked] = deque()
        self._announced: deque[int] = deque()
        self._formats: dict[Kind, NumberFormat] = {
            "weights": formats.weight,
            "gradients": formats.weight_gradient,
            "vectors": formats.activation,
            "tape": NumberFormat(bits=8 * formats.activation.bytes, fraction_bits=0),  # whatever is in it
        }

    def ask(self, cycle: int, address: int, words: int, kind: Kind, tag: str) -> None:
        """Ask for `words` words from `address` on in `cycle`, as memory holds them now."""
        self._asked.append(_Asked(tag, self._rows(address, words, kind)))
        size = self.word_bytes(kind)
        self.port.read(cycle, address, words * size, size, lambda arrival: None)

    def advance(self, cycle: int) -> list[DueRows]:
        """Return what became known in `cycle` to be due in it or later."""
        found = []
        for due in self.port.advance(cycle):
            tag, rows = self._asked.popleft()
            if len(due):
                found.append(DueRows(tag, due, rows[: len(due)]))
            if len(due) < len(rows):
                self._asked.appendleft(_Asked(tag, rows[len(due) :]))
        return found

    @property
    def next_due(self) -> float:
        """A cycle before which nothing is due of which `advance` has not told; infinite if nothing will be."""
        return self.port.next_data

    def write(self, cycle: int, address: int, payloads: Sequence[int], kind: Kind) -> int:
        """Hand over words in `cycle`; return the first cycle in which the memory has taken them.

        What is read in `cycle`, after this, is what was written.
        """
        self._put(address, payloads, kind)
        return self.port.write(cycle, address, len(payloads) * self.word_bytes(kind))

    def write_rows(self, cycle: int, address: int, rows: NDArray[np.uint8], kind: Kind) -> int:
        """Hand over words as in `write`, given as the bytes of their payloads, shape (words, bytes)."""
        if not self._is_dense(kind):
            return self.write(cycle, address, [int.from_bytes(row.tobytes(), "little") for row in rows], kind)
        self._image[self._checked(address, rows.size)] = rows.tobytes()
        return self.port.write(cycle, address, rows.size)

    def announce(self, cycle: int, address: int, words: int, kind: Kind) -> int:
        """Say in `cycle` that words will be handed over; return the first cycle in which the memory has taken them."""
        size = self.word_bytes(kind)
        self._announced.extend(range(address, address + words * size, size))
        return self.port.write(cycle, address, words * size)

    def hand_over(self, payloads: Sequence[int], kind: Kind) -> None:
        """Put the next words that were announced into memory, which takes no time; that passed since `announce`."""
        for payload in payloads:
            self._put(self._announced.popleft(), [payload], kind)

    def _put(self, address: int, payloads: Sequence[int], kind: Kind) -> None:
        data = b"".join(self._bytes(payload, kind) for payload in payloads)
        self._image[self._checked(address, len(data))] = data

    def word_bytes(self, kind: Kind) -> int:
        """Return the bytes of one word: a value for each lane."""
        return self._lanes * self._formats[kind].bytes

    def _checked(self, address: int, size: int) -> slice:
        end = address + size
        if not 0 <= address <= end <= len(self._image):
            raise IndexError(f"bytes {address} to {end} are outside of the image of {len(self._image)} bytes")
        return slice(address, end)

    def _is_dense(self, kind: Kind) -> bool:
        """Tell whether values fill their bytes, so that a word is in memory what its payload is."""
        number = self._formats[kind]
        return number.bits == 8 * number.bytes

    def _rows(self, address: int, words: int, kind: Kind) -> NDArray[np.uint8]:
        """Return the payloads' bytes of words in memory, shape (words, bytes)."""
        size = self.word_bytes(kind)
        if self._is_dense(kind):
            data = bytes(self._image[self._checked(address, words * size)])
        else:
            bits = self._lanes * self._formats[kind].bits
            payloads = (self._payload(address + word * size, kind) for word in range(words))
            data = b"".join(payload.to_bytes((bits + 7) // 8, "little") for payload in payloads)
        return np.frombuffer(data, dtype=np.uint8).reshape(words, -1)

    def _payload(self, address: int, kind: Kind) -> int:
        number = self._formats[kind]
        data = self._image[self._checked(address, self.word_bytes(kind))]
        mask, size = (1 << number.bits) - 1, number.bytes
        values = (int.from_bytes(data[lane * size : (lane + 1) * size], "little") & mask for lane in range(self._lanes))
        return sum(value << (lane * number.bits) for lane, value in enumerate(values))

    def _bytes(self, payload: int, kind: Kind) -> bytes:
        number = self._formats[kind]
        if self._is_dense(kind):
            return payload.to_bytes(self.word_bytes(kind), "little")
        mask, sign = (1 << number.bits) - 1, 1 << (number.bits - 1)
        values = (payload >> (lane * number.bits) & mask for lane in range(self._lanes))
        return b"".join(((value ^ sign) - sign).to_bytes(number.bytes, "little", signed=True) for value in values)
