"""Placement: the memory and the address of every tensor of a training step on a described machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.arrays import sums_bytes
from deltatrain.accel.column import accumulator_words, column_words
from deltatrain.accel.column_cache import Lines
from deltatrain.accel.errors import FitError
from deltatrain.accel.memory import Home
from deltatrain.accel.op_table import Stream
from deltatrain.accel.program import CACHE
from deltatrain.accel.tensor import Tensor
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.accel.tiles import own_elements
from deltatrain.workloads.lowering.memory_map import LISTS_AHEAD, MemoryMap, Region
from deltatrain.workloads.lowering.shape import Shape

LISTS_RECEIVED = 2
"""How many received lists of each stream a tile holds: one is worked through while the next comes."""

SUMS_WAITING = 2
"""Products with sums over the tiles that a tile holds: one is made while the other is added up."""

GRADIENTS_OF_WORDS = 2
"""Gradients of looked up words that a tile holds: one is made while the other is added to the table's."""


@dataclass(frozen=True)
class Demand:
    """What a training step needs room for besides the matrices, in bytes; of local memory, in the tile that needs most.

    Attributes
    ----------
    inputs
        All samples' input vectors.
    tape
        The tape of the sample with the largest tape.
    tape_slots
        Room for the tape of every step in off-chip memory.
    tape_buffer
        Local room for steps of the tape in flight, where the tape lives off-chip.
    loss
        The gradients of all logits of the sample with the most logits. The forward pass makes them, and the backward
        pass uses them from the last to the first.
    read
        h of the last layer at the steps that are classified, but for one, which `state_bytes` counts.
    """

    inputs: int
    tape: int
    tape_slots: int
    tape_buffer: int
    loss: int
    read: int


@dataclass(frozen=True)
class Placed:
    """Homes and addresses.

    Attributes
    ----------
    tensors
        The matrices W and dW.
    tape_remote
        Whether the tape lives in off-chip memory.
    tape_address, input_address, state_address
        First remote byte of the tape, of the input vectors and of the states kept.
    local_bytes, remote_bytes
        What each memory holds, by use.
    """

    tensors: tuple[Tensor, ...]
    tape_remote: bool
    tape_address: int
    input_address: int
    local_bytes: dict[str, int]
    remote_bytes: dict[str, int]
    state_address: int = 0

    def index(self, kind: TensorKind, stream: Stream, layer: int) -> int:
        """Return the number of a tensor."""
        wanted = (kind, stream, layer)
        return next(i for i, one in enumerate(self.tensors) if (one.kind, one.stream, one.layer) == wanted)


class MatrixSize(NamedTuple):
    """The rows of a weight matrix, its words a column and its columns; the latter two in the tile with the most."""

    rows: int
    words: int
    columns: int


def matrices(shape: Shape, architecture: Architecture) -> dict[tuple[Stream, int], MatrixSize]:
    """Return the size of each weight matrix, by the stream that it is multiplied with and the layer.

    Gates lie one behind the other (`accel.column`). A bias is a last column that fires once, at step 0. Several tiles
    share the rows of a matrix. The read-out has few rows, so they share its columns: each tile has the columns of its
    own neurons, and the first tile has the bias.
    """
    lanes, tiles, arithmetic = architecture.engine.lanes, architecture.tiles.count, shape.arithmetic
    found: dict[tuple[Stream, int], MatrixSize] = {}
    for layer, (inputs, width) in enumerate(zip(shape.inputs, shape.hidden, strict=True)):
        of_streams: tuple[tuple[Stream, int, int, bool], ...] = (
            ("x", len(arithmetic.BLOCKS_X), inputs, arithmetic.BIAS_X),
            ("h", len(arithmetic.BLOCKS_H), width, arithmetic.BIAS_H),
        )
        for stream, blocks, columns, bias in of_streams:
            if blocks:
                words = column_words(blocks, width, lanes, tiles)
                found[stream, layer] = MatrixSize(blocks * width, words, columns + bias)
    own = own_most(architecture, shape.hidden[-1])
    found["readout", len(shape.hidden) - 1] = MatrixSize(shape.classes, column_words(1, shape.classes, lanes), own + 1)
    return found


