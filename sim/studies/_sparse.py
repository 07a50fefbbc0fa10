"""Counts the columns of a training with sparse weights, as an engine with a number of lanes would hold them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.column import column_words
from deltatrain.accel.engine import Engine
from deltatrain.sim.studies._training import state_path
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.dataset import recordings_of
from deltatrain.workloads.lowering.sparse_columns import compressed_words, matrix_bytes
from deltatrain.workloads.network.network import from_flat
from deltatrain.workloads.trace import RecordedStep
from deltatrain.workloads.training import learning_state
from deltatrain.workloads.training.training import sizes_of
from deltatrain.workloads.workload import Workload


@cache
def engine() -> Engine:
    """Return the engine to count for: that of the preset `edge`."""
    return Architecture.named("edge").engine


class Stream(NamedTuple):
    """A matrix of a layer, and how its columns fired in the recorded step.

    Attributes
    ----------
    mask
        Which weights exist, shape (gates * H, C).
    fired
        How often each column fired, shape (C,).
    phases
        How many of the phases FP, BP and WG use it.
    """

    mask: Array
    fired: Array
    phases: int


class Columns(NamedTuple):
    """Sums over FP, BP and WG of the last recorded step, without the read-out.

    Attributes
    ----------
    macs, whole_macs
        Multiply-accumulates of the columns that fired: with the weights that exist, and with all weights.
    words, whole_words
        Issue cycles of those columns: compressed, and whole.
    bytes, whole_bytes
        Bytes of the matrices: compressed, with index and table; and whole.
    gate_density
        Share of weights in each gate of the recurrent matrices, all layers, shape (gates,).
    """

    macs: int
    whole_macs: int
    words: int
    whole_words: int
    bytes: int
    whole_bytes: int
    gate_density: Array


def columns(workload: Workload, folder: Path) -> Columns:
    """Return the sums of a finished training, whose state is in `folder`."""
    sizes = sizes_of(workload, recordings_of(workload.dataset))
    state = learning_state.load(state_path(workload, folder), workload.digest())
    layers, blocks = from_flat(state.mask, sizes).layers, len(sizes.cell.TARGETS_H)
    streams = [
        stream
        for number, layer in enumerate(layers)
        for stream in _streams(number, layer.W_x, layer.W_h, state.recorded[-1])
    ]
    lanes, bits = engine().lanes, engine().formats.weight.bits
    recurrent = np.concatenate([layer.W_h.reshape(blocks, -1) for layer in layers], axis=1)
    return Columns(
        macs=sum(int(s.fired @ s.mask.sum(axis=0)) * s.phases for s in streams),
        whole_macs=sum(int(s.fired.sum()) * len(s.mask) * s.phases for s in streams),
        words=sum(int(s.fired @ compressed_words(s.mask, lanes)) * s.phases for s in streams),
        whole_words=sum(int(s.fired.sum()) * column_words(1, len(s.mask), lanes) * s.phases for s in streams),
        bytes=sum(matrix_bytes(s.mask, lanes, bits) for s in streams),
        whole_bytes=sum(column_words(1, len(s.mask), lanes) * s.mask.shape[1] * lanes * bits // 8 for s in streams),
        gate_density=recurrent.mean(axis=1),
    )


def _streams(number: int, mask_x: Array, mask_h: Array, step: RecordedStep) -> Iterator[Stream]:
    """Yield the two matrices of a layer. The first layer needs no gradient of its input."""
    yield Stream(mask_x, step.fired_x[number].sum(axis=(0, 1)), 3 if number else 2)
    yield Stream(mask_h, step.fired_h[number].sum(axis=(0, 1)), 3)
