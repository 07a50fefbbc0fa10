"""One step of one layer in the machine's integers: forward, backward, and back again.

Built of the modes of `accel.modes`, in the order in which a machine runs them: input deltas are added to M before
recurrent ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltatrain.accel.cell_arithmetic import CellArithmetic
from deltatrain.accel.cells import accumulator_rows
from deltatrain.accel.engine import Engine, MachineNumbers
from deltatrain.accel.modes import EncoderMode, cell_backward, cell_forward, encoder_mode, matvec, outer
from deltatrain.accel.modes.encode import Fired
from deltatrain.accel.number import Integers, fit
from deltatrain.accel.tape_words import given_back
from deltatrain.workloads.training import tile_sums
from deltatrain.workloads.training.integer_parameters import IntegerLayer


class Cell(NamedTuple):
    """What a layer computes with, without its parameters.

    Attributes
    ----------
    arithmetic
        A member of `accel.cells`.
    engine
        Its formats and its lanes, which give the order of sums.
    code_bits
        Of the codes that the tape keeps of sigmoids and tanhs (`accel.tape_words`), None where it keeps values.
    tiles
        How many tiles make sums of their own (`workloads.training.tile_sums`).
    """

    arithmetic: CellArithmetic
    engine: Engine | MachineNumbers
    code_bits: int | None = None
    tiles: int = 1

    @property
    def encoder(self) -> EncoderMode:
        """The mode that lists its streams."""
        return encoder_mode(self.arithmetic.ENCODER)

    def given_back(self, tape: Integers) -> Integers:
        """Return ``TAPE``, first axis, as the tape gives it back."""
        return given_back(self.arithmetic, tape, self.code_bits, self.engine.formats)


class LayerState(NamedTuple):
    """What a layer carries from one step to the next: it restarts the layer.

    Attributes
    ----------
    memory
        M, in ``formats.memory``, shape (A*H,).
    cell_state
        The cell's ``STATE``, shape (S, H).
    h
        In ``formats.activation``, shape (H,).
    x_hat, h_hat
        What the encoders hold, in ``formats.activation``, shapes (I,) and (H,); without a recurrent matrix nobody
        lists h, and the shape is (0,).
    """

    memory: Integers
    cell_state: Integers
    h: Integers
    x_hat: Integers
    h_hat: Integers


class LayerStep(NamedTuple):
    """What one step of a layer leaves for its backward pass.

    Attributes
    ----------
    fired_x, fired_h
        The lists, the bias column the last entry where it fires.
    tape
        The gates' ``TAPE``, shape (K, H).
    """

    fired_x: Fired
    fired_h: Fired
    tape: Integers


class LayerAdjoint(NamedTuple):
    """What a layer carries from one step to the step before; all in ``formats.gradient``.

    Attributes
    ----------
    g_h
        Gradient of h through the recurrent stream, shape (H,).
    g_h_hat, g_x_hat
        Gradients of what the encoders hold, shapes (H,) and (I,).
    carry
        What the gates carry, shape (H,).
    g_memory
        g(M), shape (A*H,).
    """

    g_h: Integers
    g_h_hat: Integers
    g_x_hat: Integers
    carry: Integers
    g_memory: Integers


def first_state(cell: Cell, layer: IntegerLayer) -> LayerState:
    """Return the state before step 0: all zero."""
    width, inputs = _sizes(cell, layer)
    listed = width if cell.arithmetic.BLOCKS_H else 0
    sizes = (cell.arithmetic.ACCUMULATORS * width, (len(cell.arithmetic.STATE), width), width, inputs, listed)
    return LayerState(*(np.zeros(size, dtype=np.int64) for size in sizes))


def last_adjoint(cell: Cell, layer: IntegerLayer) -> LayerAdjoint:
    """Return the adjoint after the last step: all zero."""
    width, inputs = _sizes(cell, layer)
    sizes = (width, width, inputs, width, cell.arithmetic.ACCUMULATORS * width)
    return LayerAdjoint(*(np.zeros(size, dtype=np.int64) for size in sizes))


def forward(
    cell: Cell, layer: IntegerLayer, least: tuple[int, int], state: LayerState, x: Integers, *, first: bool
) -> tuple[LayerState, LayerStep]:
    """Return the state after one step, and what it leaves.

    Parameters
    ----------
    cell, layer
        What is computed and with which weights.
    least
        Least differences that fire, (input, recurrent).
    state
        Before the step.
    x
        Input of the step, in ``formats.activation``, shape (I,).
    first
        Whether this is step 0, at which bias columns fire; if M is not kept they fire at every step.
    """
    arithmetic, encoder, formats = cell.arithmetic, cell.encoder, cell.engine.formats
    width, inputs = _sizes(cell, layer)
    rows_x, rows_h = accumulator_rows(arithmetic.BLOCKS_X, width), accumulator_rows(arithmetic.BLOCKS_H, width)
    fired_x, x_hat = encoder.result(x, state.x_hat, least[0], formats)
    fired_h, h_hat = encoder.result(state.h[: len(state.h_hat)], state.h_hat, least[1], formats)
    fired_x, fired_h = (tile_sums.in_order(fired, cell.engine.lanes, cell.tiles) for fired in (fired_x, fired_h))
    if first or not arithmetic.KEPT:
        fired_x = _with_bias(cell, fired_x, inputs) if arithmetic.BIAS_X else fired_x
        fired_h = _with_bias(cell, fired_h, width) if arithmetic.BIAS_H else fired_h
    memory = arithmetic.KEPT * state.memory
    memory[rows_x] = matvec.result(memory[rows_x], layer.W_x[:, fired_x.columns], fired_x.delta, formats)
    memory[rows_h] = matvec.result(memory[rows_h], layer.W_h[:, fired_h.columns], fired_h.delta, formats)
    carried, h, tape = cell_forward.result(arithmetic, memory, state.cell_state, formats)
    return LayerState(memory, carried, h, x_hat, h_hat), LayerStep(fired_x, fired_h, cell.given_back(tape))


def undo(
    cell: Cell, layer: IntegerLayer, state: LayerState, fired_x: Fired, fired_h: Fired, cell_state_before: Integers
) -> tuple[LayerState, LayerStep, Integers]:
    """Run one step backwards: the inverse of `forward`, exactly.

    Parameters
    ----------
    cell, layer
        As in `forward`.
    state
        After the step; its h and gates are not read.
    fired_x, fired_h
        The lists of the step.
    gates_before
        The gates' ``STATE`` before the step, shape (S, H): what cannot be inverted.

    Returns
    -------
    tuple[LayerState, LayerStep, Integers]
        The state before the step but for its h, which is left zero, because it follows from undoing the step before;
        what the step had left; and h of the step.

    Raises
    ------
    ValueError
        If ``formats.memory`` saturates, or the cell keeps no M.
    """
    arithmetic, formats = cell.arithmetic, cell.engine.formats
    if not arithmetic.KEPT:
        raise ValueError("a cell that keeps no M cannot be run backwards: what it forgets is gone")
    width, inputs = _sizes(cell, layer)
    rows_x, rows_h = accumulator_rows(arithmetic.BLOCKS_X, width), accumulator_rows(arithmetic.BLOCKS_H, width)
    _, h, tape = cell_forward.result(arithmetic, state.memory, cell_state_before, formats)
    memory = state.memory.copy()
    memory[rows_h] = matvec.undo(memory[rows_h], layer.W_h[:, fired_h.columns], fired_h.delta, formats)
    memory[rows_x] = matvec.undo(memory[rows_x], layer.W_x[:, fired_x.columns], fired_x.delta, formats)
    x_hat, h_hat = _held_before(state.x_hat, fired_x, inputs), _held_before(state.h_hat, fired_h, width)
    before = LayerState(memory, cell_state_before, np.zeros_like(h), x_hat, h_hat)
    return before, LayerStep(fired_x, fired_h, cell.given_back(tape)), h


def backward(
    cell: Cell, layer: IntegerLayer, step: LayerStep, adjoint: LayerAdjoint, g_above: Integers, dW: IntegerLayer
) -> tuple[LayerAdjoint, Integers]:
    """Run one step backward and add to `dW`.

    Parameters
    ----------
    cell, layer
        As in `forward`.
    step
        What `forward` left.
    adjoint
        From the step after.
    g_above
        Gradient of h from the layer above or the read-out, in ``formats.gradient``, shape (H,).
    dW
        Gradients, changed here.

    Returns
    -------
    tuple[LayerAdjoint, Integers]
        The adjoint for the step before, and what the gates were given as g(h), shape (H,).
    """
    arithmetic, formats = cell.arithmetic, cell.engine.formats
    width, _ = _sizes(cell, layer)
    rows_h = accumulator_rows(arithmetic.BLOCKS_H, width)
    g_h = fit(g_above + adjoint.g_h, formats.gradient)
    g_memory, carry = cell_backward.result(arithmetic, g_h, adjoint.carry, step.tape, adjoint.g_memory, formats)
    fired_h = step.fired_h.columns[step.fired_h.columns < width]
    s = np.zeros(0, dtype=np.int64)
    if arithmetic.BLOCKS_H:
        blocks = len(arithmetic.BLOCKS_H)
        s = tile_sums.back(layer.W_h[:, fired_h], g_memory[rows_h], blocks, cell.engine, cell.tiles)
    g_recurrent, g_h_hat = cell.encoder.adjoint(adjoint.g_h_hat, fired_h, s, formats)
    rows_x = accumulator_rows(arithmetic.BLOCKS_X, width)
    for matrix, rows, listed in ((dW.W_h, rows_h, step.fired_h), (dW.W_x, rows_x, step.fired_x)):
        matrix[:, listed.columns] = outer.result(matrix[:, listed.columns], g_memory[rows], listed.delta, formats)
    return LayerAdjoint(g_recurrent, g_h_hat, adjoint.g_x_hat, carry, g_memory), g_h


def input_gradient(
    cell: Cell, layer: IntegerLayer, step: LayerStep, adjoint: LayerAdjoint
) -> tuple[LayerAdjoint, Integers]:
    """Return the adjoint with g(x-hat) of the step before, and the gradient of the step's input, shape (I,).

    `adjoint` is what `backward` returned for the same step.
    """
    arithmetic, formats = cell.arithmetic, cell.engine.formats
    width, inputs = _sizes(cell, layer)
    rows_x = accumulator_rows(arithmetic.BLOCKS_X, width)
    fired_x = step.fired_x.columns[step.fired_x.columns < inputs]
    blocks = len(arithmetic.BLOCKS_X)
    s = tile_sums.back(layer.W_x[:, fired_x], adjoint.g_memory[rows_x], blocks, cell.engine, cell.tiles)
    g_x, g_x_hat = cell.encoder.adjoint(adjoint.g_x_hat, fired_x, s, formats)
    return adjoint._replace(g_x_hat=g_x_hat), g_x


def with_one(engine: Engine | MachineNumbers, values: Integers) -> Integers:
    """Return `values` with the 1.0 of a bias column behind them."""
    return np.append(values, one(engine))


def _sizes(cell: Cell, layer: IntegerLayer) -> tuple[int, int]:
    """Return H and I."""
    return layer.W_h.shape[1] - cell.arithmetic.BIAS_H, layer.W_x.shape[1] - cell.arithmetic.BIAS_X


def _held_before(held: Integers, fired: Fired, width: int) -> Integers:
    before = held.copy()
    elements = fired.columns < width  # not the bias
    before[fired.columns[elements]] -= fired.delta[elements]
    return before


def _with_bias(cell: Cell, fired: Fired, column: int) -> Fired:
    """Return the list with the bias column, which fires with the value 1.0, as its last entry."""
    return Fired(np.append(fired.columns, column), np.append(fired.delta, one(cell.engine)))


def one(engine: Engine | MachineNumbers) -> int:
    """Return 1.0 in ``formats.activation``."""
    activation = engine.formats.activation
    return min(1 << activation.fraction_bits, activation.highest)