def signal_matrices(shape: Shape, architecture: Architecture) -> dict[tuple[Stream, int], MatrixSize]:
    """Return the sizes of the matrices that bring the read-out's gradient to each layer below the last (e-prop).

    They lie as the read-out does, without a bias, and are never updated. Where no gradient is broadcast there are none.
    """
    words = column_words(1, shape.classes, architecture.engine.lanes)
    below = enumerate(shape.hidden[:-1] if shape.broadcasts else ())
    return {
        ("readout", layer): MatrixSize(shape.classes, words, own_most(architecture, width)) for layer, width in below
    }


def rows_of(tensor: Tensor, shape: Shape, architecture: Architecture) -> int:
    """Return the rows of a matrix's columns, over all tiles."""
    if tensor.stream == "words":
        return word_table(shape, architecture).rows
    sizes = matrices(shape, architecture) | signal_matrices(shape, architecture)
    return sizes[tensor.stream, tensor.layer].rows


def word_table(shape: Shape, architecture: Architecture) -> MatrixSize:
    """Return the size of the table of words: a column for each word, as one burst off-chip; tiles share its rows."""
    width = shape.inputs[0]
    words = column_words(1, width, architecture.engine.lanes, architecture.tiles.count)
    return MatrixSize(width, words, shape.words)


def own_most(architecture: Architecture, width: int) -> int:
    """Return how many of `width` neurons, or elements of a vector, belong to the tile with the most of them."""
    return _own_most(width, architecture.engine.lanes, architecture.tiles.count)


@lru_cache(maxsize=1 << 10)
def _own_most(width: int, lanes: int, tiles: int) -> int:
    return int(own_elements(width, lanes, tiles).max())


