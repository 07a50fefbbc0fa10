"""Columns of several arrays become segments in the order in which the law deals them out, whoever stalls."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import pattern, run, stream_get, stream_put

from deltatrain.accel.arrays import dealt_out
from deltatrain.rtl.off_chip.turn_splitter import TurnSplitter

patterns = st.lists(st.booleans(), min_size=1, max_size=6).filter(any).map(pattern)
ops = st.tuples(st.sets(st.integers(0, 11), max_size=9), st.integers(1, 5), st.integers(1, 5))


def pieces(columns, words, most, arrays):
    """Return array, first word of the column, word in it and words of each segment: the law's order."""
    order, turn = dealt_out(np.array(columns, np.int32), arrays)
    taken = np.array(columns, np.int64)[order]
    found = []
    for number in range(int(turn.max(initial=-1)) + 1):
        for word in range(0, words, most):
            of_turn = taken[turn == number].tolist()
            found += [(column % arrays, column * words, word, min(most, words - word)) for column in of_turn]
    return found


@settings(max_examples=15)
@given(st.sampled_from([2, 4]), st.lists(ops, min_size=1, max_size=4), patterns, patterns, patterns)
def test_segments_come_turn_after_turn_and_of_each_array_after_array(arrays, drawn, of_ops, of_columns, is_ready):
    dut, told, wanted = TurnSplitter(arrays=arrays), [], []
    listed = [[] for _ in range(arrays)]
    for number, (fired, words, most) in enumerate(drawn):
        columns, most = sorted(fired), min(most, words)
        counts = [sum(column % arrays == array for column in columns) for array in range(arrays)]
        told.append({"count": max(counts), "counts": counts, "words": words, "segment_words": most})
        told[-1] |= {"weights_address": number}
        for column in columns:
            listed[column % arrays].append(column)
        found = pieces(columns, words, most, arrays)
        wanted += [(number, place == 0, *piece) for place, piece in enumerate(found)] or [(number, True, None)]

    def offer(array):
        return lambda ctx: stream_put(ctx, dut.columns[array], listed[array], of_columns)

    segments, *_ = run(
        dut,
        lambda ctx: stream_get(ctx, dut.segments, len(wanted), is_ready),
        lambda ctx: stream_put(ctx, dut.ops, told, of_ops),
        *(offer(array) for array in range(arrays)),
    )
    names = ("array", "first_word", "word", "words")
    made = [segment for _, segment in segments]
    assert [
        (one["weights_address"], bool(one["begins"]), *((None,) if one["empty"] else (one[name] for name in names)))
        for one in made
    ] == wanted
