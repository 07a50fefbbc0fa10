"""A training in a machine's integers as its equations state it: sample by sample, column by column, in plain loops.

Rounding, ranges, the cells' arithmetic, losses and the update are the golden functions of `accel`; the order of all
sums and everything else is written again.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np

from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.engine import MachineNumbers
from deltatrain.accel.modes import loss, squared_loss, update_decay, update_momentum
from deltatrain.accel.modes.encode import threshold
from deltatrain.accel.number import Integers, fit, rescale
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.workload import Workload


def rounded(values: Any, number: Any) -> Integers:
    """Return the nearest integers of a format."""
    whole = np.rint(np.asarray(values, np.float64) * 2.0**number.fraction_bits)
    return np.clip(whole, number.lowest, number.highest).astype(np.int64)


class StatedTraining:
    """Weights of a network and what changes them.

    Parameters
    ----------
    workload
        What is trained.
    numbers
        Of the machine.
    parameters
        First weights, in floating point.
    """

    def __init__(self, workload: Workload, numbers: MachineNumbers, parameters: Any) -> None:
        self.workload, self.formats, self.lanes = workload, numbers.formats, numbers.lanes
        self.cell: Any = CELL_ARITHMETIC.load(CELLS.load(workload.cell).ARITHMETIC)
        self.one = min(1 << self.formats.activation.fraction_bits, self.formats.activation.highest)
        self.layers = [self._with_bias(layer) for layer in parameters.layers]
        readout = np.column_stack([parameters.W_out, parameters.bias_out])
        self.readout = rounded(readout, self.formats.weight)
        self.gradients: list[Integers] | None = None
        self.moments: dict[Any, tuple[int, int]] = {}

    def matrices(self) -> list[Integers]:
        """Return W_x and W_h of each layer, then the read-out."""
        return [*(W for layer in self.layers for W in layer), self.readout]

    def step(
        self, samples: list[Integers], wanted: list[Integers], rate: float, *, dense: bool, summed: float = 1
    ) -> None:
        """Learn from samples, shapes (T, F); `wanted` has of each a class or numbers for each step that is read.

        The gradients are `summed` times those of the mean loss.
        """
        f, table = self.formats, self.workload.training.machine_optimiser
        factors = [int(rounded(x, f.learning_rate)) for x in (table.momentum, table.weight_decay * summed)]
        if self.gradients is None:
            self.gradients = [update_decay.kept(W, 0 * W, (0, factors[1]), f) for W in self.matrices()]
        gradients = self.gradients
        for x, rows in zip(samples, wanted, strict=True):
            self._sample(x, rows, gradients, dense)
        whole = max(int(rounded(rate, self.formats.learning_rate)), 1)
        if table.clip_norm is not None:
            limit = round(table.clip_norm * summed * 2**f.weight_gradient.fraction_bits)
            root = isqrt(sum(int(g) ** 2 for dW in gradients for g in dW.ravel()))
            whole = whole if root < limit else whole * limit // root
        pairs = list(zip(self.matrices(), gradients, strict=True))
        if table.name == "adam":
            moved = self._adam(pairs, whole, factors[0])
        elif table.weight_decay:
            moved = [update_decay.result(*pair, whole, (factors[0], factors[1]), f) for pair in pairs]
        else:
            moved = [update_momentum.result(*pair, whole, factors[0], f) for pair in pairs]
        after, self.gradients = ([of[k] for of in moved] for k in range(2))
        self.layers, self.readout = [after[k : k + 2] for k in range(0, len(after) - 1, 2)], after[-1]

    def _adam(self, pairs: list[tuple[Integers, Integers]], rate: int, beta: int) -> list[tuple[Integers, Integers]]:
        """Return W and dW = 0 after a step of Adam, number by number in Python's integers."""
        f, found = self.formats, []
        one, F, half = 2**f.learning_rate.fraction_bits, f.weight_gradient.fraction_bits, f.gradient.fraction_bits
        ends = f.weight_gradient.lowest, f.weight_gradient.highest
        for k, (W, dW) in enumerate(pairs):
            after = W.copy()
            for place in np.ndindex(W.shape):
                g, (m, v) = int(dW[place]), self.moments.get((k, place), (0, 0))
                m = fit(np.int64(round(Fraction(beta * m + (one - beta) * g, one))), f.weight_gradient)
                short = min(abs(round(Fraction(g, 2 ** (F - half)))), 2 ** (-(-f.weight_gradient_bits // 2)))
                v = min(v + round(Fraction(short * short - v, 1024)), 2**f.weight_gradient_bits - 1)
                self.moments[k, place] = (int(m), v)
                step = abs(int(m)) * 2**half // (isqrt(v) + 1) * (1 if m > 0 else -1)
                step = min(max(step, ends[0]), ends[1]) if f.weight_gradient.overflow == "saturate" else step
                fraction = f.learning_rate.fraction_bits + F - f.weight.fraction_bits
                after[place] = fit(W[place] - round(Fraction(rate * step, 2**fraction)), f.weight)
            found.append((after, 0 * dW))
        return found

    def _with_bias(self, layer: Any) -> list[Integers]:
        cell, width = self.cell, layer.W_h.shape[1]
        bias = layer.bias.reshape(-1, width)
        of_x = np.concatenate([bias[block] for block in cell.BLOCKS_X])[:, None]
        of_h = np.concatenate([bias[block] * (block not in cell.BLOCKS_X) for block in cell.BLOCKS_H])[:, None]
        matrices = (np.hstack([layer.W_x, of_x][: 1 + cell.BIAS_X]), np.hstack([layer.W_h, of_h][: 1 + cell.BIAS_H]))
        return [rounded(W, self.formats.weight) for W in matrices]

    def _sample(self, x: Integers, rows: Integers, gradients: list[Integers], dense: bool) -> None:
        f, below, ran = self.formats, x, []
        for W, thetas in zip(self.layers, self.workload.thresholds, strict=True):
            ran.append(self._forward(W, [0 if dense else threshold(theta, f) for theta in thetas], below))
            below = np.array([h for _, _, h in ran[-1]])
        read = range(len(x)) if self.workload.readout == "every" else [len(x) - 1]
        mode = squared_loss if self.workload.task == "regression" else loss
        g_above = np.zeros_like(below)
        for t, row in reversed(list(zip(read, rows, strict=True))):
            columns = [*enumerate(below[t]), (len(below[t]), self.one)]
            logits = np.zeros(len(self.readout), np.int64)
            self._add(logits, slice(None), self.readout, columns, f.memory)
            g = mode.result(logits, row, f)
            g_above[t] = [self._back(self.readout[:, k], [g]) for k in range(len(below[t]))]
            self._learn(gradients[-1], g, columns)
        for number in reversed(range(len(ran))):
            g_above = self._backward(self.layers[number], ran[number], g_above, gradients[2 * number : 2 * number + 2])

    def _forward(self, W: list[Integers], least: list[int], values: Integers) -> list[Any]:
        cell, f, width = self.cell, self.formats, W[1].shape[1] - self.cell.BIAS_H
        M, state = np.zeros((cell.ACCUMULATORS, width), np.int64), np.zeros((len(cell.STATE), width), np.int64)
        h, hats = np.zeros(width, np.int64), [np.zeros(values.shape[1], np.int64), np.zeros(width, np.int64)]
        steps = []
        for t, x in enumerate(values):
            lists = []
            blocks, biased = (cell.BLOCKS_X, cell.BLOCKS_H), (cell.BIAS_X, cell.BIAS_H)
            for stream, value in enumerate((x, h)):
                listed = []
                for k in range(len(value)):
                    difference = value[k] - hats[stream][k]
                    if difference and abs(difference) >= least[stream]:
                        delta = min(max(difference, f.activation.lowest), f.activation.highest)
                        hats[stream][k] += delta
                        listed.append((k, delta))
                listed += [(len(value), self.one)] * (t == 0 and biased[stream])
                part = np.concatenate([M[block] for block in blocks[stream]])
                self._add(part, slice(None), W[stream], listed, f.memory)
                M[list(blocks[stream])] = part.reshape(-1, width)
                lists.append(listed)
            state, h, tape = cell.forward(M, state, f)
            steps.append((lists, tape, h))
        return steps

    def _backward(self, W: list[Integers], steps: list[Any], g_above: Integers, dW: list[Integers]) -> Integers:
        cell, f, width = self.cell, self.formats, W[1].shape[1] - self.cell.BIAS_H
        g_M, carry = np.zeros((cell.ACCUMULATORS, width), np.int64), np.zeros(width, np.int64)
        through, inputs = np.zeros(width, np.int64), W[0].shape[1] - cell.BIAS_X
        g_hats, g_x = [np.zeros(inputs, np.int64), np.zeros(width, np.int64)], np.zeros((len(steps), inputs), np.int64)
        for t in reversed(range(len(steps))):
            lists, tape, _ = steps[t]
            g_M, carry = cell.backward(fit(g_above[t] + through, f.gradient), carry, tape, g_M, f)
            found = []
            for stream, blocks in enumerate((cell.BLOCKS_X, cell.BLOCKS_H)):
                g, g_value = [g_M[block] for block in blocks], np.zeros_like(g_hats[stream])
                for k, _ in lists[stream]:
                    if k < len(g_value):
                        s = self._back(W[stream][:, k], g)
                        g_value[k] = fit(g_hats[stream][k] + s, f.gradient)
                        g_hats[stream][k] = fit(-s, f.gradient)
                self._learn(dW[stream], np.concatenate(g), lists[stream])
                found.append(g_value)
            g_x[t], through = found
        return g_x

    def _add(self, total: Integers, rows: Any, W: Integers, columns: Any, number: Any) -> None:
        for k, value in columns:
            total[rows] = fit(total[rows] + W[:, k] * value, number)

    def _back(self, column: Integers, g: list[Integers]) -> Any:
        number, total, begin = self.formats.backward_sum, np.int64(0), 0
        for block in g:
            for first in range(0, len(block), self.lanes):
                word = block[first : first + self.lanes]
                total = fit(total + (word * column[begin + first : begin + first + len(word)]).sum(), number)
            begin += len(block)
        return rescale(total, number.fraction_bits, self.formats.gradient)

    def _learn(self, dW: Integers, g: Integers, columns: Any) -> None:
        for k, value in columns:
            dW[:, k] = fit(dW[:, k] + g * value, self.formats.weight_gradient)
