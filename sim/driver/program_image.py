"""A program as it lies in memory, and where in memory everything is that it works on: made once for each shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.hdl import Shape as BitShape
from amaranth.lib import data
from numpy.typing import NDArray

from deltatrain.accel.bus.program_format import HEADER, RECORD_UNITS, WORD_BYTES
from deltatrain.accel.bus.registers import NO_THRESHOLD, THRESHOLDS
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.number import Integers
from deltatrain.accel.program import STREAMS, UNITS
from deltatrain.accel.tensor import Tensor
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.rtl.bus.channels import MOST_BEAT_BYTES
from deltatrain.rtl.bus.facts import identity
from deltatrain.rtl.bus.results import item_bytes
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.tile import Tile
from deltatrain.sim.driver.accepted import accepted
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.sim.gates.commands import Commands
from deltatrain.sim.gates.images import Images, from_bytes, to_bytes
from deltatrain.sim.gates.layout import Layout
from deltatrain.sim.gates.run import tile_for
from deltatrain.sim.gates.step import NumberedStep
from deltatrain.workloads.training.integer_parameters import IntegerParameters
from deltatrain.workloads.training.integer_training import read_steps

__all__ = ["Matrix", "ProgramImage", "Region", "Target", "program_image"]

ALIGNMENT_BYTES = MOST_BEAT_BYTES
"""Regions begin at multiples of it: whole beats of any core."""

_WORD_BITS = 8 * WORD_BYTES
_MOST_WORDS = HEADER["words"].mask >> HEADER["words"].low


@dataclass(frozen=True)
class Region:
    """A piece of memory, where the program's requests of one kind are.

    Attributes
    ----------
    offset, size_bytes
        First byte, from the start of the driver's memory on, and how many.
    first_address
        The request's address of the first byte: a base address is the difference.
    """

    offset: int
    size_bytes: int
    first_address: int = 0

    def base(self, memory: int) -> int:
        """Return what the machine adds to the addresses of requests where the driver's memory starts at `memory`."""
        return (memory + self.offset - self.first_address) & 0xFFFF_FFFF


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix W or dW in memory.

    Attributes
    ----------
    name, kind, shape
        Of the tensor; rows and columns.
    offset
        First byte, from the start of the driver's memory on.
    value_bytes
        Bytes of a value, two's complement, the lowest first.
    column_values
        Values of a column in memory, those included that fill up words.
    positions
        Which of them each row is, shape (rows,).
    """

    name: str
    kind: TensorKind
    shape: tuple[int, int]
    offset: int
    value_bytes: int
    column_values: int
    positions: NDArray[np.int64]

    @property
    def size_bytes(self) -> int:
        """Bytes of the matrix in memory."""
        return self.shape[1] * self.column_values * self.value_bytes


@dataclass(frozen=True)
class Target:
    """Where a program says what is wanted: bits of the image, counted from its lowest bit on."""

    bit: int
    bits: int


@dataclass(frozen=True, eq=False)
class ProgramImage:
    """A program for all steps of a shape.

    Attributes
    ----------
    shape
        Of the steps.
    made_from
        Of the tile that it is for (`rtl.tile.Tile`).
    commands
        The records, see `accel.bus.program_format`.
    finishes
        Ops of each unit.
    regions
        Where the program is, and what its requests are for: "program", and each of `accel.bus.registers.BASES`.
    memory_bytes
        Memory that the driver needs, from an address on that is a multiple of `ALIGNMENT_BYTES`.
    matrices
        All W, then all dW.
    vectors
        Offset of the input vector of each step of each sample.
    vector_values, vector_value_bytes
        Values of an input vector, F, and bytes of each.
    targets
        For each sample what is wanted of it, in the order of `TrainingShape.targets`.
    sizes
        Of the tile.
    """

    shape: TrainingShape
    made_from: str
    commands: bytes
    finishes: dict[str, int]
    regions: dict[str, Region]
    memory_bytes: int
    matrices: tuple[Matrix, ...]
    vectors: tuple[tuple[int, ...], ...]
    vector_value_bytes: int
    targets: tuple[tuple[Target, ...], ...]
    sizes: TileSizes

    @property
    def identity(self) -> int:
        """The identity of the machine that the program is for."""
        return identity(self.made_from)

    @property
    def labels_range(self) -> tuple[int, int]:
        """The least and the most that can be wanted: of classes, or of what bits in two's complement hold."""
        if self.shape.network.loss != "squared_loss":
            return 0, self.shape.classes - 1
        bits = self.targets[0][0].bits
        return -(1 << bits - 1), (1 << bits - 1) - 1

    @property
    def packets(self) -> tuple[int, int]:
        """How many packets of results a run forward gives, one for each step that is read out, and values of each."""
        return len(read_steps(self.shape.network, sum(self.shape.lengths))), self.shape.classes

    @property
    def result_bytes(self) -> int:
        """Bytes of a value of a packet of results, two's complement, the lowest first."""
        return item_bytes(self.shape.architecture.engine.formats.memory.bits)

    def named(self, parameters: IntegerParameters) -> dict[str, Integers]:
        """Return the matrices W of a network by name."""
        names = [matrix.name for matrix in self.matrices if matrix.kind == "weights"]
        return dict(zip(names, parameters.matrices(), strict=True))

    def matrix_bytes(self, matrix: Matrix, values: Integers) -> bytes:
        """Return `values` of a matrix, shape (rows, columns), as they lie in memory."""
        number = self._number(matrix.kind)
        within = accepted(matrix.name, values, matrix.shape, *self.limits(matrix.kind))
        laid = np.zeros((matrix.shape[1], matrix.column_values), dtype=np.int64)
        laid[:, matrix.positions] = within.T
        return to_bytes(laid, number)

    def limits(self, kind: TensorKind) -> tuple[int, int]:
        """Return the least and the most that a value of a matrix is."""
        number = self._number(kind)
        return number.lowest, number.highest

    def matrix_values(self, matrix: Matrix, raw: bytes) -> Integers:
        """Return the matrix that lies in memory as `raw`; undoes `matrix_bytes`."""
        laid = from_bytes(raw, self._number(matrix.kind)).reshape(-1, matrix.column_values)
        return np.ascontiguousarray(laid[:, matrix.positions].T)

    def _number(self, kind: TensorKind) -> Any:
        formats = self.shape.architecture.engine.formats
        return formats.weight if kind == "weights" else formats.weight_gradient


