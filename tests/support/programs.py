"""Random machines, networks and recorded steps, small enough to follow cycle by cycle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cache import Cache
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.errors import FitError
from deltatrain.accel.program import Program
from deltatrain.workloads.lowering.lists import Begun
from deltatrain.workloads.lowering.lowering import lower, lower_dense
from deltatrain.workloads.lowering.online.lowering import lower_online, lower_online_dense
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.sparse_columns import compressed
from deltatrain.workloads.trace import RecordedStep

DELTA_CELLS = ("gru", "lstm", "rnn")
SPIKING_CELLS = ("lif", "lif_recurrent")
EVERY_CELL = CELL_ARITHMETIC.names()
HOMES = st.sampled_from(["local", "remote"])


def recorded_step(
    shape: Shape, lengths: np.ndarray, occupancy: float, seed: int, *, carried: bool = False
) -> RecordedStep:
    """Return masks in which every delta that can fire does so with probability `occupancy`.

    Of a spiking network as many elements again are gradient-only. Words are drawn where there is a table of them.
    """
    random = np.random.default_rng(seed)
    steps = int(lengths.max())
    valid = np.arange(steps)[:, None] < lengths
    recurrent = valid & (carried | (np.arange(steps) > 0))[:, None]

    def masks(widths: tuple[int, ...], possible: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple((random.random((*possible.shape, w)) < occupancy) & possible[:, :, None] for w in widths)

    recurrent &= bool(shape.arithmetic.BLOCKS_H)
    fired_x, fired_h = masks(shape.inputs, valid), masks(shape.hidden, recurrent)
    if shape.encoder.HELD:
        words = valid * random.integers(0, shape.words, valid.shape) if shape.words else None
        return RecordedStep(0, 0, lengths, fired_x, fired_h, words=words, carried=carried)
    asked_x, asked_h = (
        tuple(one | other for one, other in zip(fired, masks(widths, possible), strict=True))
        for fired, widths, possible in ((fired_x, shape.inputs, valid), (fired_h, shape.hidden, recurrent))
    )
    return RecordedStep(0, 0, lengths, fired_x, fired_h, asked_x, asked_h)


@st.composite
def shapes(draw: st.DrawFn, widest: int = 20, cells: tuple[str, ...] = DELTA_CELLS) -> Shape:
    """Return the sizes of a small network of one of `cells`, members of `accel.cells`."""
    hidden = tuple(draw(st.lists(st.integers(1, widest), min_size=1, max_size=3)))
    arithmetic = CELL_ARITHMETIC.load(draw(st.sampled_from(cells)))
    inputs = (draw(st.integers(1, widest)), *hidden[:-1])
    return Shape(
        arithmetic, inputs, hidden, draw(st.integers(1, 6)), code_bits=draw(st.sampled_from([None, None, 1, 3, 7]))
    )


ARRAYS = (2, 2, 4, 4, 3, 8)
"""Arrays of machines that have several."""


@st.composite
def architectures(draw: st.DrawFn, most_tiles: int = 1, arrays: tuple[int, ...] = (1,)) -> Architecture:
    """Return a preset with other lanes, ports, clocks, homes and number of tiles; always with room enough."""
    lanes, several = draw(st.integers(1, 9)), draw(st.sampled_from(arrays))
    formats: dict[str, Any] = {
        "engine.lanes": lanes,
        "engine.clock_hz": draw(st.sampled_from([100_000_000, 125_000_000, 300_000_000, 999_999_937])),
        "engine.encoder_elements": draw(st.integers(1, 8)),
        "engine.elementwise_lanes": draw(st.integers(1, 8)),
        "local.bytes": 2**21,
        "remote.bytes": 2**24,
        "remote.channels": draw(st.sampled_from([1, 1, 2, 4])),
        "dma.bytes_per_cycle": draw(st.sampled_from([1, 2, 3, 4, 8, 12, 16, 32, 64])),
        "engine.arrays": several,
        "dma.buffer_bytes": 12 * several * lanes + draw(st.sampled_from([0, 1, 7, 40, 300, 3000])),
        "dma.request_cycles": draw(st.integers(0, 8)),
        "dma.in_flight": draw(st.sampled_from([1, 1, 2, 3])),
        "dma.columns_in_flight": draw(st.sampled_from([None, None, None, 1, 2])),
        "placement.weights": draw(HOMES),
        "placement.gradients": draw(HOMES),
        "placement.tape": draw(HOMES),
    }
    if most_tiles > 1:
        formats["tiles.count"] = draw(st.integers(2, most_tiles))
        formats["tiles.exchange_bytes_per_cycle"] = draw(st.integers(1, 8))
        formats[f"tiles.{draw(st.sampled_from(['exchange_latency_cycles', 'hop_cycles']))}"] = draw(st.integers(0, 20))
    return Architecture.named(draw(st.sampled_from(["tiny", "edge", "reneta"])), formats | {"cache.bytes": 0})


@st.composite
def other_schedules(draw: st.DrawFn, architecture: Architecture) -> Architecture:
    """Return the machine as it is or, now and then, working in turn and with cycles of its own for cells and layers."""
    if draw(st.sampled_from([True, True, False])):
        return architecture
    stated = {
        "in_turn": draw(st.booleans()),
        "neuron_cycles": draw(st.sampled_from([None, 1, 7])),
        "layer_cycles": draw(st.sampled_from([None, 0, 30])),
    }
    streams = bool(stated["in_turn"]) and draw(st.booleans()) and architecture.engine.arrays == 1
    engine = architecture.engine.model_copy(update=stated | {"list_streams": streams})
    return architecture.model_copy(update={"engine": engine})


@st.composite
def recordings(draw: st.DrawFn, shape: Shape, most_steps: int = 6, *, carried: bool = False) -> RecordedStep:
    lengths = np.array(draw(st.lists(st.integers(1, most_steps), min_size=1, max_size=3)))
    occupancy, seed = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])), draw(st.integers(0, 2**16))
    return recorded_step(shape, lengths, occupancy, seed, carried=carried)


READOUTS = st.sampled_from(["last", "every"])


def _in_groups(architecture: Architecture, steps: int, gradients: str) -> Architecture:
    placement = architecture.placement.model_copy(update={"tape": "local", "gradients": gradients})
    engine = architecture.engine.model_copy(update={"outer_steps": steps})
    return architecture.model_copy(update={"placement": placement, "engine": engine})


@st.composite
def sparse_programs(
    draw: st.DrawFn,
    widest: int = 20,
    most_steps: int = 4,
    arrays: tuple[int, ...] = (1,),
    most_tiles: int = 1,
    groups: tuple[int, ...] = (1,),
) -> tuple[Program, Shape, list[np.ndarray]]:
    """Return the program of a random training step on compressed columns, its shape, and which weights exist.

    Where weight gradients of several steps are one op, the tape is local, and there may be a column cache.
    """
    architecture, shape = draw(architectures(most_tiles, arrays)), draw(shapes(widest))
    if max(groups) > 1:
        architecture = _in_groups(
            architecture, draw(st.sampled_from(groups)), draw(st.sampled_from(["remote", "local"]))
        )
        architecture = draw(with_caches(architecture)) if draw(st.booleans()) else architecture
    step, readout = draw(recordings(shape, most_steps)), draw(READOUTS)
    random, density = np.random.default_rng(draw(st.integers(0, 2**16))), draw(st.sampled_from([0.0, 0.1, 0.3]))
    arithmetic = shape.arithmetic
    sizes = []
    for inputs, width in zip(shape.inputs, shape.hidden, strict=True):
        sizes += [(len(arithmetic.BLOCKS_X) * width, inputs), (len(arithmetic.BLOCKS_H) * width, width)]
    weights = [random.random(size) < density for size in (*sizes, (shape.classes, shape.hidden[-1]))]
    try:
        return compressed(lower(architecture, shape, step, readout), shape, weights), shape, weights
    except FitError:
        reject()


@st.composite
def with_caches(
    draw: st.DrawFn, architecture: Architecture, policies: tuple[str, ...] = ("lru", "reverse")
) -> Architecture:
    """Return the machine with a column cache, mostly of a few lines."""
    longest = max(architecture.weight_word_bytes, architecture.gradient_word_bytes) // architecture.tiles.count
    line_bytes = draw(st.integers(longest, max(longest, min(8 * longest, architecture.dma.buffer_bytes // 2))))
    ways, sets = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    rest = ["auto"] * (architecture.tiles.count == 1)
    cache = Cache(
        bytes=draw(st.sampled_from([ways * sets * line_bytes, 40 * ways * line_bytes, *rest])),
        ways=ways,
        line_bytes=line_bytes,
        policy=draw(st.sampled_from(policies)),
    )
    homes = draw(st.sampled_from([{"weights": "remote", "gradients": "remote"}, {}]))
    placement = architecture.placement.model_copy(update=homes)
    return Architecture.model_validate(
        architecture.model_copy(update={"cache": cache, "placement": placement}).model_dump()
    )


@st.composite
def cached_programs(draw: st.DrawFn, widest: int = 20, most_steps: int = 6, most_tiles: int = 1) -> Program:
    """Return the program of a random training step on a machine with a column cache."""
    shape = draw(shapes(widest, EVERY_CELL))
    architecture = draw(with_caches(draw(other_schedules(draw(architectures(most_tiles))))))
    words = draw(st.sampled_from([0, 0, 7])) if shape.encoder.HELD else 0
    shape = replace(shape, learns=draw(st.sampled_from([True, True, False])), words=words)
    return lower(architecture, shape, draw(recordings(shape, most_steps)), draw(READOUTS))


@st.composite
def grouped_programs(draw: st.DrawFn, widest: int = 20, most_steps: int = 6) -> Program:
    """Return the program of a random training step whose weight gradients are grouped, with a column cache or without.

    The tape is local.
    """
    architecture, shape = draw(architectures()), draw(shapes(widest, EVERY_CELL))
    home = draw(st.sampled_from(["remote", "remote", "remote", "local"]))
    architecture = _in_groups(architecture, draw(st.sampled_from([2, 3, 5, 40])), home)
    if draw(st.sampled_from([False, False, True])):
        architecture = draw(with_caches(architecture))
    shape = replace(shape, words=draw(st.sampled_from([0, 0, 7])) if shape.encoder.HELD else 0)
    carried = shape.encoder.HELD > 0 and draw(st.sampled_from([False, False, True]))
    lengths = np.array(draw(st.lists(st.integers(2, most_steps), min_size=1, max_size=2)))
    occupancy, seed = draw(st.sampled_from([0.2, 0.5, 0.8])), draw(st.integers(0, 2**16))
    step, readout = recorded_step(shape, lengths, occupancy, seed, carried=carried), draw(READOUTS)
    if draw(st.sampled_from([True, True, False])):
        return lower(architecture, shape, step, readout)
    return lower_dense(architecture, shape, step.lengths, readout, begun=Begun(carried, step.words))


@st.composite
def optimised_programs(draw: st.DrawFn, widest: int = 20, most_steps: int = 4) -> Program:
    """Return the program of a random training step with another optimiser than plain gradient descent."""
    architecture, shape = draw(architectures()), draw(shapes(widest, EVERY_CELL))
    if draw(st.sampled_from([True, False, False])):
        architecture = draw(with_caches(architecture))
    updates = draw(
        st.sampled_from([("norm", "update"), ("moments", "update"), ("update_momentum",), ("update_decay",)])
    )
    buffer_bytes = max(architecture.dma.buffer_bytes, 6 * architecture.gradient_word_bytes)
    dma = architecture.dma.model_copy(update={"buffer_bytes": buffer_bytes})
    shape, step = replace(shape, updates=updates), draw(recordings(shape, most_steps))
    return lower(architecture.model_copy(update={"dma": dma}), shape, step, draw(READOUTS))


@st.composite
def programs(
    draw: st.DrawFn, widest: int = 20, most_steps: int = 6, most_tiles: int = 1, arrays: tuple[int, ...] = (1,)
) -> Program:
    """Return the program of a random training step, dense or of what fired; of several tiles if there may be more.

    Now and then its input are words, or its samples go on from a state.
    """
    architecture, shape = draw(architectures(most_tiles, arrays)), draw(shapes(widest, EVERY_CELL))
    words = draw(st.sampled_from([0, 0, 1, 7])) if shape.encoder.HELD else 0
    carried = shape.encoder.HELD > 0 and draw(st.sampled_from([False, False, True]))
    architecture, shape = (
        draw(other_schedules(architecture)),
        replace(shape, learns=draw(st.sampled_from([True, False])), words=words),
    )
    step, readout = draw(recordings(shape, most_steps, carried=carried)), draw(READOUTS)
    if draw(st.booleans()):
        return lower_dense(architecture, shape, step.lengths, readout, begun=Begun(carried, step.words))
    return lower(architecture, shape, step, readout)


@st.composite
def online_programs(draw: st.DrawFn, widest: int = 20, most_steps: int = 6) -> Program:
    """Return the program of a random training step that learns online, with a column cache or without."""
    architecture, shape = draw(architectures()), draw(shapes(widest, SPIKING_CELLS))
    if draw(st.sampled_from([True, False, False])):
        architecture = draw(with_caches(architecture))
    shape = replace(shape, online=True, broadcasts=draw(st.booleans()), code_bits=None)
    step, readout = draw(recordings(shape, most_steps)), draw(READOUTS)
    if draw(st.sampled_from([True, False, False])):
        return lower_online_dense(architecture, shape, step.lengths, readout)
    return lower_online(architecture, shape, step, readout)
