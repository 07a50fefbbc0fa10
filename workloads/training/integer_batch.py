"""The update of a training step in the machine's integers, all samples side by side: for whole trainings.

The integers are those of `integer_training.training_step`, which goes sample after sample and is what the gates are
compared with. Here a step is that of all samples that still run, and only the weights are returned. Cell and encoder
are the same functions, on vectors as long as those of all samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from deltatrain.accel.cells import accumulator_rows
from deltatrain.accel.modes import MODES
from deltatrain.accel.number import Integers, fit, move_point
from deltatrain.workloads.arrays.packing import Packing, last_rows, packing_of, sample_of_rows
from deltatrain.workloads.training import integer_products
from deltatrain.workloads.training.integer_layer import one
from deltatrain.workloads.training.integer_parameters import IntegerLayer, IntegerParameters, zeros_like
from deltatrain.workloads.training.integer_products import Entries
from deltatrain.workloads.training.integer_training import (
    IntegerNetwork,
    Label,
    read_steps,
    wanted_rows,
)
from deltatrain.workloads.training.stored_numbers import Tally


class _Stream(NamedTuple):
    """The input or the recurrent stream of a layer.

    Attributes
    ----------
    W_T
        Its matrix, transposed, shape (C, R), the bias the last of C columns.
    rows
        The entries of M that it adds to, shape (R,), or where they are neighbours a slice of so many.
    width
        Elements of its vectors: C, or one less if the bias is a column.
    """

    W_T: Integers
    rows: Integers | slice
    width: int

    @property
    def adds(self) -> bool:
        """Whether it adds to anything."""
        return bool(self.W_T.shape[1])


class LayerRan(NamedTuple):
    """What a layer's forward pass leaves; N packed rows.

    Attributes
    ----------
    listed
        Of each stream the list of each step; rows are counted within the step.
    h, tape
        Shapes (N, H) and (K, N, H).
    """

    listed: tuple[list[Entries], ...]
    h: Integers
    tape: Integers


class Batch(NamedTuple):
    """A mini-batch in integers.

    Attributes
    ----------
    packing
        Where the steps of each sample lie.
    inputs
        In ``formats.activation``, packed, shape (N, F).
    wanted
        Of each row that is read (`rows_read`): a class, shape (R,), or numbers in ``formats.memory``, shape (R, K).
    """

    packing: Packing
    inputs: Integers
    wanted: Integers


class Ran(NamedTuple):
    """A forward pass.

    Attributes
    ----------
    layers
        What each left.
    logits
        Of the rows that are read, in ``formats.memory``, shape (R, classes).
    """

    layers: tuple[LayerRan, ...]
    logits: Integers


def updated(
    network: IntegerNetwork,
    parameters: IntegerParameters,
    samples: Sequence[Integers],
    labels: Sequence[Label],
    learning_rate: int,
) -> IntegerParameters:
    """Return the weights after one training step; parameters as of `integer_training.training_step`."""
    found = gradients(network, parameters, samples, labels)
    optimiser, formats = network.optimiser, network.engine.formats
    memory = optimiser.first_memory(parameters, formats)
    return optimiser.updated(parameters, found, learning_rate, formats, memory).weights


def gradients(
    network: IntegerNetwork, parameters: IntegerParameters, samples: Sequence[Integers], labels: Sequence[Label]
) -> IntegerParameters:
    """Return dW of each matrix, summed over samples; parameters as of `integer_training.training_step`."""
    batch = batch_of(network, samples, labels)
    return backward(network, parameters, batch, forward(network, parameters, batch, Tally()), Tally())


def batch_of(network: IntegerNetwork, samples: Sequence[Integers], labels: Sequence[Label]) -> Batch:
    """Return samples side by side; parameters as of `integer_training.training_step`."""
    packing = packing_of(np.array([len(x) for x in samples]))
    inputs = np.stack([samples[b][t] for t, n in enumerate(packing.active) for b in packing.order[:n]])
    each = [wanted_rows(label, len(read_steps(network, len(x)))) for label, x in zip(labels, samples, strict=True)]
    if network.readout == "last":
        return Batch(packing, inputs, np.array([rows[0] for rows in each]))
    return Batch(
        packing, inputs, np.array([each[b][t] for t, n in enumerate(packing.active) for b in packing.order[:n]])
    )


def rows_read(network: IntegerNetwork, packing: Packing) -> Integers:
    """Return which packed rows the read-out reads: the last of each sample, in the caller's order, or all."""
    return np.arange(packing.rows) if network.readout == "every" else last_rows(packing)


