"""What each kind of op fills into the op table, and what it waits for: a file for each part of a training step."""

from deltatrain.workloads.lowering.op_kinds import OpKind
from deltatrain.workloads.lowering.ops import cell, encoder, exchange, matrices, readout, transfers
from deltatrain.workloads.lowering.ops.given import ColumnsOf

__all__ = ["COLUMNS"]

COLUMNS: dict[OpKind, ColumnsOf] = (
    encoder.COLUMNS | matrices.COLUMNS | cell.COLUMNS | readout.COLUMNS | exchange.COLUMNS | transfers.COLUMNS
)
"""For each kind the function that gives the columns of the op table for all of its ops."""
