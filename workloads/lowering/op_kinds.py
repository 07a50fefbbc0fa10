"""The kinds of ops that a training step has: what each is in the op table, and how its ops are numbered.

A kind's place in the order of ops is in `workloads.lowering.op_order`, which of its ops exist in
`workloads.lowering.grid`, and what it fills into the op table and waits for in `workloads.lowering.ops`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from deltatrain.accel.cell_arithmetic import CellArithmetic
from deltatrain.accel.modes import MODES
from deltatrain.accel.op_table import MODE_NAMES, PHASES, STREAMS, Phase, Stream


class Numbering(Enum):
    """What the ops of a kind are numbered by: a row of a table in `workloads.lowering.checkpoint.timeline`.

    A step may be run forward more than once. So ops forward are numbered by forward step, and ops backward by step. Ops
    that move a state are numbered by its save or its load.
    """

    FORWARD_STEP = auto()
    STEP = auto()
    SAVE = auto()
    LOAD = auto()


@dataclass(frozen=True, eq=False)
class OpKind:
    """A kind of op. Two kinds are the same only if they are one object.

    Attributes
    ----------
    name
        For people.
    mode
        A name in ``accel/modes``; None for the mode with which the cell's encoder lists what fired.
    phase
        That of its ops where steps are run once; an op that runs a step again is of phase RF.
    stream
        Of its ops.
    numbering
        What its ops are numbered by.
    """

    name: str
    mode: str | None
    phase: Phase
    stream: Stream
    numbering: Numbering

    def mode_of(self, arithmetic: CellArithmetic) -> str:
        """Return the mode of its ops in a network of cells with this arithmetic, a member of ``accel/cells``."""
        return self.mode or str(arithmetic.ENCODER)

    @property
    def unit(self) -> str:
        """The unit that runs its ops, one of `accel.op_table.UNITS`."""
        return str(MODES.load(self.mode).UNIT) if self.mode else "encoder"

    def codes(self, arithmetic: CellArithmetic) -> dict[str, int]:
        """Return the columns of the op table that tell what an op is."""
        mode = MODE_NAMES.index(self.mode_of(arithmetic))
        return {"mode": mode, "phase": PHASES.index(self.phase), "stream": STREAMS.index(self.stream)}

    def __repr__(self) -> str:
        return self.name


class Pair(NamedTuple):
    """A kind for each stream of a layer: the input's and the recurrent one's."""

    x: OpKind
    h: OpKind

    def of(self, stream: Stream) -> OpKind:
        """Return the kind of a layer's stream."""
        assert stream in ("x", "h"), "the read-out and the words have kinds of their own"
        return self.x if stream == "x" else self.h


def _pair(name: str, mode: str | None, phase: Phase, numbering: Numbering) -> Pair:
    return Pair(OpKind(f"{name}_x", mode, phase, "x", numbering), OpKind(f"{name}_h", mode, phase, "h", numbering))


_FORWARD, _STEP = Numbering.FORWARD_STEP, Numbering.STEP

LOAD_X = OpKind("load_x", "load", "FP", "x", _FORWARD)
"""Load a step's input vector."""
ENCODE = _pair("encode", None, "FP", _FORWARD)
"""List what fired."""
BROADCAST = _pair("broadcast", "broadcast", "FP", _FORWARD)
"""Send every tile's list to all tiles."""
MATVEC = _pair("matvec", "matvec", "FP", _FORWARD)
"""Multiply a matrix with what fired."""
CELL = OpKind("cell", "cell_forward", "FP", "h", _FORWARD)
"""Compute the recurrent cells of a layer."""
READ = OpKind("read", "matvec", "FP", "readout", _FORWARD)
"""Multiply the read-out matrix with h of the last layer."""
READ_REDUCE = OpKind("read_reduce", "reduce", "FP", "readout", _FORWARD)
"""Add up the tiles' parts of the logits."""
LOSS = OpKind("loss", "loss", "BP", "readout", _FORWARD)
"""Compute the gradient of the logits; of another loss than that of classes in the mode of `Shape.loss`."""

READ_T = OpKind("read_t", "matvec_t", "BP", "readout", _STEP)
"""Carry the gradient of the logits back to h."""
READ_OUTER = OpKind("read_outer", "outer", "WG", "readout", _STEP)
"""Add to the gradient of the read-out matrix."""
CELL_BACKWARD = OpKind("cell_backward", "cell_backward", "BP", "h", _STEP)
"""Compute the gradients of a layer's cells."""
RESEND = _pair("resend", "broadcast", "BP", _STEP)
"""Send the lists to all tiles once more, for the backward pass."""
MATVEC_T = _pair("matvec_t", "matvec_t", "BP", _STEP)
"""Carry the gradients back through a matrix, to what was listed."""
REDUCE = _pair("reduce", "reduce", "BP", _STEP)
"""Add up the tiles' parts of those gradients."""
OUTER = _pair("outer", "outer", "WG", _STEP)
"""Add to the gradient of a matrix."""

OUTER_WORDS = OpKind("outer_words", "outer", "WG", "words", _STEP)
"""Add the gradient of what was looked up to that of the word, a column of the table."""

STORE_TAPE = OpKind("store_tape", "store", "FP", "x", _FORWARD)
"""Store a step's tape off-chip."""
LOAD_TAPE = OpKind("load_tape", "load", "BP", "x", _STEP)
"""Load a step's tape."""
COPY_STATE = OpKind("copy_state", "copy", "RF", "h", _FORWARD)
"""Keep a copy of the working state."""
RESTORE_STATE = OpKind("restore_state", "copy", "RF", "h", _FORWARD)
"""Make a kept state the working state."""
STORE_STATE = OpKind("store_state", "store", "RF", "x", Numbering.SAVE)
"""Store a kept state off-chip."""
LOAD_STATE = OpKind("load_state", "load", "RF", "x", Numbering.LOAD)
"""Load a state to where one is kept."""

UNDO_CELL = OpKind("undo_cell", "cell_forward", "RF", "h", _STEP)
"""Compute the cells of a step again, from M as the step left it."""
SEND_UNDO = _pair("send_undo", "broadcast", "RF", _STEP)
"""Send the lists of a step that will be undone to all tiles once more."""
UNDO = _pair("undo", "matvec", "RF", _STEP)
"""Take the products of a step out of M: M[t-1] = M[t] - W delta[t]."""

UPDATE: dict[Stream, OpKind] = {
    "x": OpKind("update_x", "update", "WU", "x", _STEP),
    "h": OpKind("update_h", "update", "WU", "h", _STEP),
    "readout": OpKind("update_readout", "update", "WU", "readout", _STEP),
    "words": OpKind("update_words", "update", "WU", "words", _STEP),
}
"""Update a matrix, by the stream that it is multiplied with; of another optimiser in the mode of `Shape.update`.

There is one for each matrix, behind all other ops.
"""

KINDS = (
    *(LOAD_X, *ENCODE, *BROADCAST, *MATVEC, CELL, READ, READ_REDUCE, LOSS),
    *(READ_T, READ_OUTER, CELL_BACKWARD, *RESEND, *MATVEC_T, *REDUCE, *OUTER, OUTER_WORDS),
    *(STORE_TAPE, LOAD_TAPE, COPY_STATE, RESTORE_STATE, STORE_STATE, LOAD_STATE, UNDO_CELL, *SEND_UNDO, *UNDO),
)
"""All kinds that are in the grid of ops; updates follow behind it (`workloads.lowering.ops.updates`)."""