def place(architecture: Architecture, shape: Shape, demand: Demand) -> Placed:
    """Return the home of every tensor; room is taken in the order state, weights, gradients, tape.

    Raises
    ------
    FitError
        If something does not fit the memory it must live in; the message names it and the missing bytes.
    """
    local = {
        "state": state_bytes(architecture, shape) + demand.loss + demand.read,
        "column buffer": architecture.dma.buffer_bytes,
    }
    if architecture.column_cache is not None and architecture.column_cache.own_bytes is not None:
        local[CACHE] = architecture.column_cache.own_bytes
    if architecture.engine.arrays > 1:
        most = max(size.words for size in matrices(shape, architecture).values())
        local["sums of arrays"] = sums_bytes(architecture.engine, most)
    if architecture.tiles.count > 1:
        local["exchange buffers"] = exchange_bytes(architecture, shape)
    *first, last = ["the neurons' state", *(f"the {use}" for use in list(local)[1:])]
    _check(f"{', '.join(first)} and {last}", sum(local.values()), architecture, "local")
    remote: dict[str, int] = {}
    tensors: list[Tensor] = []
    placement = architecture.placement
    kinds: tuple[tuple[TensorKind, Home, int], ...] = (
        ("weights", placement.weights, architecture.weight_word_bytes),
        ("gradients", placement.gradients, architecture.gradient_word_bytes),
        ("moments", placement.gradients, 2 * architecture.gradient_word_bytes),  # mean and square
    )
    of_weights = matrices(shape, architecture)
    used = (2 + ("moments" in shape.updates)) if shape.learns else 1
    for kind, home, word_bytes in kinds[:used]:
        sizes = of_weights | (signal_matrices(shape, architecture) if kind == "weights" else {})
        needed = sum(size.words * size.columns for size in sizes.values()) * word_bytes
        is_remote = _settle(kind, needed // architecture.tiles.count, home, architecture, local, remote, needed)
        address = sum(remote.values()) - needed if is_remote else 0
        for (stream, layer), size in sizes.items():
            tensors.append(Tensor(kind, stream, layer, is_remote, address, size.columns, size.words, word_bytes))
            address += tensors[-1].bytes
    if shape.words:
        tensors += _word_tables(architecture, shape, remote)
    tape_home = architecture.checkpoint.tape_home or placement.tape
    tape_remote = _settle("tape", demand.tape, tape_home, architecture, local, remote, demand.tape_slots)
    tape_address = sum(remote.values()) - demand.tape_slots if tape_remote else 0
    if tape_remote:
        local["tape buffer"] = demand.tape_buffer
        _check("the buffer for steps of the tape", sum(local.values()), architecture, "local")
    remote["inputs"] = demand.inputs
    _check("weights, gradients, tape and inputs", sum(remote.values()), architecture, "remote")
    input_address = sum(remote.values()) - demand.inputs
    return Placed(tuple(tensors), tape_remote, tape_address, input_address, local, remote)


def _word_tables(architecture: Architecture, shape: Shape, remote: dict[str, int]) -> list[Tensor]:
    """Return the table of words and that of their gradients, and book them: off-chip, where all input comes from."""
    size, tables = word_table(shape, architecture), []
    kinds: tuple[tuple[TensorKind, str, int], ...] = (
        ("weights", "words", architecture.weight_word_bytes),
        ("gradients", "gradients of words", architecture.gradient_word_bytes),
    )
    for kind, use, word_bytes in kinds if shape.learns else kinds[:1]:
        address = sum(remote.values())
        tables.append(Tensor(kind, "words", 0, True, address, size.columns, size.words, word_bytes))
        remote[use] = tables[-1].bytes
    return tables


def place_kept(placed: Placed, architecture: Architecture, local: dict[str, int], remote: dict[str, int]) -> Placed:
    """Return `placed` with what a checkpoint schedule keeps, which lies behind all else in each memory.

    Parameters
    ----------
    placed
        Everything else, with no tape.
    local, remote
        Bytes by use; in off-chip memory those of ``tape`` and ``checkpoints``, which lie in that order.

    Raises
    ------
    FitError
        If it does not fit.
    """
    address = sum(placed.remote_bytes.values())
    local_bytes, remote_bytes = placed.local_bytes | local, placed.remote_bytes | remote
    tape_slots_bytes = remote.get("tape", 0)
    _check("tapes and checkpoints", sum(local_bytes.values()), architecture, "local")
    _check("tapes and checkpoints", sum(remote_bytes.values()), architecture, "remote")
    return replace(
        placed,
        tape_remote=tape_slots_bytes > 0,
        tape_address=address,
        state_address=address + tape_slots_bytes,
        local_bytes=local_bytes,
        remote_bytes=remote_bytes,
    )


def with_cache(local: dict[str, int], tensors: Sequence[Tensor], architecture: Architecture) -> dict[str, int]:
    """Return what local memory holds, by use, with a column cache in the rest of it if the machine has such a one.

    It has no more sets than hold all columns of the matrices `tensors`, and none where it would be smaller than the
    column buffer.

    Raises
    ------
    FitError
        If the rest holds no set of lines, and any of the matrices `tensors` is off-chip.
    """
    cache = architecture.column_cache
    if cache is None or cache.own_bytes is not None:
        return local
    others = {use: size for use, size in local.items() if use != CACHE}
    taken, a_set = sum(others.values()), cache.ways * cache.line_bytes
    room = architecture.local.bytes - taken
    if room < architecture.dma.buffer_bytes:  # it would hold less than is on its way, and what misses wait for its sets
        return others | {CACHE: 0}
    sets = architecture.cache_sets(room)
    if not sets and any(tensor.remote for tensor in tensors):
        _check(f"a set of the column cache ({a_set} bytes)", taken + a_set, architecture, "local")
    lines = len(Lines.of(tuple(tensors), architecture.tiles.count * cache.line_bytes).words)
    return others | {CACHE: min(sets, -(-lines // cache.ways)) * a_set}


def memory_map(architecture: Architecture, shape: Shape) -> MemoryMap:
    """Return the map of what every step works on, in the tile with the most neurons."""
    engine, arithmetic = architecture.engine, shape.arithmetic
    lanes, formats, layers = engine.lanes, engine.formats, range(len(shape.hidden))
    inputs = [own_most(architecture, width) for width in shape.inputs]
    widths = tuple(own_most(architecture, width) for width in shape.hidden)
    gradient_bytes = formats.gradient.bytes if shape.learns else 0
    with_gradient = formats.activation.bytes + gradient_bytes

    def of_layers(vectors: int, element_bytes: int) -> Region:
        return Region(lanes, widths, (vectors,) * len(widths), element_bytes)

    held = tuple(width for layer in layers for width in (inputs[layer], widths[layer]))
    accumulators = tuple(lanes * accumulator_words(arithmetic, width, lanes) for width in widths)
    places = (1 + inputs_on_way(architecture),)
    return MemoryMap(
        inputs=Region(lanes, (inputs[0],), places, formats.activation.bytes, padded=False),
        memory=Region(lanes, accumulators, (1,) * len(widths), 2 * (formats.memory.bytes + gradient_bytes)),
        held=Region(lanes, held, (int(shape.encoder.HELD),) * len(held), with_gradient, padded=False),
        h=of_layers(2, with_gradient),
        state=of_layers(len(arithmetic.STATE), formats.state.bytes + gradient_bytes),
        logits=Region(lanes, (shape.classes,), (1,), formats.memory.bytes, padded=False),
    )


def state_bytes(architecture: Architecture, shape: Shape) -> int:
    """Return the local bytes of what every step works on, with the lists of the next sample that are made ahead.

    Where words learn, the gradients of what was looked up are among it.
    """
    entry_bytes: int = shape.encoder.list_entry_bytes(architecture.engine)
    own_inputs = own_most(architecture, shape.inputs[0])
    of_words = GRADIENTS_OF_WORDS * own_inputs if shape.words and shape.learns else 0
    gradients_bytes = of_words * architecture.engine.formats.gradient.bytes
    return memory_map(architecture, shape).bytes + LISTS_AHEAD * own_inputs * entry_bytes + gradients_bytes


def inputs_on_way(architecture: Architecture) -> int:
    """Return how many input vectors may be on their way from off-chip memory while another is in use."""
    return max(2, architecture.dma.in_flight)


def exchange_bytes(architecture: Architecture, shape: Shape) -> int:
    """Return the local bytes that a tile needs for what comes from the other tiles, and for sums that go to them.

    They hold the lists of `LISTS_RECEIVED` steps of each stream, in the same room forward and backward, and the sums of
    `SUMS_WAITING` products with as many steps' logits.
    """
    engine = architecture.engine
    recurrent = sum(shape.hidden) if shape.arithmetic.BLOCKS_H else 0
    lists: int = LISTS_RECEIVED * (sum(shape.inputs) + recurrent) * shape.encoder.list_entry_bytes(engine)
    sums = max(shape.hidden) * engine.formats.backward_sum.bytes
    return lists + SUMS_WAITING * (sums + shape.classes * engine.formats.memory.bytes)


def _settle(
    use: str,
    needed: int,
    home: str,
    architecture: Architecture,
    local: dict[str, int],
    remote: dict[str, int],
    needed_remote: int,
) -> bool:
    """Book `needed` bytes locally or `needed_remote` remotely, as `home` says; tell whether they are remote."""
    taken = sum(local.values())
    field = "gradients" if use == "moments" else use
    if home == "local":
        policy = architecture.checkpoint.policy if use == "tape" else None
        asked = f"checkpoint.policy = {policy!r}" if policy else f"placement.{field} = 'local'"
        _check(f"{use} ({asked})", taken + needed, architecture, "local")
    if home == "remote" or (home == "auto" and taken + needed > architecture.local.bytes):
        remote[use] = needed_remote
        return True
    local[use] = needed
    return False


def _check(what: str, needed: int, architecture: Architecture, memory: Literal["local", "remote"]) -> None:
    capacity = getattr(architecture, memory).bytes
    each = " in each tile" if memory == "local" and architecture.tiles.count > 1 else ""
    if needed > capacity:
        raise FitError(
            f"{memory}.bytes = {capacity} is too small: with {what}, {needed} bytes must fit{each}, "
            f"{needed - capacity} bytes are missing"
        )
