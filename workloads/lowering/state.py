"""The state: what restarts a step of a layer, how many bytes that is, and how long copying it takes.

It is the cell's own state and h, and M, h-hat and x-hat if the cell keeps them. Each vector is padded to whole words of
P values, as on the tape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.workloads.lowering.placement import own_most
from deltatrain.workloads.lowering.shape import Shape

__all__ = ["State"]


class State:
    """Sizes of the state of each layer.

    Parameters
    ----------
    architecture
        The machine.
    shape
        The network's sizes.

    Attributes
    ----------
    bytes
        Bytes that are moved of each layer, shape (L,).
    own_bytes
        What of it the tile with the most neurons keeps, shape (L,).
    copy_words
        Words of the element-wise unit in that, shape (L,).
    """

    def __init__(self, architecture: Architecture, shape: Shape) -> None:
        engine, formats, arithmetic = architecture.engine, architecture.engine.formats, shape.arithmetic
        held: int = shape.encoder.HELD
        kept: int = arithmetic.KEPT * arithmetic.ACCUMULATORS
        neuron_bytes = kept * formats.memory.bytes + len(arithmetic.STATE) * formats.state.bytes
        neuron_bytes += (1 + held) * formats.activation.bytes

        def bytes_of(inputs: NDArray[np.int64], widths: NDArray[np.int64]) -> NDArray[np.int64]:
            padded_inputs, padded = (-(-each // engine.lanes) * engine.lanes for each in (inputs, widths))
            of_layers: NDArray[np.int64] = padded * neuron_bytes + held * padded_inputs * formats.activation.bytes
            return of_layers

        own_inputs = np.array([own_most(architecture, width) for width in shape.inputs], dtype=np.int64)
        own_widths = np.array([own_most(architecture, width) for width in shape.hidden], dtype=np.int64)
        self.bytes = bytes_of(np.array(shape.inputs, dtype=np.int64), np.array(shape.hidden, dtype=np.int64))
        self.own_bytes = bytes_of(own_inputs, own_widths)
        vectors = kept + len(arithmetic.STATE) + 1 + held
        copied = engine.elementwise_lanes
        self.copy_words: NDArray[np.int64] = -(-own_widths // copied) * vectors + held * -(-own_inputs // copied)

    def offset(self, layer: NDArray[np.int64], slot: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where a layer's state lies off-chip, counted from the first slot; a slot has the layers one by one."""
        ends = np.cumsum(self.bytes)
        offset: NDArray[np.int64] = slot * ends[-1] + (ends - self.bytes)[layer]
        return offset
