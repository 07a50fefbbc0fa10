"""Family: the element-wise arithmetic of each recurrent cell, in the integers of an engine's formats.

Every member has

``ACCUMULATORS``
    how many H-blocks the delta memory M has;
``KEPT``
    the share of M with which the next step begins: 1 where deltas are added up, 0 where each step's sum is its own;
``ENCODER``
    the mode that lists what its streams bring, `accel.modes.encode` or `accel.modes.encode_spikes`;
``BLOCKS_X``, ``BLOCKS_H``
    for each H-row block of W_x and W_h the block of M that it adds to (`accumulator_rows`); without any in
    ``BLOCKS_H`` the cell has no recurrent matrix;
``BIAS_X``, ``BIAS_H``
    whether the bias is an extra last column of W_x, of W_h. M starts at zero; that column fires at step 0 only, with
    the value 1.0, so that `outer` makes the gradient of the bias, which is g(M) of step 0, like any other;
``STATE``
    the H-vectors that the gates of a step take from the step before, all zero before step 0. Every cell also carries
    h, and M, x-hat and h-hat if it keeps them;
``TAPE``
    the H-vectors of a step that its backward pass needs;
``LOOKUPS``, ``FORWARD_MULTIPLIES``, ``BACKWARD_MULTIPLIES``
    table look-ups and multiplications for one neuron and step. A table's interpolation has a small multiplier of its
    own and is part of the look-up;
``forward(M, state, formats)``
    the new state, h in ``formats.activation``, and the tape;
``backward(g_h, carry, tape, g_M, formats)``
    g(M) of this step and what is carried to the step before.

In all of them products and sums are exact and a value is rounded once, to nearest even, when it is stored in the format
named there. Multiplication operands are stored values or a difference of two, so that one multiplier of at most one bit
more than the formats' widths serves a neuron.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.family import ModuleFamily

CELL_ARITHMETIC = ModuleFamily("deltatrain.accel.cells", "cell arithmetic")


def accumulator_rows(blocks: tuple[int, ...], width: int) -> NDArray[np.int64]:
    """Return for each row of a matrix the entry of M that it adds to, shape (len(blocks) * width,).

    Parameters
    ----------
    blocks
        `BLOCKS_X` or `BLOCKS_H` of a member.
    width
        H.
    """
    return (np.array(blocks, dtype=np.int64)[:, None] * width + np.arange(width)).ravel()
