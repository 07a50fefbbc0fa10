"""Room of a tile's stores of lists: for a sample, the first lists of the next, and a vector that is encoded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.program import Program
from deltatrain.workloads.lowering.memory_map import LISTS_AHEAD
from deltatrain.workloads.lowering.shape import Shape

__all__ = ["most_entries", "most_lists"]


def most_lists(program: Program, shape: Shape) -> int:
    """Return how many lists may be in use at once, in the store that has most of them."""
    encodes = program.ops.is_mode(shape.arithmetic.ENCODER)
    return int(np.bincount(_stores(program)[encodes], minlength=1).max()) + LISTS_AHEAD


def most_entries(program: Program, shape: Shape) -> int:
    """Return the most entries in use at once, in the store that has most of them, where the tape is local.

    Everything may fire, whatever fires in this program: the tile runs any sequences of these lengths.
    """
    ops = program.ops
    encodes = ops.is_mode(shape.arithmetic.ENCODER)
    widths = np.array([shape.inputs, shape.hidden])  # of the streams in the order of STREAMS, by layer
    elements = widths[ops.stream[encodes], ops.layer[encodes]]
    by_store = np.bincount(_stores(program)[encodes], elements, minlength=1)
    return max(int(by_store.max()) + LISTS_AHEAD * shape.inputs[0] + int(widths.max()), 2)


def _stores(program: Program) -> NDArray[np.int64]:
    """Return a number for each sample and store, of every op; stores are by the place of a step in its group."""
    sample, step, steps = program.ops.sample, program.ops.step, program.architecture.engine.outer_steps
    last = np.zeros(int(sample.max(initial=0)) + 1, dtype=np.int64)
    np.maximum.at(last, sample, step)
    stores: NDArray[np.int64] = sample.astype(np.int64) * steps + (last[sample] - step) % steps
    return stores
