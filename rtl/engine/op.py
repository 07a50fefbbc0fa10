"""What the engine of a tile is told to do: an op of the lanes, and where its columns, words and results are."""

from __future__ import annotations

from amaranth.hdl import unsigned
from amaranth.lib import data, enum
from amaranth.utils import ceil_log2

from deltatrain.accel.program import PHASES
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.engine.adjoint import AdjointOp
from deltatrain.rtl.lanes.op import Mode, Op
from deltatrain.rtl.lists.group_source import source_of
from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["EngineOp", "LaneOp", "ReadyOp", "ResultsOp", "Stream"]


class Stream(enum.Enum, shape=unsigned(1)):
    """Whose gradient the results of a `matvec_t` are."""

    RECURRENT = 0
    """That of h, for the step before."""
    ABOVE = 1
    """That of the layer's input, for the layer below."""


class LaneOp(data.StructLayout):
    """What lanes know of an op before its list is there; `rtl.lanes.op.Op`, `rtl.lanes.banks.AccumulatorBanks`.

    Members
    -------
    phase : unsigned(2)
        Number in `accel.program.PHASES`, for the counters.
    mode : Mode
        What to do.
    words, address, split, upper_address, upper_lane
        As in `rtl.lanes.op.Op`.
    bank : range(gradient_banks)
        Bank of g(M) that `matvec_t` and `outer` read; where there are groups as in `rtl.lanes.op.Op`.
    region : unsigned
        What `matvec` adds to.
    recurrent, starts, ends : unsigned(1)
        As in `rtl.lanes.banks.AccumulatorBanks`.
    undoes : unsigned(1)
        As in `rtl.lanes.op.Op`; present where M is restored.
    """

    def __init__(self, sizes: TileSizes) -> None:
        members = dict(Op(sizes.accumulator_words, sizes.mixed_lanes))
        of_column = [name for name in ("words", "address", "split", "upper_lane", "upper_address") if name in members]
        super().__init__(
            {
                "phase": range(len(PHASES)),
                "mode": Mode,
                **{name: members[name].shape for name in of_column},
                "bank": range(sizes.gradient_banks),
                "region": range(sizes.regions),
                "recurrent": 1,
                "starts": 1,
                "ends": 1,
                **({"undoes": 1} if sizes.restores_sums else {}),
            }
        )


class ReadyOp(data.StructLayout):
    """An op whose list is there.

    Members
    -------
    op : LaneOp
        What to do.
    count : unsigned(INDEX_BITS + 1)
        With how many columns; in how many turns where there are several arrays.
    counts : ArrayLayout
        With how many columns of each array; present if there are several.
    """

    def __init__(self, sizes: TileSizes) -> None:
        counts = {"counts": data.ArrayLayout(INDEX_BITS + 1, sizes.arrays)} if sizes.arrays > 1 else {}
        super().__init__({"op": LaneOp(sizes), "count": unsigned(INDEX_BITS + 1), **counts})


class ResultsOp(data.StructLayout):
    """Where the results of a `matvec_t` go.

    Members
    -------
    stream : Stream
        To which adjoint.
    adjoint : AdjointOp
        What that does with them; its count is filled in when the list is there.
    of_readout : unsigned(1)
        Whether they are of the read-out, and belong to the tile; present in one of several where neurons spike, as
        elsewhere that is so if the adjoint is direct.
    """

    def __init__(self, sizes: TileSizes) -> None:
        of_readout = {"of_readout": 1} if sizes.is_part and sizes.spikes else {}
        super().__init__({"stream": Stream, "adjoint": AdjointOp(sizes.vector_words), **of_readout})


class EngineOp(data.StructLayout):
    """One op of the engine.

    Members
    -------
    lanes : LaneOp
        What the lanes do.
    source : ListSource or GroupSource
        The columns, and their values.
    weights, gradients : unsigned
        First word of the matrix in the local memories of W, of dW, if it is there.
    results : ResultsOp
        Where the results of a `matvec_t` go; a `matvec` may have something cleared.
    """

    def __init__(self, sizes: TileSizes) -> None:
        super().__init__(
            {
                "lanes": LaneOp(sizes),
                "source": source_of(sizes),
                "weights": unsigned(ceil_log2(max(sizes.weight_words, 2))),
                "gradients": unsigned(ceil_log2(max(sizes.gradient_words, 2))),
                "results": ResultsOp(sizes),
            }
        )
