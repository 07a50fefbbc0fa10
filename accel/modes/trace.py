"""Trace: what spikes leave behind them for weights that learn online: a[t] = decay * a[t-1] + s[t], each element.

Xiao et al., NeurIPS 2022 (arXiv 2210.04195): s are the spikes that a matrix is multiplied with at step t. The
element-wise unit reads each trace, multiplies it once, and writes it. It is kept in ``formats.activation``, so that
`accel.modes.outer` takes it as it takes a delta. One that has never been added to is zero.
"""

from __future__ import annotations

import numpy as np

from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.modes import cell_forward
from deltatrain.accel.number import Integers, quantise, round_sum
from deltatrain.accel.work import Counts, Work

UNIT = "elementwise"
WRITES_BACK = False
RETURN_CYCLES: tuple[int, ...] = ()

MULTIPLIES = 1
"""Of an element."""

issue_cycles = cell_forward.issue_cycles
drain_cycles = cell_forward.drain_cycles


def result(trace: Integers, spikes: Integers, formats: Formats, neuron: LeakyNeuron) -> Integers:
    """Return the traces after the op, in ``formats.activation``, shape (W,).

    Parameters
    ----------
    trace
        The same before, zero at a sample's first step, shape (W,).
    spikes
        1 where one was listed, else 0, shape (W,).
    formats
        The engine's formats.
    neuron
        Whose leak the traces have.
    """
    gate, activation = formats.gate.fraction_bits, formats.activation
    leaking = quantise(np.array(neuron.decay), formats.gate) * trace
    return round_sum(activation, (leaking, gate + activation.fraction_bits), (spikes, 0))


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions; `count` is the number of elements."""
    moved = count * engine.formats.activation.bytes
    return Work(multiplies=count * MULTIPLIES, local_read_bytes=moved, local_write_bytes=moved)
