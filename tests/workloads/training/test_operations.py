"""Counts of multiply-accumulates against counting them one by one over the fired masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.fired import fired_in
from deltatrain.workloads.network.network import Network, Sizes, forward, initial_parameters
from deltatrain.workloads.trace import EpochCounts
from deltatrain.workloads.training.evaluation import recorded_step
from deltatrain.workloads.training.operations import MatrixMacs, matrix_macs


def _counted(
    masks_x: list, masks_h: list, asked_x: list, asked_h: list, sizes: Sizes, readouts: int
) -> tuple[int, int, int]:
    """FP, BP, WG by walking over every step of every sample."""
    fp = bp = wg = 0
    for layer, width in enumerate(sizes.hidden):
        rows_x, rows_h = (len(targets) * width for targets in (sizes.cell.TARGETS_X, sizes.cell.TARGETS_H))
        for mask, asked, rows, backward in (
            (masks_x[layer], asked_x[layer], rows_x, layer > 0),
            (masks_h[layer], asked_h[layer], rows_h, True),
        ):
            for step, wanted in zip(*(one.reshape(-1, one.shape[-1]) for one in (mask, asked)), strict=True):
                columns = int(step.sum())
                fp, wg = fp + rows * columns, wg + rows * columns
                bp += rows * int(wanted.sum()) if backward else 0
    readout = readouts * sizes.classes * sizes.hidden[-1]
    return fp + readout, bp + readout, wg + readout


@given(
    cell=st.sampled_from(CELLS.names()),
    hidden=st.sampled_from([(4,), (5, 3), (2, 3, 4)]),
    readout=st.sampled_from(["last", "every"]),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4).map(np.array),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40)
def test_counts_equal_a_walk_over_the_masks(cell, hidden, readout, lengths, seed) -> None:
    rng = np.random.default_rng(seed)
    sizes = Sizes(CELLS.load(cell), 3, hidden, 4)
    network = Network(sizes, ((0.3, 0.05),) * len(hidden), readout, 0.0)
    parameters = initial_parameters(sizes, rng, np.dtype(np.float64))
    ran = forward(network, parameters, rng.standard_normal((lengths.max(), len(lengths), 3)), lengths)
    counts = EpochCounts(0, False, 0.0, 0.0, *fired_in(sizes.cell, ran))
    macs = matrix_macs(counts, sizes, readout)
    step = recorded_step(ran, 0, 0)
    readouts = len(lengths) if readout == "last" else int(lengths.sum())
    assert (macs.fp, macs.bp, macs.wg) == _counted(
        step.fired_x, step.fired_h, step.asked_x or step.fired_x, step.asked_h or step.fired_h, sizes, readouts
    )
    running = (np.arange(lengths.max())[:, None] < lengths)[:, :, None]
    after_first = running & (np.arange(lengths.max()) > 0)[:, None, None]
    all_x = [np.broadcast_to(running, mask.shape) for mask in step.fired_x]
    all_h = [np.broadcast_to(after_first, mask.shape) for mask in step.fired_h]
    assert (macs.dense_fp, macs.dense_bp, macs.dense_wg) == _counted(all_x, all_h, all_x, all_h, sizes, readouts)


def test_totals_add_and_the_saving_is_a_share_of_dense() -> None:
    one = MatrixMacs(1, 2, 3, 10, 20, 30)
    assert one + one == MatrixMacs(2, 4, 6, 20, 40, 60)
    assert (one.total, one.dense_total) == (6, 60)
    assert one.saved == pytest.approx(0.9)
