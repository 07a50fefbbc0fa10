"""The tape: what the backward pass needs of a step, how many bytes that is, and where it lies off-chip.

A step of a layer is moved in whole words of P values, as wide as an activation or wider: the values of the cell's
``TAPE``, each vector padded to whole words; then the list of what fired in x, then that of h, each padded likewise.

Off-chip each step of each layer has a slot in which it fits if everything fires: where a step lies is known before it
is known what fires. Only what fired is moved.

The machine keeps the values of two steps, one being moved while the other is used. Of lists it keeps more:

- four steps' that were made: h[t] of a layer is encoded when its gates of step t - 1 are done, which waited until step
  t - 3 was stored; so lists of t - 2, t - 1 and t may have to stay, and by the next macro step x of t + 1 is listed;
- two steps' that were loaded, which the engine may still read when the next sample's are made.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accel.architecture import Architecture
from accel.engine import Formats
from workloads.lists import Lists
from workloads.placement import Shape

__all__ = ["LOADED_STEPS", "MADE_STEPS", "TAPE_STEPS", "Tape", "value_bytes"]

TAPE_STEPS = 2
"""Steps of each layer whose values are in local SRAM when the tape lives off-chip."""

MADE_STEPS = 4
"""Steps whose lists, made in the forward pass, may not be stored yet."""

LOADED_STEPS = 2
"""Steps whose lists are loaded for the backward pass at once."""


def value_bytes(formats: Formats) -> int:
    """Return the bytes of one value in a word of the tape, the same for all, so that each stays in its lane."""
    return max(formats.activation.bytes, formats.gate.bytes, formats.state.bytes)


class Tape:
    """Sizes and places of the tape of a training step.

    Parameters
    ----------
    architecture
        The machine.
    shape
        The network's sizes.
    lists
        What fires.

    Attributes
    ----------
    bytes
        What is moved of each layer, sample and step, 0 where there is none, shape (L, B, T).
    slot_bytes
        Bytes of each layer's slots, shape (L,).
    """

    def __init__(self, architecture: Architecture, shape: Shape, lists: Lists) -> None:
        engine = architecture.engine
        word_bytes = engine.lanes * value_bytes(engine.formats)
        steps = np.arange(lists.x[0].fired.shape[1]) < lists.lengths[:, None]

        def of_lists(entries: NDArray[np.int64]) -> NDArray[np.int64]:
            return -(-entries * lists.entry_bytes // word_bytes) * word_bytes

        chunks = -(-np.array(shape.hidden, dtype=np.int64) // engine.lanes)
        self._value_bytes = len(shape.gates.TAPE) * chunks * word_bytes
        pairs = list(zip(lists.x, lists.h, strict=True))
        self.bytes: NDArray[np.int64] = np.stack(
            [
                steps * values + of_lists(x.asked) + of_lists(h.asked)
                for values, (x, h) in zip(self._value_bytes, pairs, strict=True)
            ]
        )
        widths = np.array([(x.width, h.width) for x, h in pairs], dtype=np.int64)
        self._list_bytes = of_lists(widths).sum(axis=1)
        self.slot_bytes: NDArray[np.int64] = self._value_bytes + self._list_bytes
        self._longest = int(lists.lengths.max(initial=0))

    @property
    def local_bytes(self) -> int:
        """The whole tape of the sample whose tape is largest."""
        return int(self.bytes.sum(axis=(0, 2)).max(initial=0))

    @property
    def remote_bytes(self) -> int:
        """Slots for every step of the longest sample; samples follow each other and use the same ones."""
        return self._longest * int(self.slot_bytes.sum())

    @property
    def buffer_bytes(self) -> int:
        """Local SRAM for what is on its way out or in, or not on its way yet."""
        lists = (MADE_STEPS + LOADED_STEPS) * self._list_bytes
        return int((TAPE_STEPS * self._value_bytes + lists).sum())

    def offset(self, layer: NDArray[np.int64], step: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where slots begin, from the first on: step after step, the layers within a step."""
        ends = np.cumsum(self.slot_bytes)
        offset: NDArray[np.int64] = step * ends[-1] + (ends - self.slot_bytes)[layer]
        return offset
