"""The room that online learning takes in the place of a tape: traces, lists of them, and gradients of logits."""

from __future__ import annotations

from deltatrain.accel.architecture import Architecture
from deltatrain.workloads.lowering.placement import own_most
from deltatrain.workloads.lowering.shape import Shape

LOGITS_KEPT = 2
"""Steps of which the gradient of the logits is kept: one is used by the read-out's dW while the next is computed."""


def entry_bytes(architecture: Architecture, shape: Shape) -> int:
    """Return the bytes of an entry of a list of traces: what names an element, and its trace."""
    return int(shape.encoder.list_entry_bytes(architecture.engine)) + architecture.engine.formats.activation.bytes


def trace_bytes(architecture: Architecture, shape: Shape) -> int:
    """Return the local bytes of all traces and their lists: a trace for each column of each matrix of the layers.

    Of the bias one number is enough, the same for all neurons, which the step tells.
    """
    lanes, element_bytes = architecture.engine.lanes, architecture.engine.formats.activation.bytes
    streams = [*shape.inputs, *(shape.hidden if shape.arithmetic.BLOCKS_H else ())]
    widths = [own_most(architecture, width) for width in streams]
    values = sum(-(-width // lanes) * lanes for width in widths) * element_bytes
    return values + sum(widths) * entry_bytes(architecture, shape)