def forward(network: IntegerNetwork, parameters: IntegerParameters, batch: Batch, tally: Tally) -> Ran:
    """Run a mini-batch forward, and count what was stored."""
    below, layers = batch.inputs, []
    for layer, least in zip(parameters.layers, network.thresholds, strict=True):
        layers.append(_forward(network, _streams(network, layer), least, below, batch.packing, tally))
        below = layers[-1].h
    entries = _read_entries(network, below, batch.packing)
    logits = np.zeros((len(rows_read(network, batch.packing)), len(parameters.readout)), np.int64)
    memory = network.engine.formats.memory
    left = integer_products.add(logits, entries, np.ascontiguousarray(parameters.readout.T), memory)
    tally.add("M", len(entries.rows) * len(parameters.readout), left)
    return Ran(tuple(layers), logits)


def backward(
    network: IntegerNetwork,
    parameters: IntegerParameters,
    batch: Batch,
    ran: Ran,
    tally: Tally,
    before: IntegerParameters | None = None,
) -> IntegerParameters:
    """Return dW of each matrix, summed over samples, and count what was stored; `ran` is of the same weights.

    The sums begin with what dW are `before`, zero if not given.
    """
    first = zeros_like(parameters) if before is None else before
    packing = batch.packing
    steps = np.repeat(np.arange(len(packing.active)), packing.active)
    order = np.lexsort((-steps, sample_of_rows(packing)))  # sample after sample, each from its last step
    g_above, dW_out = _read_out(network, (parameters.readout, first.readout), batch, ran, order, tally)
    layers: list[IntegerLayer] = []
    for number in reversed(range(len(ran.layers))):
        streams, left = _streams(network, parameters.layers[number]), ran.layers[number]
        g_memory, g_above = _backward(network, streams, left, g_above, packing, tally, wants_input=number > 0)
        layers.insert(0, _learned(network, streams, first.layers[number], left, g_memory, packing, order, tally))
    return IntegerParameters(tuple(layers), dW_out)


def _streams(network: IntegerNetwork, layer: IntegerLayer) -> tuple[_Stream, _Stream]:
    arithmetic = network.arithmetic
    width = layer.W_h.shape[1] - arithmetic.BIAS_H
    found = (
        (layer.W_x, arithmetic.BLOCKS_X, arithmetic.BIAS_X),
        (layer.W_h, arithmetic.BLOCKS_H, arithmetic.BIAS_H),
    )
    x, h = (_Stream(np.ascontiguousarray(W.T), _rows(blocks, width), W.shape[1] - bias) for W, blocks, bias in found)
    return x, h


def _rows(blocks: Sequence[int], width: int) -> Integers | slice:
    """Return the entries of M to which blocks of so many rows add."""
    if tuple(blocks) == tuple(range(len(blocks))):
        return slice(0, len(blocks) * width)
    return accumulator_rows(tuple(blocks), width)


