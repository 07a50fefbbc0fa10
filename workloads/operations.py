"""How many multiply-accumulates the matrix products of training take, as fired, and had every column been used.

A fired delta costs one column of its weight matrix: one multiply-accumulate for each row. The three phases use the same
columns: FP (W * delta), BP (the fired entries of W^T * g(M)) and WG (g(M) * delta^T); the gradient of the network's own
input is not needed, so BP has no input stream in layer 0. The linear readout has no deltas and counts in full in both
columns, in each phase. Element-wise work is not counted, and neither is the recurrent stream of a sample's first step,
where there is no h yet: a dense network need not multiply by zero either. BP works through
all that is listed, a spiking network's gradient-only neurons among it.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads.network import Sizes
from workloads.trace import EpochCounts


@dataclass(frozen=True)
class MatrixMacs:
    """Multiply-accumulates of the matrix products, by phase; `dense_` is the same with every column used."""

    fp: int
    bp: int
    wg: int
    dense_fp: int
    dense_bp: int
    dense_wg: int

    def __add__(self, other: MatrixMacs) -> MatrixMacs:
        """Return the counts of both."""
        return MatrixMacs(*(a + b for a, b in zip(self._all(), other._all(), strict=True)))

    @property
    def total(self) -> int:
        """All phases, as fired."""
        return self.fp + self.bp + self.wg

    @property
    def dense_total(self) -> int:
        """All phases, every column used."""
        return self.dense_fp + self.dense_bp + self.dense_wg

    @property
    def saved(self) -> float:
        """Share of the dense multiply-accumulates that was not needed."""
        return 1 - self.total / self.dense_total

    def _all(self) -> tuple[int, ...]:
        return self.fp, self.bp, self.wg, self.dense_fp, self.dense_bp, self.dense_wg


def matrix_macs(counts: EpochCounts, sizes: Sizes, readout: str) -> MatrixMacs:
    """Return the multiply-accumulates behind the fired counts of an epoch.

    Parameters
    ----------
    counts
        What fired and what could have.
    sizes
        The network's.
    readout
        "last": one readout for each sample. "every": one for each step.
    """
    steps = counts.steps_x[0] // sizes.features
    samples = steps - counts.steps_h[0] // sizes.hidden[0]  # the recurrent stream has length - 1 steps a sample
    readouts = (samples if readout == "last" else steps) * sizes.classes * sizes.hidden[-1]
    forward, _ = _stream_macs(counts.fired_x, counts.fired_h, sizes)
    asked, asked_inputs = _stream_macs(counts.asked_x or counts.fired_x, counts.asked_h or counts.fired_h, sizes)
    dense_forward, dense_inputs = _stream_macs(counts.steps_x, counts.steps_h, sizes)
    return MatrixMacs(
        fp=forward + readouts,
        bp=asked - asked_inputs + readouts,
        wg=forward + readouts,
        dense_fp=dense_forward + readouts,
        dense_bp=dense_forward - dense_inputs + readouts,
        dense_wg=dense_forward + readouts,
    )


def _stream_macs(x: tuple[int, ...], h: tuple[int, ...], sizes: Sizes) -> tuple[int, int]:
    """Return the multiply-accumulates of all streams, and those of layer 0's input stream alone."""
    rows_x = [len(sizes.cell.TARGETS_X) * width for width in sizes.hidden]
    rows_h = [len(sizes.cell.TARGETS_H) * width for width in sizes.hidden]
    every = sum(c * r for c, r in zip(x, rows_x, strict=True)) + sum(c * r for c, r in zip(h, rows_h, strict=True))
    return every, x[0] * rows_x[0]