def program_image(shape: TrainingShape, tile: Tile | None = None) -> ProgramImage:
    """Return the program of all steps of a shape.

    Parameters
    ----------
    shape
        What it depends on.
    tile
        The gates, large enough; without it gates of just the size.

    Raises
    ------
    ConfigError
        If the gates cannot run the shape, it has more layers than there are registers for, or a command is too long
        for a record.
    ValueError
        If the tile is too small.
    """
    layers = len(shape.hidden)
    if 2 * layers > THRESHOLDS:
        raise ConfigError(f"a machine on a bus has thresholds for {THRESHOLDS // 2} layers, not for {layers}")
    step = shape.blank
    layout = Layout(step.program, step.shape, step.network.readout, tile.sizes if tile else None)
    if tile is not None and layout.sizes != tile.sizes:
        raise ValueError(f"the shape needs a tile of at least {layout.sizes}, not {tile.sizes}")
    gates = tile or tile_for(step, layout.sizes)
    commands = Commands(step, layout)
    records = list(_records(step, commands, gates))
    formats = shape.architecture.engine.formats
    regions, memory_bytes = _placed(_requests(step, commands, layout), sum(map(len, records)))
    loads = [op["request"]["address"] for op in commands.loads_of_vectors]
    offsets = iter(address - regions["inputs"].first_address + regions["inputs"].offset for address in loads)
    return ProgramImage(
        shape=shape,
        made_from=gates.made_from,
        commands=b"".join(records),
        finishes=dict(zip(step.program.units, commands.finishes, strict=True)),
        regions=regions,
        memory_bytes=memory_bytes,
        matrices=tuple(_matrices(step, Images(step, layout, commands), layout, regions)),
        vectors=tuple(tuple(next(offsets) for _ in range(steps)) for steps in shape.lengths),
        vector_value_bytes=formats.activation.bytes,
        targets=tuple(_targets(step, commands, gates, records)),
        sizes=layout.sizes,
    )


# --- records


