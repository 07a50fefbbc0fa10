"""A network's parameters in the machine's integers: matrices whose last column is the bias."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from deltatrain.accel.cell_arithmetic import CellArithmetic
from deltatrain.accel.cells import accumulator_rows
from deltatrain.accel.engine import Formats
from deltatrain.accel.number import Integers, quantise, to_float
from deltatrain.workloads.arrays.layer import Layer
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.network.network import Parameters


class IntegerLayer(NamedTuple):
    """Weights of one layer, or their gradients in the same shapes.

    Attributes
    ----------
    W_x
        Shape (len(BLOCKS_X) * H, I + BIAS_X), names in capitals as in `accel.cells`.
    W_h
        Shape (len(BLOCKS_H) * H, H + BIAS_H).
    """

    W_x: Integers
    W_h: Integers


class IntegerParameters(NamedTuple):
    """Weights of a network, or their gradients in the same shapes.

    Attributes
    ----------
    layers
        The one next to the input first.
    readout
        Shape (classes, H + 1); the bias column is always used, with the value 1.0.
    """

    layers: tuple[IntegerLayer, ...]
    readout: Integers

    @classmethod
    def of(cls, matrices: Sequence[Integers]) -> IntegerParameters:
        """Return the parameters whose `matrices` these are."""
        *of_layers, readout = matrices
        pairs = zip(of_layers[::2], of_layers[1::2], strict=True)
        return cls(tuple(IntegerLayer(W_x, W_h) for W_x, W_h in pairs), readout)

    def matrices(self) -> tuple[Integers, ...]:
        """Return W_x and W_h of each layer, then the readout."""
        return (*(matrix for layer in self.layers for matrix in layer), self.readout)

    def stored(self) -> tuple[Integers, ...]:
        """Return those of `matrices` that a machine stores: a cell without a recurrent matrix has W_h of no rows."""
        return tuple(matrix for matrix in self.matrices() if len(matrix))

    def vector(self) -> Integers:
        """Return all of them as one vector, in the order of `matrices`, shape (n,)."""
        return np.concatenate([matrix.ravel() for matrix in self.matrices()])


def from_vector(vector: Integers, like: IntegerParameters) -> IntegerParameters:
    """Return what `IntegerParameters.vector` made one vector of, in the shapes of `like`."""
    ends = np.cumsum([matrix.size for matrix in like.matrices()])
    parts = np.split(vector, ends[:-1])
    return IntegerParameters.of([part.reshape(m.shape) for part, m in zip(parts, like.matrices(), strict=True)])


def zeros_like(parameters: IntegerParameters) -> IntegerParameters:
    """Return zeros in the shapes of `parameters`: gradients before the first sample."""
    return IntegerParameters.of([np.zeros_like(matrix) for matrix in parameters.matrices()])


def quantised(parameters: Parameters, arithmetic: CellArithmetic, formats: Formats) -> IntegerParameters:
    """Return `parameters` rounded to ``formats.weight``.

    Parameters
    ----------
    parameters
        Of a network whose cell has the gate arithmetic `gates`.
    arithmetic
        A member of `accel.cells`.
    formats
        The engine's formats.
    """
    layers = []
    for layer in parameters.layers:
        bias_x, bias_h = _bias_columns(layer, arithmetic)
        W_x, W_h = np.hstack([layer.W_x, bias_x]), np.hstack([layer.W_h, bias_h])
        layers.append(IntegerLayer(quantise(W_x, formats.weight), quantise(W_h, formats.weight)))
    readout = np.column_stack([parameters.W_out, parameters.bias_out])
    return IntegerParameters(tuple(layers), quantise(readout, formats.weight))


def dequantised(parameters: IntegerParameters, arithmetic: CellArithmetic, formats: Formats) -> Parameters:
    """Return the numbers that `parameters` stand for, float64; undoes `quantised` but for its rounding."""
    fraction_bits, layers = formats.weight.fraction_bits, []
    for W_x, W_h in parameters.layers:
        width = W_h.shape[1] - arithmetic.BIAS_H
        bias = np.zeros(arithmetic.ACCUMULATORS * width)
        if arithmetic.BIAS_X:
            bias[accumulator_rows(arithmetic.BLOCKS_X, width)] += to_float(W_x[:, -1], fraction_bits)
        if arithmetic.BIAS_H:
            bias[accumulator_rows(arithmetic.BLOCKS_H, width)] += to_float(W_h[:, -1], fraction_bits)
        inputs = W_x.shape[1] - arithmetic.BIAS_X
        layers.append(Layer(to_float(W_x[:, :inputs], fraction_bits), to_float(W_h[:, :width], fraction_bits), bias))
    readout = to_float(parameters.readout, fraction_bits)
    return Parameters(tuple(layers), readout[:, :-1], readout[:, -1])


def _bias_columns(layer: Layer, arithmetic: CellArithmetic) -> tuple[Array, Array]:
    """Return the bias as columns of W_x and of W_h, shapes (rows, BIAS_X) and (rows, BIAS_H).

    An accumulator to which both matrices add gets its bias from W_x.
    """
    width = layer.W_h.shape[1]
    rows_x, rows_h = accumulator_rows(arithmetic.BLOCKS_X, width), accumulator_rows(arithmetic.BLOCKS_H, width)
    bias_x = layer.bias[rows_x, None]
    bias_h = np.where(np.isin(rows_h, rows_x), 0, layer.bias[rows_h])[:, None]
    return bias_x[:, : int(arithmetic.BIAS_X)], bias_h[:, : int(arithmetic.BIAS_H)]
