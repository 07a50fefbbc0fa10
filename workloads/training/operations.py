"""How many multiply-accumulates the matrix products of training take, as fired, and had every column been used.

A fired delta costs one column of its weight matrix: one multiply-accumulate for each row. The three phases use the same
columns: FP (W * delta), BP (the fired entries of W^T * g(M)) and WG (g(M) * delta^T); the gradient of the network's own
input is not needed, so BP has no input stream in layer 0, unless its input are rows of a table, which learn; to look
one up and to add to its gradient takes no product. Nor does a gradient go to a state that a window went on from. The
linear readout has no deltas and counts in full in both columns, in each phase. With sparse weights a column costs as
many as it has weights, taken here as the mean of its matrix; a dense network has them all. Element-wise work is not
counted, and neither is the recurrent stream of a sample's first step, where there is no h yet: a dense network need not
multiply by zero either. BP works through all that is listed, a spiking network's gradient-only neurons among it.

Biases are not counted. A machine works through their columns, and counts them (`accel.counters.PhaseCounters`): one for
each layer and sample and one for each readout, in FP and WG. Of sparse columns it counts the weights of those that
fired, not the mean.
"""

from __future__ import annotations

from dataclasses import dataclass

from deltatrain.workloads.network.parameters import ARRAYS_OF_A_LAYER, Sizes
from deltatrain.workloads.tables import Sparsity
from deltatrain.workloads.trace import EpochCounts
from deltatrain.workloads.weight_masks import counts as weight_counts

_DENSE = Sparsity()


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


def matrix_macs(counts: EpochCounts, sizes: Sizes, readout: str, sparsity: Sparsity = _DENSE) -> MatrixMacs:
    """Return the multiply-accumulates behind the fired counts of an epoch.

    Parameters
    ----------
    counts
        What fired and what could have.
    sizes
        The network's.
    readout
        "last": one readout for each sample. "every": one for each step.
    sparsity
        How the weights are thinned.
    """
    steps = counts.steps_x[0] // sizes.features
    # the recurrent stream has length - 1 steps a sample, if none goes on from a state, and then every step is read
    samples = steps - counts.steps_h[0] // sizes.hidden[0]
    readouts = samples if readout == "last" else steps
    asked_x, asked_h = counts.asked_x or counts.fired_x, counts.asked_h or counts.fired_h
    forward, _ = _macs(counts.fired_x, counts.fired_h, readouts, sizes, sparsity)
    asked, asked_inputs = _macs(asked_x, asked_h, readouts, sizes, sparsity)
    dense_forward, dense_inputs = _macs(counts.steps_x, counts.steps_h, readouts, sizes, _DENSE)
    carried, dense_carried = (
        _macs((), counted, 0, sizes, thinned)[0]
        for counted, thinned in ((counts.carried_h, sparsity), (counts.carried_steps_h, _DENSE))
    )
    if sizes.words:
        asked_inputs = dense_inputs = 0
    return MatrixMacs(
        fp=forward,
        bp=asked - asked_inputs - carried,
        wg=forward,
        dense_fp=dense_forward,
        dense_bp=dense_forward - dense_inputs - dense_carried,
        dense_wg=dense_forward,
    )


def _macs(x: tuple[int, ...], h: tuple[int, ...], readouts: int, sizes: Sizes, sparsity: Sparsity) -> tuple[int, int]:
    """Return the multiply-accumulates of all streams and the readout, and those of layer 0's input stream alone."""
    weights, of_layers = weight_counts(sizes, sparsity), ARRAYS_OF_A_LAYER * len(sizes.hidden)
    of_matrices = zip(x, weights[:of_layers:ARRAYS_OF_A_LAYER], sizes.inputs, strict=False)
    of_x = [fired * n / columns for fired, n, columns in of_matrices]
    of_matrices = zip(h, weights[1:of_layers:ARRAYS_OF_A_LAYER], sizes.hidden, strict=False)
    of_h = [fired * n / columns for fired, n, columns in of_matrices]
    return round(sum(of_x) + sum(of_h)) + readouts * weights[of_layers], round(sum(of_x[:1]))