def _records(step: NumberedStep, commands: Commands, tile: Any) -> Iterator[bytes]:
    """Yield the record of each command, in their order."""
    packed = {name: iter(payloads) for name, payloads in commands.packed(tile).items()}
    thresholds = _threshold_numbers(step)
    for unit in commands.order:
        words = -(-BitShape.cast(getattr(tile, unit).payload.shape()).width // _WORD_BITS)
        if words > _MOST_WORDS:
            raise ConfigError(
                f"a record of a program holds a command of {_MOST_WORDS} words of {WORD_BYTES} bytes, not of {words}, "
                f"as those of unit {unit!r} are for {step.shape.classes} outputs"
            )
        header = {"unit": RECORD_UNITS.index(unit), "words": words, "threshold": NO_THRESHOLD}
        if unit == "encoder":
            header["threshold"] = next(thresholds)
        first = sum(HEADER[name].placed(value) for name, value in header.items())
        yield first.to_bytes(WORD_BYTES, "little") + next(packed[unit]).to_bytes(words * WORD_BYTES, "little")


def _threshold_numbers(step: NumberedStep) -> Iterator[int]:
    """Yield the number of the threshold of each op of the encoder."""
    ops = step.program.ops
    rows = np.flatnonzero(step.program.unit == UNITS.index("encoder"))
    yield from (2 * ops.layer[rows] + (ops.stream[rows] == STREAMS.index("h"))).tolist()


def _targets(step: NumberedStep, commands: Commands, tile: Any, records: list[bytes]) -> Iterator[tuple[Target, ...]]:
    """Yield for each sample where its records say what is wanted."""
    op = _member(tile.elementwise.payload.shape(), "op", "op")
    name = "wanted" if "wanted" in dict(op[1]) else "label"
    low, field = _member(op[1], name, start=op[0])
    bits = BitShape.cast(field.elem_shape if name == "wanted" else field).width
    count = field.length if name == "wanted" else 1
    ops, mode = step.program.ops, step.shape.loss
    losses = np.flatnonzero(ops.is_mode(mode))
    is_elementwise = np.flatnonzero(step.program.unit == UNITS.index("elementwise"))
    starts = np.cumsum([0, *map(len, records)])[:-1][[unit == "elementwise" for unit in commands.order]]
    of_sample: dict[int, list[Target]] = {sample: [] for sample in range(len(step.samples))}
    for row in losses.tolist():
        start = int(starts[np.searchsorted(is_elementwise, row)])
        first = 8 * (start + WORD_BYTES) + low
        of_sample[int(ops.sample[row])] += [Target(first + bits * number, bits) for number in range(count)]
    yield from map(tuple, of_sample.values())


def _member(layout: data.StructLayout, *names: str, start: int = 0) -> tuple[int, Any]:
    """Return the first bit, and the shape, of a member of a member of a layout."""
    shape: Any = layout
    for name in names:
        start, shape = start + shape[name].offset, shape[name].shape
    return start, shape


# --- memory


def _requests(step: NumberedStep, commands: Commands, layout: Layout) -> dict[str, tuple[int, int]]:
    """Return for each kind of request its first address, and bytes from there on."""
    formats, lanes = step.architecture.engine.formats, step.architecture.engine.lanes
    found: dict[str, tuple[int, int]] = {}
    for kind, number, words in (
        ("weights", formats.weight, layout.sizes.weight_words),
        ("gradients", formats.weight_gradient, layout.sizes.gradient_words),
    ):
        remote = [tensor for tensor in step.program.tensors if tensor.kind == kind and tensor.remote]
        first = min((tensor.address for tensor in remote), default=0)
        local_bytes = words * lanes * number.bytes
        found[kind] = first, max((tensor.address + tensor.bytes - first for tensor in remote), default=local_bytes)
    loads = [op["request"] for op in commands.loads_of_vectors]
    first = min(request["address"] for request in loads)
    word_bytes = lanes * formats.activation.bytes
    found["inputs"] = first, max(request["address"] + word_bytes * request["words"] for request in loads) - first
    found["tape"] = _tape(step)
    return found


def _tape(step: NumberedStep) -> tuple[int, int]:
    """Return the first address of the tape in memory, and the bytes from there on, none where it is local."""
    ops = step.program.ops
    stores = ops.address[ops.is_mode("store")]
    if not len(stores):
        return 0, 0
    first = int(stores.min())
    return first, step.program.remote_bytes["tape"]


def _placed(requests: dict[str, tuple[int, int]], program_bytes: int) -> tuple[dict[str, Region], int]:
    """Return where all is in memory, and the end; matrices first, so programs of one network find the same ones."""
    wanted = {kind: requests[kind] for kind in ("weights", "gradients")} | {"program": (0, program_bytes)} | requests
    regions, end = {}, 0
    for name, (first, size_bytes) in wanted.items():
        regions[name] = Region(end, size_bytes, first)
        end = -(-(end + size_bytes) // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    return regions, end


def _matrices(step: NumberedStep, images: Images, layout: Layout, regions: dict[str, Region]) -> Iterator[Matrix]:
    """Yield where each matrix is: remote ones at their addresses, local ones word after word as in the tile."""
    lanes = step.architecture.engine.lanes
    for index, tensor in enumerate(step.program.tensors):
        region, number = regions[tensor.kind], images.number(tensor)
        if tensor.remote:
            offset = region.offset + tensor.address - region.first_address
        else:
            offset = region.offset + layout.matrix(index) * lanes * number.bytes
        shape = images.rows(tensor), tensor.columns
        positions = _positions(images, tensor, shape)
        column_values = lanes * tensor.words
        yield Matrix(tensor.name, tensor.kind, shape, offset, number.bytes, column_values, positions)


def _positions(images: Images, tensor: Tensor, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return which value of a column each row is; all columns lie alike, one behind the other."""
    numbered = 1 + np.arange(shape[0] * shape[1]).reshape(shape)
    columns = images.words(numbered, tensor)[0].reshape(shape[1], -1)
    positions = np.array([np.flatnonzero(columns[0] == one)[0] for one in numbered[:, 0]])
    if not np.array_equal(columns[:, positions], numbered.T):
        raise ValueError(f"the columns of {tensor.name} do not all lie alike")
    return positions
