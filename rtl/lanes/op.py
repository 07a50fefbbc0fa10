"""What the lanes are told to do: the descriptor of an op, and what travels beside a word through their pipeline."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import unsigned
from amaranth.lib import data, enum
from amaranth.utils import ceil_log2

from deltatrain.accel.cell_arithmetic import CellArithmetic
from deltatrain.accel.column import gate_places
from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["BANKS", "Mode", "Op", "Underway", "UpperPart", "upper_part"]

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
    mixed_lanes
        P where the upper part may begin in the middle of a word, else 0.
    restores
        Whether M has a third bank (`rtl.lanes.banks`).
    gradient_banks
        Banks of g(M), a power of two.

    Members
    -------
    mode : Mode
        What to do.
    count : unsigned(INDEX_BITS + 1)
        Columns, n; 0 is an op in which nothing fired. Any other number will do for an op whose entries tell the last.
    words : unsigned
        Words a column, K, at least 1.
    address : unsigned
        Accumulator of the column's first word, counted in words of one bank.
    split : unsigned
        First word of the upper part; 0 where there is none.
    upper_lane : unsigned
        First lane of the upper part in that word: the lanes before it are of the lower part. Present if `mixed_lanes`.
    upper_address : unsigned
        Accumulator of the upper part in word `split`.
    source : unsigned(2)
        Bank that is read; in `matvec` by the first column only, and the others read `target`.
    target : unsigned(2)
        Bank that `matvec` writes.
    from_zero : unsigned(2)
        Whether the first column of a `matvec` reads zeros in place of `source`.
    restored : unsigned(2)
        Whether it reads the bank of what was restored; present if `restores`.
    undoes : unsigned(1)
        Whether a `matvec` takes its products out of M; likewise.
    bank : range(gradient_banks)
        Bank of g(M) that is read for the first step of a group; the others follow. Present if there are more than two.
    """

    def __init__(
        self, accumulator_words: int, mixed_lanes: int = 0, *, restores: bool = False, gradient_banks: int = BANKS
    ) -> None:
        word, address = range(accumulator_words + 1), range(accumulator_words)
        super().__init__(
            {
                "mode": Mode,
                "count": unsigned(INDEX_BITS + 1),
                "words": word,
                "address": address,
                "split": word,
                **({"upper_lane": unsigned(ceil_log2(mixed_lanes))} if mixed_lanes else {}),
                "upper_address": address,
                "source": unsigned(2),
                "target": unsigned(2),
                "from_zero": unsigned(2),
                **({"restored": unsigned(2), "undoes": 1} if restores else {}),
                **({"bank": range(gradient_banks)} if gradient_banks > BANKS else {}),
            }
        )


class Underway(data.StructLayout):
    """What the pipeline must know about one word, or about an op in which nothing fired.

    Parameters
    ----------
    accumulator_words
        Words of P accumulators in one bank.
    restores
        As of `Op`.
    groups
        Whether a word may be taken for several steps, a cycle each.

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
    restored : unsigned(1)
        Whether it is read in the third bank, at the same word; present if `restores`.
    undoes : unsigned(1)
        Of its op; likewise.
    upper_lane, upper_source, upper_target, upper_from_zero, upper_restored
        Of the lanes from `upper_lane` on; the word is the same for all lanes unless both parts are in it. Present if
        `mixed_lanes`.
    word_begins, word_ends : unsigned(1)
        Whether it is the first, the last cycle of its word; present if `groups`.
    """

    def __init__(
        self, accumulator_words: int, mixed_lanes: int = 0, *, restores: bool = False, groups: bool = False
    ) -> None:
        place = range(BANKS * accumulator_words)
        upper = {
            "upper_lane": unsigned(ceil_log2(max(mixed_lanes, 2))),
            "upper_source": place,
            "upper_target": place,
            "upper_from_zero": 1,
            **({"upper_restored": 1} if restores else {}),
        }
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
                **({"restored": 1, "undoes": 1} if restores else {}),
                **(upper if mixed_lanes else {}),
                **(dict.fromkeys(("word_begins", "word_ends"), 1) if groups else {}),
            }
        )


class UpperPart(NamedTuple):
    """Where the upper part of a column begins: its word and lane in the column, and its accumulator."""

    word: int
    lane: int
    address: int


def upper_part(arithmetic: CellArithmetic, blocks: tuple[int, ...], width: int, lanes: int) -> UpperPart | None:
    """Return the upper part of a column of a matrix whose blocks add to `blocks` of M; None if it has only one part.

    It has one part if both matrices of the cell add to the same blocks, or there is only one matrix. Otherwise the last
    block is a part of its own, even where it follows the others, because it fills separately (`rtl.lanes.banks`).

    Parameters
    ----------
    arithmetic
        A member of `accel.cells`.
    blocks
        Its ``BLOCKS_X`` or ``BLOCKS_H``.
    width
        Rows of a block.
    lanes
        P.

    Raises
    ------
    ValueError
        If the blocks do not lie so that an op can name them.
    """
    if not arithmetic.BLOCKS_H:
        return None
    shared = len(blocks) if arithmetic.BLOCKS_X == arithmetic.BLOCKS_H else len(blocks) - 1
    both = {arithmetic.BLOCKS_X[:shared], arithmetic.BLOCKS_H[:shared], tuple(range(shared))}
    if len(both) > 1 or shared == 0 or len(arithmetic.BLOCKS_X) != len(arithmetic.BLOCKS_H):
        raise ValueError(
            f"blocks of W_x and W_h must be 0, 1, 2, ..., alike in all or in all but the last, "
            f"not {arithmetic.BLOCKS_X} and {arithmetic.BLOCKS_H}"
        )
    if shared == len(blocks):
        return None
    word, lane = divmod(shared * width, lanes)
    return UpperPart(word, lane, gate_places(arithmetic, width, lanes)[blocks[-1]].word)