def _forward(
    network: IntegerNetwork,
    streams: tuple[_Stream, _Stream],
    least: tuple[int, int],
    x: Integers,
    packing: Packing,
    tally: Tally,
) -> LayerRan:
    """Run a layer forward; `x` is its packed input, shape (N, I)."""
    arithmetic, formats, samples = network.arithmetic, network.engine.formats, packing.samples
    hats = [np.zeros((samples, stream.width), np.int64) for stream in streams]
    h = np.zeros_like(hats[1])
    state = np.zeros((len(arithmetic.STATE), *h.shape), np.int64)
    memory = np.zeros((samples, arithmetic.ACCUMULATORS * h.shape[1]), np.int64)
    listed: tuple[list[Entries], ...] = ([], [])
    hs, tapes = [], []
    for t, (n, start) in enumerate(zip(packing.active, packing.start, strict=True)):
        memory[:n] *= arithmetic.KEPT
        biased = t == 0 or not arithmetic.KEPT
        for number, (stream, value) in enumerate(zip(streams, (x[start : start + n], h[:n]), strict=True)):
            if stream.adds:
                entries = _encoded(network, stream, value, hats[number][:n], least[number], biased=biased)
                listed[number].append(entries)
                part = memory[:n, stream.rows]  # a view of neighbours, else a copy
                left = integer_products.add(part, entries, stream.W_T, formats.memory)
                tally.add("M", len(entries.rows) * part.shape[1], left)
                memory[:n, stream.rows] = part
        state[:, :n], h[:n], tape = arithmetic.forward(
            _blocks(memory[:n], arithmetic.ACCUMULATORS), state[:, :n], formats
        )
        hs.append(h[:n].copy())
        tapes.append(network.cell.given_back(tape))
    ran = LayerRan(listed, np.concatenate(hs), np.concatenate(tapes, axis=1))
    tally.at_ends("h", ran.h, formats.activation)
    wide = [name in arithmetic.WIDE for name in arithmetic.TAPE]
    tally.at_ends("state", ran.tape[wide], formats.state)
    return ran


def _encoded(
    network: IntegerNetwork, stream: _Stream, value: Integers, hat: Integers, least: int, *, biased: bool
) -> Entries:
    """Return what is listed of `value`, shape (n, W), and move `hat`; `biased` says that bias columns fire."""
    fired, held = network.cell.encoder.result(value.ravel(), hat.ravel(), least, network.engine.formats)
    hat[...] = held.reshape(hat.shape)
    rows, columns = np.divmod(fired.columns, stream.width)
    if not biased or len(stream.W_T) == stream.width:
        return Entries(rows, columns, fired.delta)
    n, bias = len(value), (np.int64(stream.width), np.int64(one(network.engine)))
    rows = np.concatenate([rows, np.arange(n)])
    columns, delta = (
        np.append(found, np.full(n, last)) for found, last in zip((columns, fired.delta), bias, strict=True)
    )
    place = np.argsort(rows, kind="stable")  # the bias is the last entry of its row
    return Entries(rows[place], columns[place], delta[place])


def _read_entries(network: IntegerNetwork, h: Integers, packing: Packing) -> Entries:
    """Return what the read-out takes of h, shape (N, H), and the 1.0 of its bias: all that is not zero."""
    values = network.cell.encoder.emitted(h[rows_read(network, packing)])
    with_one = np.hstack([values, np.full((len(values), 1), one(network.engine))])
    rows, columns = np.nonzero(with_one)
    return Entries(rows, columns, with_one[rows, columns])


def _read_out(
    network: IntegerNetwork,
    matrices: tuple[Integers, Integers],
    batch: Batch,
    ran: Ran,
    order: Integers,
    tally: Tally,
) -> tuple[Integers, Integers]:
    """Return the gradient of each h, shape (N, H), and dW of the read-out; of all rows, taken in `order`.

    `matrices` are W and dW of the read-out before.
    """
    W, before = matrices
    formats, h = network.engine.formats, ran.layers[-1].h
    mode: Any = MODES.load(network.loss)
    g_logits = mode.result(ran.logits, batch.wanted, formats)
    read, W_T = rows_read(network, batch.packing), np.ascontiguousarray(W.T)
    rows, columns = (index.ravel() for index in np.indices((len(read), h.shape[1])))
    g_h = np.zeros_like(h)
    g_h[read] = _through(network, g_logits, Entries(rows, columns, columns), W_T, tally).reshape(-1, h.shape[1])
    entries, dW_T = _read_entries(network, h, batch.packing), before.T.copy()
    order = order if network.readout == "every" else np.arange(len(read))
    left = integer_products.outer(dW_T, g_logits, entries, order, formats.weight_gradient)
    tally.add("dW", len(entries.rows) * len(W), left)
    return g_h, np.ascontiguousarray(dW_T.T)


