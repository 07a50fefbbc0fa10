"""The kinds of ops that online learning has beside those of `workloads.lowering.op_kinds`."""

from __future__ import annotations

from deltatrain.workloads.lowering.op_kinds import Numbering, OpKind, Pair

TRACE = Pair(
    OpKind("trace_x", "trace", "WG", "x", Numbering.STEP),
    OpKind("trace_h", "trace", "WG", "h", Numbering.STEP),
)
"""Let a stream's traces leak and add what spiked."""

LIST_TRACES = Pair(
    OpKind("list_traces_x", None, "WG", "x", Numbering.STEP),
    OpKind("list_traces_h", None, "WG", "h", Numbering.STEP),
)
"""List a stream's traces that are not zero, with their values: those of all that has ever spiked."""

SIGNAL = OpKind("signal", "matvec_t", "BP", "readout", Numbering.STEP)
"""Send the gradient of the logits to a layer below the last, through a matrix of its own (e-prop)."""
