"""What gates read from off-chip memory and write to it: the bytes, beside the timing of `sim.memory.remote_memory`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.number import Integers, NumberFormat
from deltatrain.sim.memory.clock import Clock
from deltatrain.sim.memory.remote_memory import RemoteMemory

Kind = Literal["weights", "gradients", "vectors", "tape"]
"""What the words of a request are: of W, of dW, of activations, of the tape."""

Taken = Callable[[int], None]
"""Told the first cycle in which the memory has taken all of a write."""


Offer = Callable[[NDArray[np.int64], NDArray[np.uint8]], None]
"""Takes words on their way to the tile.

They are the cycles in which they may be offered at the tile's port if the words before them were, shape (words,), and
the bytes of their payloads, lowest first, shape (words, bytes), as `Simulation.offer_array` takes them.
"""


class RemoteHost:
    """The off-chip memory as the gates see it.

    Gates ask within a cycle, in the order in which requests of one cycle reach the memory: posted writes (of W, then of
    dW), store, load, fetch. The caller keeps that order. It offers the words of each kind one a cycle, in the order of
    the requests, from the cycle on in which they are due.

    When words come is not known at the request, but it is by the cycle in which they do. Lanes that take one word a
    cycle then end exactly as `sim.machine.columns` reckons. Let n words be due in cycles d_0 to d_(n-1), and the lanes
    be free from cycle f on. Each word is taken in the cycle after the one before it or when it is due, so the cycle
    after the last is the largest of f + n and all d_k + n - k. Offering one word a cycle changes nothing, as no more
    are taken in one.

    Values lie in memory one after the other, each in whole bytes, the lowest first, in two's complement. Behind the
    values of a word of compressed columns lie their numbers, without gaps; lanes have each above its value.

    Parameters
    ----------
    architecture
        The machine.
    image
        The off-chip memory from address 0 on, as far as it is used; read and written in place.
    clock
        The time.
    number_bits
        Of the number of an entry of W and of dW where columns are compressed, else 0.

    Attributes
    ----------
    memory
        The timing.
    """

    def __init__(self, architecture: Architecture, image: bytearray, clock: Clock, number_bits: int = 0) -> None:
        formats = architecture.engine.formats
        self.memory = RemoteMemory(clock, architecture)
        self._clock = clock
        own, lanes = architecture.engine.lanes, architecture.row_lanes
        self._lanes: dict[Kind, int] = {"weights": lanes, "gradients": lanes, "vectors": own, "tape": own}
        self._numbered: dict[Kind, int] = {"weights": number_bits, "gradients": number_bits, "vectors": 0, "tape": 0}
        self._image = image
        self._announced: deque[int] = deque()
        self._formats: dict[Kind, NumberFormat] = {
            "weights": formats.weight,
            "gradients": formats.weight_gradient,
            "vectors": formats.activation,
            "tape": NumberFormat(bits=8 * formats.activation.bytes, fraction_bits=0),  # whatever is in it
        }

    def read(self, address: int, words: int, kind: Kind, offer: Offer) -> None:
        """Ask for `words` words from `address` on, as memory holds them now; `offer` takes them."""
        word_bytes = self.word_bytes(kind)
        rows, offered = self._rows(address, words, kind), 0

        def passed(due: Integers) -> None:
            nonlocal offered
            offer(due, rows[offered : offered + len(due)])
            offered += len(due)

        self.memory.read(address, words * word_bytes, word_bytes, passed=passed)

    def post(self, address: int, payloads: Sequence[int], kind: Kind, taken: Taken) -> None:
        """Hand over words now, which requests that follow will read; `taken` is told when the memory has taken them."""
        self._put(address, payloads, kind)
        self.memory.post(self._clock.cycle, address, len(payloads) * self.word_bytes(kind), taken)

    def post_rows(self, address: int, rows: NDArray[np.uint8], kind: Kind, taken: Taken) -> None:
        """Hand over words as in `post`, given as the bytes of their payloads, shape (words, bytes)."""
        if not self._is_dense(kind):
            self.post(address, [int.from_bytes(row.tobytes(), "little") for row in rows], kind, taken)
            return
        self._image[self._checked(address, rows.size)] = rows.tobytes()
        self.memory.post(self._clock.cycle, address, rows.size, taken)

    def announce(self, address: int, words: int, kind: Kind, taken: Taken) -> None:
        """Begin a store whose words are handed over later; `taken` is told when the memory has taken them."""
        word_bytes = self.word_bytes(kind)
        self._announced.extend(range(address, address + words * word_bytes, word_bytes))
        self.memory.write(address, words * word_bytes, taken)

    def hand_over(self, payloads: Sequence[int], kind: Kind) -> None:
        """Put the next announced words into memory at once; `announce` has accounted for their time."""
        for payload in payloads:
            self._put(self._announced.popleft(), [payload], kind)

    def _put(self, address: int, payloads: Sequence[int], kind: Kind) -> None:
        data = b"".join(self._bytes(payload, kind) for payload in payloads)
        self._image[self._checked(address, len(data))] = data

    def word_bytes(self, kind: Kind) -> int:
        """Return the bytes of one word: a value for each lane of a tile or, of a matrix, for each lane of all tiles."""
        return self._lanes[kind] * self._formats[kind].bytes + self._number_bytes(kind)

    def _number_bytes(self, kind: Kind) -> int:
        return -(-self._lanes[kind] * self._numbered[kind] // 8)

    def _checked(self, address: int, size: int) -> slice:
        end = address + size
        if not 0 <= address <= end <= len(self._image):
            raise IndexError(f"bytes {address} to {end} are outside of the image of {len(self._image)} bytes")
        return slice(address, end)

    def _is_dense(self, kind: Kind) -> bool:
        """Tell whether values fill their bytes, so that a word is in memory what its payload is."""
        number = self._formats[kind]
        return number.bits == 8 * number.bytes and not self._numbered[kind]

    def _rows(self, address: int, words: int, kind: Kind) -> NDArray[np.uint8]:
        """Return the payloads' bytes of words in memory, shape (words, bytes)."""
        size = self.word_bytes(kind)
        if self._is_dense(kind):
            data = bytes(self._image[self._checked(address, words * size)])
        else:
            bits = self._lanes[kind] * (self._formats[kind].bits + self._numbered[kind])
            payloads = (self._payload(address + word * size, kind) for word in range(words))
            data = b"".join(payload.to_bytes((bits + 7) // 8, "little") for payload in payloads)
        return np.frombuffer(data, dtype=np.uint8).reshape(words, -1)

    def _payload(self, address: int, kind: Kind) -> int:
        number = self._formats[kind]
        data = self._image[self._checked(address, self.word_bytes(kind))]
        mask, size = (1 << number.bits) - 1, number.bytes
        values = (
            int.from_bytes(data[lane * size : (lane + 1) * size], "little") & mask for lane in range(self._lanes[kind])
        )
        bits, width = number.bits, self._numbered[kind]
        numbers = int.from_bytes(data[self._lanes[kind] * size :], "little")
        return sum(
            (value | (numbers >> (lane * width) & ((1 << width) - 1)) << bits) << (lane * (bits + width))
            for lane, value in enumerate(values)
        )

    def _bytes(self, payload: int, kind: Kind) -> bytes:
        number = self._formats[kind]
        if self._is_dense(kind):
            return payload.to_bytes(self.word_bytes(kind), "little")
        mask, sign, width = (1 << number.bits) - 1, 1 << (number.bits - 1), self._numbered[kind]
        entries = [payload >> (lane * (number.bits + width)) for lane in range(self._lanes[kind])]
        values = (entry & mask for entry in entries)
        told = b"".join(((value ^ sign) - sign).to_bytes(number.bytes, "little", signed=True) for value in values)
        numbers = sum((entry >> number.bits & ((1 << width) - 1)) << (n * width) for n, entry in enumerate(entries))
        return told + numbers.to_bytes(self._number_bytes(kind), "little")