def _backward(
    network: IntegerNetwork,
    streams: tuple[_Stream, _Stream],
    ran: LayerRan,
    g_above: Integers,
    packing: Packing,
    tally: Tally,
    *,
    wants_input: bool,
) -> tuple[Integers, Integers]:
    """Return g(M) of all steps, shape (N, A*H), and the gradient of the layer's input, (N, I), zero if not wanted."""
    arithmetic, formats, samples = network.arithmetic, network.engine.formats, packing.samples
    g_hats = [np.zeros((samples, stream.width), np.int64) for stream in streams]
    through, carry = np.zeros_like(g_hats[1]), np.zeros_like(g_hats[1])
    later = np.zeros((arithmetic.ACCUMULATORS, *through.shape), np.int64)
    g_memory = np.empty((packing.rows, later.shape[0] * later.shape[2]), np.int64)
    g_x = np.zeros((packing.rows, streams[0].width), np.int64)
    for t in reversed(range(len(packing.active))):
        n, rows = packing.active[t], slice(packing.start[t], packing.start[t] + packing.active[t])
        g_h = fit(g_above[rows] + through[:n], formats.gradient)
        later[:, :n], carry[:n] = arithmetic.backward(g_h, carry[:n], ran.tape[:, rows], later[:, :n], formats)
        g_memory[rows] = later[:, :n].swapaxes(0, 1).reshape(n, -1)
        if streams[1].adds:
            through[:n] = _adjoint(network, streams[1], ran.listed[1][t], g_memory[rows], g_hats[1][:n], tally)
        if wants_input:
            g_x[rows] = _adjoint(network, streams[0], ran.listed[0][t], g_memory[rows], g_hats[0][:n], tally)
    tally.at_ends("g_M", g_memory, formats.gradient)
    return g_memory, g_x


def _adjoint(
    network: IntegerNetwork, stream: _Stream, listed: Entries, g_memory: Integers, g_hat: Integers, tally: Tally
) -> Integers:
    """Return the gradient of a step's values, shape (n, W), and turn `g_hat` into that of the step before."""
    elements = listed.columns < stream.width  # not the bias
    asked = Entries(*(array[elements] for array in listed))
    s = _through(network, g_memory[:, stream.rows], asked, stream.W_T, tally)
    places = asked.rows * stream.width + asked.columns
    g_value, before = network.cell.encoder.adjoint(g_hat.ravel(), places, s, network.engine.formats)
    g_hat[...] = before.reshape(g_hat.shape)
    return g_value.reshape(g_hat.shape)


def _through(network: IntegerNetwork, g: Integers, asked: Entries, W_T: Integers, tally: Tally) -> Integers:
    """Return the gradient of each entry, in ``formats.gradient``, from that of the rows that it adds to."""
    formats = network.engine.formats
    total = integer_products.back(np.ascontiguousarray(g), asked, W_T, network.engine.lanes, formats.backward_sum)
    nearest = move_point(total, formats.backward_sum.fraction_bits, formats.gradient.fraction_bits)
    stored = fit(nearest, formats.gradient)
    tally.rounded("g", total, nearest, stored)
    return stored


def _learned(
    network: IntegerNetwork,
    streams: tuple[_Stream, _Stream],
    first: IntegerLayer,
    ran: LayerRan,
    g_memory: Integers,
    packing: Packing,
    order: Integers,
    tally: Tally,
) -> IntegerLayer:
    """Return dW of a layer, its products taken in `order` of the packed rows and added to what was there `first`."""
    found = []
    for stream, before, listed in zip(streams, first, ran.listed, strict=True):
        dW_T = before.T.copy()
        if stream.adds:
            rows = np.concatenate([entries.rows + start for entries, start in zip(listed, packing.start, strict=True)])
            columns, delta = (np.concatenate([entries[k] for entries in listed]) for k in (1, 2))
            every = Entries(rows, columns, delta)
            number = network.engine.formats.weight_gradient
            left = integer_products.outer(dW_T, g_memory[:, stream.rows], every, order, number)
            tally.add("dW", len(rows) * dW_T.shape[1], left)
        found.append(np.ascontiguousarray(dW_T.T))
    return IntegerLayer(*found)


def _blocks(memory: Integers, count: int) -> Integers:
    """Return M, shape (n, A*H), as its blocks, shape (A, n, H)."""
    return memory.reshape(len(memory), count, -1).swapaxes(0, 1)
