"""The tape: what the backward pass needs of a step, how many bytes that is, and where it lies off-chip.

A step of a layer is moved in whole words of P values, each as wide as an activation or wider: the values of the cell's
``TAPE`` or codes of them (`accel.tape_words`), then the list of what fired in x, then that of h, each padded to whole
words. With several tiles, each keeps
and moves the values of its own neurons and its own part of the lists.

Off-chip each step of each layer has a slot that holds it even if everything fires, so where a step lies is known before
what fires. Only what fired is moved.

The machine keeps the values of two steps, one being moved while the other is used. Of lists it keeps more:

- those made in four steps: h[t] of a layer is encoded when its cells of step t - 1 are done, which waited until step
  t - 3 was stored; so lists of t - 2, t - 1 and t may have to stay, and by the next macro step x of t + 1 is listed;
- those loaded for two steps, which the engine may still read when the next sample's are made.

Where more transfers may be in flight at once (`accel.memory.Dma.in_flight`), it keeps as many more steps of each.

Where one op adds the weight gradients of several steps (`accel.engine.Engine.outer_steps`), the delta gradients g(M)
of the steps of a group but one are kept with the tape. The last has its place among what every step works on.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.tape_words import tape_words, value_bytes
from deltatrain.accel.tiles import own_elements
from deltatrain.workloads.lowering.lists import Lists
from deltatrain.workloads.lowering.placement import memory_map
from deltatrain.workloads.lowering.shape import Shape

__all__ = ["LOADED_STEPS", "MADE_STEPS", "TAPE_STEPS", "Tape", "steps_on_way"]

TAPE_STEPS = 2
"""Steps of each layer whose values are in local SRAM when the tape lives off-chip."""

MADE_STEPS = 4
"""Steps whose lists, made in the forward pass, may not be stored yet."""

LOADED_STEPS = 2
"""Steps whose lists are loaded for the backward pass at once."""


def steps_on_way(architecture: Architecture) -> int:
    """Return how many steps of each layer's tape may be in flight at once: `TAPE_STEPS`, or as many as transfers."""
    return max(TAPE_STEPS, architecture.dma.in_flight)


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
    slot_bytes
        Bytes of each layer's slots, shape (L,).
    gradient_bytes
        Bytes of each layer's g(M) of a step, in the tile with the most of it, shape (L,).
    code_bytes
        What a step of each layer writes of codes, shape (L,).
    """

    def __init__(self, architecture: Architecture, shape: Shape, lists: Lists) -> None:
        engine = architecture.engine
        self._on_way = steps_on_way(architecture)
        words = tape_words(shape.arithmetic, shape.code_bits, engine.formats)
        word_bytes = engine.lanes * value_bytes(engine.formats)
        own = np.stack([own_elements(width, engine.lanes, architecture.tiles.count) for width in shape.hidden])
        chunks = -(-own // engine.lanes)  # of each layer and tile
        moved = words.moved(chunks) * word_bytes
        self._value_bytes = moved.sum(axis=1)
        self._own_value_bytes = moved.max(axis=1)
        self.code_bytes: NDArray[np.int64] = words.of_codes(chunks).sum(axis=1) * word_bytes
        self._own_written_bytes = words.written(chunks).max(axis=1) * word_bytes
        self._lists = list(zip(lists.x, lists.h, strict=True))
        self._list_bytes = np.array([x.most_tape_bytes + h.most_tape_bytes for x, h in self._lists], dtype=np.int64)
        self._own_list_bytes = np.array([x.most_own_bytes + h.most_own_bytes for x, h in self._lists], dtype=np.int64)
        self.slot_bytes: NDArray[np.int64] = self._value_bytes + self._list_bytes
        self._lengths = lists.lengths
        accumulators = memory_map(architecture, shape).memory.elements
        self.gradient_bytes: NDArray[np.int64] = np.array(accumulators) * engine.formats.gradient.bytes
        self._grouped_steps = min(engine.outer_steps, int(lists.lengths.max(initial=1)))

    @cached_property
    def bytes(self) -> NDArray[np.int64]:
        """What is moved of each layer, sample and step, 0 where there is none, shape (L, B, T)."""
        of_lists = np.stack([x.tape_bytes + h.tape_bytes for x, h in self._lists])
        return self._where_there(self._value_bytes, of_lists)

    @cached_property
    def own_bytes(self) -> NDArray[np.int64]:
        """What of it one tile keeps at most, found vector by vector, shape (L, B, T)."""
        of_lists = np.stack([x.own_tape_bytes + h.own_tape_bytes for x, h in self._lists])
        return self._where_there(self._own_value_bytes, of_lists)

    def _where_there(self, value_bytes: NDArray[np.int64], of_lists: NDArray[np.int64]) -> NDArray[np.int64]:
        steps = np.arange(of_lists.shape[2]) < self._lengths[:, None]
        together: NDArray[np.int64] = steps * value_bytes[:, None, None] + of_lists
        return together

    @property
    def local_bytes(self) -> int:
        """The whole tape of the sample whose tape is largest, in the tile that keeps most of it.

        With the delta gradients of a group, which the longest sample may have beside it.
        """
        of_lists = np.max(sum(x.kept_bytes + h.kept_bytes for x, h in self._lists), axis=1)
        of_group = (self._grouped_steps - 1) * int(self.gradient_bytes.sum())
        return int((of_lists + self._lengths * self._own_value_bytes.sum()).max(initial=0)) + of_group

    @property
    def values_bytes(self) -> int:
        """What is moved of each step of all layers beside its lists."""
        return int(self._value_bytes.sum())

    @property
    def remote_bytes(self) -> int:
        """Slots for every step of the longest sample; samples follow each other and use the same ones."""
        return int(self._lengths.max(initial=0)) * int(self.slot_bytes.sum())

    @property
    def residue(self) -> NDArray[np.int64]:
        """The part of `own_bytes` that cannot be undone, the cell's own state and the lists, shape (L, B, T)."""
        undone = self._own_written_bytes[:, None, None]
        residue: NDArray[np.int64] = self.own_bytes - np.where(self.own_bytes > 0, undone, 0)
        return residue

    @property
    def made_list_bytes(self) -> int:
        """Local SRAM of a tile for the lists of runs that leave no tape."""
        return int(MADE_STEPS * self._own_list_bytes.sum())

    @property
    def buffer_bytes(self) -> int:
        """Local SRAM of a tile for steps of the tape that are in flight or wait to be."""
        more = self._on_way - TAPE_STEPS
        lists = (MADE_STEPS + LOADED_STEPS + 2 * more) * self._own_list_bytes
        return int((self._on_way * self._own_value_bytes + lists).sum())

    def offset(self, layer: NDArray[np.int64], step: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where slots begin, from the first on: step after step, the layers within a step."""
        ends = np.cumsum(self.slot_bytes)
        offset: NDArray[np.int64] = step * ends[-1] + (ends - self.slot_bytes)[layer]
        return offset
