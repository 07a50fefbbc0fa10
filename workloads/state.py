"""The state: what restarts a step of a layer, how many bytes that is, and how long copying it takes.

M, the gates' own state, h, h-hat and x-hat, each vector padded to whole words of P values, as the tape is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accel.architecture import Architecture
from workloads.placement import Shape

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
        What is kept and moved of each layer, shape (L,).
    copy_words
        Words of the element-wise unit in it, shape (L,).
    """

    def __init__(self, architecture: Architecture, shape: Shape) -> None:
        engine, formats, gates = architecture.engine, architecture.engine.formats, shape.gates
        inputs, widths = np.array(shape.inputs, dtype=np.int64), np.array(shape.hidden, dtype=np.int64)
        neuron_bytes = gates.ACCUMULATORS * formats.memory.bytes + len(gates.STATE) * formats.state.bytes
        neuron_bytes += 2 * formats.activation.bytes
        of_inputs = -(-inputs // engine.lanes) * engine.lanes * formats.activation.bytes
        self.bytes: NDArray[np.int64] = -(-widths // engine.lanes) * engine.lanes * neuron_bytes + of_inputs
        vectors = gates.ACCUMULATORS + len(gates.STATE) + 2
        copied = engine.elementwise_lanes
        self.copy_words: NDArray[np.int64] = -(-widths // copied) * vectors + -(-inputs // copied)

    def offset(self, layer: NDArray[np.int64], slot: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where a layer's state lies in off-chip memory, from the first slot on: the layers within a slot."""
        ends = np.cumsum(self.bytes)
        offset: NDArray[np.int64] = slot * ends[-1] + (ends - self.bytes)[layer]
        return offset
