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
from deltatrain.accel.column import accumulator_words, gate_places
from deltatrain.accel.machine_optimiser import MachineOptimiser
from deltatrain.accel.modes import MODES, matvec, matvec_t
from deltatrain.rtl.elementwise.cells import TIMETABLES
from deltatrain.rtl.lanes.modes import LANE_MODES
from deltatrain.rtl.lanes.op import Mode, upper_part
from deltatrain.rtl.limits import update_limits

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
    assert set(LANE_MODES.names()) == {mode.name.lower() for mode in Mode} < engine_modes
    others = {
        "moments",
        "norm",
        "update_decay",
        "update_momentum",
    }  # the last is an update of lanes that keep velocities
    assert engine_modes - set(LANE_MODES.names()) == others
    refused = [MachineOptimiser(**one) for one in ({"name": "adam"}, {"clip_norm": 1.0}, {"weight_decay": 0.1})]
    assert {mode for one in refused for mode in one.modes if update_limits(one)} - {"update"} == others - {
        "update_momentum"
    }
    assert not update_limits(MachineOptimiser(momentum=0.5))


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


def laid_out(arithmetic, values, width, lanes):
    """Return M, or g(M), shape (A * H,), as the words of P in which it lies."""
    words = np.zeros(accumulator_words(arithmetic, width, lanes) * lanes, dtype=np.int64)
    for place, block in zip(gate_places(arithmetic, width, lanes), values.reshape(-1, width), strict=True):
        first = place.word * lanes + place.lane
        words[first : first + width] = block
    return words.reshape(-1, lanes)


@settings(max_examples=12)
@given(st.sampled_from(TIMETABLES.names()), st.sampled_from([1, 2, 3, 4, 5, 7]), st.integers(0, 2**32 - 1))
def test_every_cell_s_blocks_meet_their_accumulators(cell, width, seed):
    """`matvec` with W_x, then W_h, then `matvec_t` with both; gates begin in any lane."""
    engine, rng, arithmetic = a_small_engine(4), np.random.default_rng(seed), CELL_ARITHMETIC.load(cell)
    formats, lanes, count = engine.formats, engine.lanes, 3
    memory = np.zeros(arithmetic.ACCUMULATORS * width, dtype=np.int64)
    g_memory = integers(rng, formats.gradient, arithmetic.ACCUMULATORS * width)
    jobs, expected = [], []
    for mode in (Mode.MATVEC, Mode.MATVEC_T):
        for blocks in filter(None, (arithmetic.BLOCKS_X, arithmetic.BLOCKS_H)):
            rows = accumulator_rows(blocks, width)
            W = integers(rng, formats.weight, (len(rows), count))
            delta = integers(rng, formats.activation, count)
            words = -(-len(rows) // lanes)
            whole = np.pad(W, ((0, words * lanes - len(rows)), (0, 0)))
            upper, parts = upper_part(arithmetic, blocks, width, lanes), (Part(0, words),)
            if upper is not None:
                lower_words = upper.word + bool(upper.lane)
                parts = (Part(0, lower_words), Part(upper.address, words - upper.word))
            lane = upper.lane if upper is not None else 0
            jobs.append(Job(mode, parts, np.arange(count), delta, whole, np.zeros_like(whole), lane))
            if mode is Mode.MATVEC:
                memory[rows] = matvec.result(memory[rows], W, delta, formats)
            else:
                expected += enumerate(matvec_t.result(W, g_memory[rows], lanes, formats).tolist())
    g = np.stack([laid_out(arithmetic, g_memory, width, lanes)] * 2, axis=1)
    seen = run_lanes(engine, jobs, g, 1)
    assert (seen.memory[:, 0] == laid_out(arithmetic, memory, width, lanes)).all()
    assert seen.payloads("results", lanes, formats.gradient.bits) == expected


def test_blocks_that_an_op_cannot_name_are_refused():
    class Odd:
        BLOCKS_X, BLOCKS_H = (0, 2), (1, 2)

    with pytest.raises(ValueError, match="alike in all or in all but the last"):
        upper_part(Odd, Odd.BLOCKS_X, 1, 1)
