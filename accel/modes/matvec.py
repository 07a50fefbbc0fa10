"""Forward: y += W[:, j] * delta_j for each fired column j.

Products are exact. The columns come in the order of the list and y is fitted to ``formats.memory`` after each, as the
accumulator has no more bits; the order matters only where it saturates. Several arrays add up their own columns and
then their sums (`accel.arrays`): M must wrap there, so that no order matters.
"""

from __future__ import annotations

from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.modes import SOON_CYCLES
from deltatrain.accel.number import Integers, accumulate
from deltatrain.accel.tiles import ONE_TILE, Tiles
from deltatrain.accel.work import Counts, Work

UNIT = "engine"
WRITES_BACK = False
RETURN_CYCLES: tuple[int, ...] = ()


def result(memory: Integers, W_fired: Integers, delta: Integers, formats: Formats) -> Integers:
    """Return the accumulators after the op.

    Parameters
    ----------
    memory
        Their values before, in ``formats.memory``, shape (R,).
    W_fired
        The fired columns of W in the order of the list, in ``formats.weight``, shape (R, n).
    delta
        Their deltas, in ``formats.activation``, shape (n,).
    formats
        The engine's formats.
    """
    return accumulate(memory, W_fired.T * delta[:, None], formats.memory)


def undo(memory: Integers, W_fired: Integers, delta: Integers, formats: Formats) -> Integers:
    """Return the accumulators before the op that left `memory`; arguments as in `result`.

    A sum that wraps loses nothing, so M[t-1] = M[t] - W * delta[t] exactly, whatever left the range on the way.

    Raises
    ------
    ValueError
        If ``formats.memory`` saturates: what it cut off is gone.
    """
    if formats.memory.overflow != "wrap":
        raise ValueError("formats.memory must wrap for M to run backwards, not saturate")
    return accumulate(memory, -(W_fired.T * delta[:, None]), formats.memory)


def issue_cycles(count: Counts, words: Counts) -> Counts:
    """Return one cycle a word, `words` a column; an op in which nothing fired costs its one cycle of issue."""
    return (count * words).clip(1)


def drain_cycles(engine: Engine, tiles: Tiles = ONE_TILE) -> int:
    """Return the depth of the lanes' pipeline, with the adder tree of `matvec_t` and the storing of what it made.

    It is the same for all modes of the lanes, so that ops are done in their order; see `rtl.lanes.unit`. Several arrays
    have another tree, over their sums and in front of M: it takes longer than the tree over an array's lanes, and the
    rounding behind that, if there are more arrays than lanes.
    """
    return 5 + (max(engine.lanes, engine.arrays) - 1).bit_length() + SOON_CYCLES


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: each word reads its weights and the accumulators, and writes the accumulators back."""
    entries = count * words * engine.lanes
    formats = engine.formats
    return Work(
        macs=count * rows,
        local_read_bytes=entries * (formats.weight.bytes + formats.memory.bytes),
        local_write_bytes=entries * formats.memory.bytes,
    )


def in_turns(list_words: Counts, lane_words: Counts, turns: Counts, engine: Engine) -> Work:
    """Return what `work` lacks where several arrays take the columns in turns: their sums instead of M for each column.

    A word is one of P sums. The first array adds to M itself, the others to sums of their own, of which the first turn
    reads none. The last turn adds them all up, and writes M alone. So in each turn but one all arrays read and write.
    Turns of compressed columns are of different lengths: that one is taken for one of the mean length.
    """
    words = lane_words + (lane_words - lane_words // turns.clip(1)) * (engine.arrays - 1)
    more = (words - list_words) * engine.lanes * engine.formats.memory.bytes
    return Work(local_read_bytes=more, local_write_bytes=more)
