"""The lane array as the machine uses it: whole matrices, all cells' blocks, and how busy the lanes are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lane_bench import LAW, Job, Part, bits_of, golden, run_lanes
from lane_jobs import a_small_engine, integers

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC, accumulator_rows
from deltatrain.accel.modes import MODES, matvec, matvec_t
from deltatrain.rtl.elementwise.cells import TIMETABLES
from deltatrain.rtl.lanes.modes import LANE_MODES
from deltatrain.rtl.lanes.op import Mode, column_parts

RENETA_PERCENT = {  # measured from its RTL, zero-latency memory; N, sparsity
    (64, 0.90): {Mode.MATVEC: 66.0, Mode.MATVEC_T: 44.4, Mode.OUTER: 98.0},
    (128, 0.95): {Mode.MATVEC: 79.6, Mode.MATVEC_T: 61.5, Mode.OUTER: 99.3},
}
LEAST_PERCENT = {
    (64, 0.90): {Mode.MATVEC: 90, Mode.MATVEC_T: 90, Mode.OUTER: 97},
    (128, 0.95): {Mode.MATVEC: 95, Mode.MATVEC_T: 95, Mode.OUTER: 95},
}


def test_a_mode_of_the_engine_is_a_law_and_gates():
    engine_modes = {name for name in MODES.names() if MODES.load(name).UNIT == "engine"}
    assert engine_modes == set(LANE_MODES.names()) == {mode.name.lower() for mode in Mode}


@pytest.mark.parametrize("mode", [Mode.MATVEC, Mode.MATVEC_T, Mode.OUTER])
@pytest.mark.parametrize(("width", "sparsity"), LEAST_PERCENT)
def test_lanes_are_busy_on_sparse_lists(width, sparsity, mode):
    """An N x N matrix over N time steps, a uniformly random mask with an exact number of deltas, 16 lanes."""
    engine, rng = Architecture.named("reneta").engine, np.random.default_rng(width)
    formats, words = engine.formats, width // engine.lanes
    fired = np.zeros(width * width, dtype=bool)
    fired[rng.choice(fired.size, round(fired.size * (1 - sparsity)), replace=False)] = True
    W = integers(rng, formats.weight, (width, width))
    jobs = []
    for mask in fired.reshape(width, width):
        columns = np.flatnonzero(mask)
        dW = integers(rng, formats.weight_gradient, (width, len(columns)))
        delta = integers(rng, formats.activation, len(columns))
        jobs.append(Job(mode, (Part(0, words),), columns, delta, W[:, columns], dW))
    g = integers(rng, formats.gradient, (words, 2, engine.lanes))
    seen = run_lanes(engine, jobs, g, 1)
    expected, bits = golden(engine, jobs, g, 1), bits_of(formats)
    for sink in ("results", "new_weight_gradients"):
        assert seen.payloads(sink, engine.lanes, bits[sink]) == getattr(expected, sink)
    assert (seen.memory == expected.memory).all()

    issue = [int(LAW[mode].issue_cycles(np.array(job.count), words)) for job in jobs]
    cycles = seen.done[-1]
    assert cycles == sum(issue) + LAW[mode].drain_cycles(engine)
    percent = 100 * fired.sum() * words / cycles
    assert percent >= LEAST_PERCENT[width, sparsity][mode]
    assert percent > RENETA_PERCENT[width, sparsity][mode] - 0.5


def padded(values, blocks, lanes):
    """Return `values` of shape (blocks * H, ...) with each block filled up with zeros to whole words."""
    split = values.reshape(blocks, -1, *values.shape[1:])
    fill = [(0, 0), (0, -split.shape[1] % lanes), *[(0, 0)] * (values.ndim - 1)]
    full = np.pad(split, fill)
    return full.reshape(-1, *values.shape[1:])


@settings(max_examples=8)
@given(st.sampled_from(TIMETABLES.names()), st.sampled_from([1, 3, 4, 7]), st.integers(0, 2**32 - 1))
def test_every_cell_s_blocks_meet_their_accumulators(cell, width, seed):
    """`matvec` with W_x, then W_h, then `matvec_t` with both, rows that are not padded in the golden model."""
    engine, rng, arithmetic = a_small_engine(4), np.random.default_rng(seed), CELL_ARITHMETIC.load(cell)
    formats, lanes, chunks = engine.formats, engine.lanes, -(-width // engine.lanes)
    count = 3
    memory = np.zeros(arithmetic.ACCUMULATORS * width, dtype=np.int64)
    g_memory = integers(rng, formats.gradient, arithmetic.ACCUMULATORS * width)
    jobs, expected = [], []
    for mode in (Mode.MATVEC, Mode.MATVEC_T):
        for blocks in (arithmetic.BLOCKS_X, arithmetic.BLOCKS_H):
            rows = accumulator_rows(blocks, width)
            W = integers(rng, formats.weight, (len(rows), count))
            delta = integers(rng, formats.activation, count)
            parts = tuple(Part(*part) for part in column_parts(arithmetic, blocks, chunks))
            dW = np.zeros((len(blocks) * chunks * lanes, count), dtype=np.int64)
            jobs.append(Job(mode, parts, np.arange(count), delta, padded(W, len(blocks), lanes), dW))
            if mode is Mode.MATVEC:
                memory[rows] = matvec.result(memory[rows], W, delta, formats)
            else:
                expected += enumerate(matvec_t.result(W, g_memory[rows], len(blocks), lanes, formats).tolist())
    g = np.stack([padded(g_memory, arithmetic.ACCUMULATORS, lanes).reshape(-1, lanes)] * 2, axis=1)
    seen = run_lanes(engine, jobs, g, 1)
    assert (seen.memory[:, 0] == padded(memory, arithmetic.ACCUMULATORS, lanes).reshape(-1, lanes)).all()
    assert seen.payloads("results", lanes, formats.gradient.bits) == expected


def test_blocks_that_an_op_cannot_name_are_refused():
    class Odd:
        BLOCKS_X, BLOCKS_H = (0, 2), (1, 2)

    with pytest.raises(ValueError, match="alike in all or in all but the last"):
        column_parts(Odd, Odd.BLOCKS_X, 1)
