"""What the lanes are told to do: the descriptor of an op, and what travels beside a word through their pipeline."""

from __future__ import annotations

from amaranth.hdl import unsigned
from amaranth.lib import data, enum

from deltatrain.accel.cell_arithmetic import CellArithmetic
from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["BANKS", "Mode", "Op", "Underway", "column_parts"]

BANKS = 2
"""M and g(M) have two banks: input deltas of the next step accumulate while the element-wise unit reads M of this."""


class Mode(enum.Enum, shape=unsigned(2)):
    """The engine modes of `accel.modes`."""

    MATVEC = 0
    MATVEC_T = 1
    OUTER = 2
    UPDATE = 3


class Op(data.StructLayout):
    """One op of the lanes.

    The words of a column go to accumulators (M in `matvec`, g(M) in `matvec_t` and `outer`) that lie one after the
    other, in one part or in two: a GRU's W_h has the blocks r, z, nh, which lie in M as the first, second and fourth.
    Fields of two bits hold one for each part, the lower part's first.

    Parameters
    ----------
    accumulator_words
        Words of P accumulators in one bank.

    Members
    -------
    mode : Mode
        What to do.
    count : unsigned(INDEX_BITS + 1)
        Columns, n; 0 is an op in which nothing fired.
    words : unsigned
        Words a column, K, at least 1.
    address : unsigned
        Accumulator of the column's first word, counted in words of one bank.
    split : unsigned
        First word of the upper part; 0 where there is none.
    upper_address : unsigned
        Accumulator of word `split`.
    source : unsigned(2)
        Bank that is read; in `matvec` by the first column only, and the others read `target`.
    target : unsigned(2)
        Bank that `matvec` writes.
    from_zero : unsigned(2)
        Whether the first column of a `matvec` reads zeros in place of `source`.
    """

    def __init__(self, accumulator_words: int) -> None:
        word, address = range(accumulator_words + 1), range(accumulator_words)
        super().__init__(
            {
                "mode": Mode,
                "count": unsigned(INDEX_BITS + 1),
                "words": word,
                "address": address,
                "split": word,
                "upper_address": address,
                "source": unsigned(2),
                "target": unsigned(2),
                "from_zero": unsigned(2),
            }
        )


class Underway(data.StructLayout):
    """What the pipeline must know about one word, or about an op in which nothing fired.

    Parameters
    ----------
    accumulator_words
        Words of P accumulators in one bank.

    Members
    -------
    mode : Mode
        Of its op.
    work : unsigned(1)
        Whether there is a word; the other members but `op_ends` and `mode` mean nothing where there is none.
    column_begins, column_ends : unsigned(1)
        Whether it is a column's first, last word.
    op_ends : unsigned(1)
        Whether it is the last of its op, or stands for an op without words.
    index : unsigned(INDEX_BITS)
        The column.
    source, target : unsigned
        Accumulator that is read, written; the bank is the lowest bit.
    from_zero : unsigned(1)
        Whether the accumulator counts as zero.
    """

    def __init__(self, accumulator_words: int) -> None:
        place = range(BANKS * accumulator_words)
        super().__init__(
            {
                "mode": Mode,
                "work": 1,
                "column_begins": 1,
                "column_ends": 1,
                "op_ends": 1,
                "index": unsigned(INDEX_BITS),
                "source": place,
                "target": place,
                "from_zero": 1,
            }
        )


def column_parts(arithmetic: CellArithmetic, blocks: tuple[int, ...], chunks: int) -> list[tuple[int, int]]:
    """Return first accumulator and words of each part of a column, for a matrix whose blocks add to `blocks` of M.

    There is one part if both matrices of the cell add to the same blocks. Otherwise the last block is a part of its
    own, even where it follows the others, because it fills separately (`rtl.lanes.banks`).

    Parameters
    ----------
    arithmetic
        A member of `accel.cells`.
    blocks
        Its ``BLOCKS_X`` or ``BLOCKS_H``.
    chunks
        Words of a block.

    Raises
    ------
    ValueError
        If the blocks do not lie so that an op can name them.
    """
    shared = len(blocks) if arithmetic.BLOCKS_X == arithmetic.BLOCKS_H else len(blocks) - 1
    both = {arithmetic.BLOCKS_X[:shared], arithmetic.BLOCKS_H[:shared], tuple(range(shared))}
    if len(both) > 1 or shared == 0 or len(arithmetic.BLOCKS_X) != len(arithmetic.BLOCKS_H):
        raise ValueError(
            f"blocks of W_x and W_h must be 0, 1, 2, ..., alike in all or in all but the last, "
            f"not {arithmetic.BLOCKS_X} and {arithmetic.BLOCKS_H}"
        )
    return [(0, shared * chunks), *((block * chunks, chunks) for block in blocks[shared:])]
