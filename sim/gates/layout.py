"""Word addresses in the memories of tiles; `workloads.lowering.placement` adds up the sizes."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from deltatrain.accel.engine import Engine
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.program import MODE_NAMES, Program, Tensor
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.elementwise.plan import FORWARD, Plan
from deltatrain.rtl.elementwise.timetable import Write
from deltatrain.rtl.off_chip.tape_walk import VALUE_BITS, entries_of_word
from deltatrain.sim.gates.between_tiles import exchange_sizes
from deltatrain.workloads.lowering.placement import Shape
from deltatrain.workloads.lowering.tape import LOADED_STEPS, MADE_STEPS, TAPE_STEPS

__all__ = ["Layout"]

_INPUTS = 3
"""Vectors in the memory of x: one in use, two in flight."""

_STATE_STEPS = TAPE_STEPS + 1
"""States in the buffer of an off-chip tape: each step moves with the state of the step before."""

_LEAST_LANES = 4
"""So that a word of the tape holds two entries."""

_LISTS_AHEAD = 2
"""Lists of the next sample that are made while those of this one are still read."""


class Layout:
    """Word addresses in the memories of a tile; several tiles all have the same.

    Parameters
    ----------
    program
        What will run; its longest sample and largest lists decide the sizes.
    shape
        The network's sizes.
    readout
        "last" or "every": which steps are classified.
    least
        Sizes that the tile has at least.

    Attributes
    ----------
    sizes
        Of the tile's memories.

    Raises
    ------
    ConfigError
        If the gates cannot be laid out for the machine.
    """

    def __init__(self, program: Program, shape: Shape, readout: str, least: TileSizes | None = None) -> None:
        check(program)
        engine, ops = program.architecture.engine, program.ops
        self._shape, self._lanes, self._program = shape, engine.lanes, program
        self._tiles = program.architecture.tiles.count
        self._steps = int(ops.step.max(initial=0)) + 1
        self._every = readout == "every"
        self.input_chunks = self.words(shape.inputs[0])
        self.chunks = [self.words(width) for width in shape.hidden]
        self.class_chunks = -(-shape.classes // engine.lanes)  # every tile has all logits
        plan = Plan.of_cell(shape.arithmetic.__name__.rpartition(".")[2], engine.formats)
        writes = plan.programs[FORWARD].of_kind(Write)
        self._tape_words = len({step.word for step in writes if step.port == "new_tape"})
        self.tape_is_remote = bool(np.isin(ops.mode, [MODE_NAMES.index("store")]).any())
        self._matrix_base = self._matrices()
        needed = self._sizes()
        self.sizes = needed.covering(least) if least else needed

    def words(self, values: int) -> int:
        """Return the words that hold `values` values, in the tile that has most of them."""
        return -(-values // (self._tiles * self._lanes))

    # --- M and g(M)

    def memory(self, layer: int) -> int:
        """Return the first word of a layer's M, and of its g(M)."""
        accumulators: int = self._shape.arithmetic.ACCUMULATORS
        return accumulators * sum(self.chunks[:layer])

    @property
    def logits(self) -> int:
        """The first word of the logits."""
        return self.memory(len(self.chunks))

    def g_logits(self, step: int) -> int:
        """Return the first word of the gradient of a step's logits."""
        return self.logits + self.class_chunks * (step if self._every else 0)

    @property
    def region_of_logits(self) -> int:
        """Their number among the regions, behind the layers'."""
        return len(self.chunks)

    # --- vectors

    def x(self, number: int) -> int:
        """Return the first word of the input vector `number`, counted over samples and steps."""
        return number % _INPUTS * self.input_chunks

    def all_x(self, number: int) -> int:
        """Return the same, where the words of all tiles are counted."""
        return self._tiles * self.x(number)

    def h(self, layer: int, step: int) -> int:
        """Return the first word of h: of two places, or of as many as there are steps where each is classified."""
        kept = self.kept_h[layer]
        return self._h_base[layer] + step % kept * self.chunks[layer]

    @property
    def kept_h(self) -> list[int]:
        """How many steps' h each layer keeps."""
        last = max(self._steps, 2) if self._every else 2
        return [2] * (len(self.chunks) - 1) + [last]

    @property
    def _h_base(self) -> list[int]:
        sizes = [kept * chunks for kept, chunks in zip(self.kept_h, self.chunks, strict=True)]
        return [0, *accumulate(sizes)]

    def held(self, layer: int, stream: str) -> int:
        """Return the first word of x-hat or h-hat."""
        pairs = zip(self._shape.inputs, self._shape.hidden, strict=True)
        widths = [width for pair in pairs for width in pair]
        return sum(map(self.words, widths[: 2 * layer + (stream == "h")]))

    def gradient_of_h(self, layer: int, step: int) -> int:
        """Return the first word of the gradient of h, in either of its two parts; two steps have a place."""
        return 2 * sum(self.chunks[:layer]) + step % 2 * self.chunks[layer]

    def of_layer(self, layer: int) -> int:
        """Return the first word of what a layer has one vector of: g(x-hat), g(h-hat), the carry."""
        return sum(self.chunks[:layer])

    # --- state and tape of every step

    def state(self, layer: int, step: int) -> int:
        """Return the first word of the state that a step leaves; before step 0 it is never looked at."""
        kept = _STATE_STEPS if self.tape_is_remote else self._steps
        return kept * sum(self.chunks[:layer]) + step % kept * self.chunks[layer]

    def tape(self, layer: int, step: int) -> int:
        """Return the first word of a step's tape."""
        kept = TAPE_STEPS if self.tape_is_remote else self._steps
        return self._tape_words * (kept * sum(self.chunks[:layer]) + step % kept * self.chunks[layer])

    def tape_words(self, layer: int) -> int:
        """Return the words of a step's tape without the state of the step before."""
        return self._tape_words * self.chunks[layer]

    def state_words(self, layer: int) -> int:
        """Return the words of a step's state."""
        return len(self._shape.arithmetic.STATE) * self.chunks[layer]

    # --- lists that came back from off-chip memory

    def loaded_pair(self, layer: int, step: int) -> int:
        """Return the number of the pair of lists that those of a step become."""
        return LOADED_STEPS * layer + step % LOADED_STEPS

    def loaded_list(self, layer: int, step: int, stream: str) -> int:
        """Return the number of a loaded list among all lists."""
        return self.sizes.loaded_base + 2 * self.loaded_pair(layer, step) + (stream == "h")

    def loaded_words(self, layer: int, step: int) -> tuple[int, int]:
        """Return the first word of a step's loaded lists, of x and of h."""
        words = [self._list_words(below) for below in range(layer + 1)]
        first = LOADED_STEPS * sum(map(sum, words[:-1])) + step % LOADED_STEPS * sum(words[-1])
        return first, first + words[-1][0]

    def _list_words(self, layer: int) -> tuple[int, int]:
        """Return the words that the lists of x and of h of one step may need."""
        run = entries_of_word(self._lanes)
        return -(-self._shape.inputs[layer] // run), -(-self._shape.hidden[layer] // run)

    # --- matrices

    def matrix(self, tensor: int) -> int:
        """Return the first word of a local matrix; 0 for one that lives off-chip."""
        return self._matrix_base[tensor]

    def _matrices(self) -> list[int]:
        base, ends = [], {False: 0, True: 0}
        for tensor in self._program.tensors:
            of_gradients = is_gradient(tensor)
            base.append(0 if tensor.remote else ends[of_gradients])
            ends[of_gradients] += 0 if tensor.remote else tensor.columns * tensor.words
        self._matrix_words = ends
        return base

    # --- sizes

    def _sizes(self) -> TileSizes:
        total, reads = sum(self.chunks), self._steps if self._every else 1
        remote, layers = self.tape_is_remote, len(self.chunks)
        states, tapes = (_STATE_STEPS, TAPE_STEPS) if remote else (self._steps, self._steps)
        loaded = self.loaded_words(layers - 1, LOADED_STEPS - 1)[1] + self._list_words(layers - 1)[1]
        return TileSizes(
            accumulator_words=self.logits + reads * self.class_chunks,
            regions=len(self.chunks) + 1,
            input_words=max(_INPUTS * self.input_chunks, 2),
            vector_words=max(self._h_base[-1], 2 * total),
            held_words=max(self.held(len(self.chunks), "x"), 2),
            state_words=max(states * total, 2),
            tape_words=max(tapes * total * self._tape_words, 2),
            lists=max(self._most_lists(), 2),
            list_entries=max(_power_of_two(self._most_entries()), self._lanes if remote else 2),
            weight_words=self._matrix_words[False],
            gradient_words=self._matrix_words[True],
            loaded_lists=2 * LOADED_STEPS * layers if remote else 0,
            loaded_entries=_power_of_two(loaded * entries_of_word(self._lanes)) if remote else 0,
            most_classes=self._shape.classes,
            tiles=self._tiles,
            **(exchange_sizes(self._shape) if self._tiles > 1 else {}),
        )

    def _most_lists(self) -> int:
        """Return how many lists may be in use at once."""
        encodes = self._program.ops.mode == MODE_NAMES.index("encode")
        by_sample = np.bincount(self._program.ops.sample[encodes], minlength=1)
        return int(by_sample.max()) + _LISTS_AHEAD

    def _most_entries(self) -> int:
        """Return how many entries may be in use at once: a sample's, the next one's first, a vector being encoded.

        Of a tape that lives off-chip those of a few steps, see `workloads.lowering.tape`.
        """
        ops = self._program.ops
        encodes = ops.mode == MODE_NAMES.index("encode")
        by_sample = np.bincount(ops.sample[encodes], ops.count[encodes], minlength=1)
        widest = max(*self._shape.inputs, *self._shape.hidden)
        if self.tape_is_remote:
            return MADE_STEPS * (sum(self._shape.inputs) + sum(self._shape.hidden))
        return max(int(by_sample.max()) + _LISTS_AHEAD * self._shape.inputs[0] + widest, 2)


def is_gradient(tensor: Tensor) -> bool:
    """Tell whether a matrix is one of weight gradients."""
    return tensor.name.startswith("d")


def check(program: Program) -> None:
    """Raise ConfigError if the gates cannot be built for the machine of `program`, or cannot run it."""
    architecture, engine = program.architecture, program.architecture.engine
    lanes = engine.lanes
    word_bytes = lanes * engine.formats.activation.bytes
    if architecture.tiles.count > 1:
        _check_tiles(program)
    if not lanes == engine.encoder_elements == engine.elementwise_lanes or lanes & (lanes - 1):
        raise ConfigError(
            "the gates need engine.lanes = engine.encoder_elements = engine.elementwise_lanes, a power of two, "
            f"not {lanes}, {engine.encoder_elements} and {engine.elementwise_lanes}"
        )
    if architecture.local.ports != 2:
        raise ConfigError(
            f"the gates read and write a word at once: they need local.ports = 2, not {architecture.local.ports}"
        )
    if architecture.dma.bytes_per_cycle != word_bytes:
        raise ConfigError(
            f"the gates need dma.bytes_per_cycle = {word_bytes}, one word of {lanes} activations, "
            f"not {architecture.dma.bytes_per_cycle}"
        )
    if np.isin(program.ops.mode, [MODE_NAMES.index("store")]).any():
        _check_tape(engine)


def _check_tiles(program: Program) -> None:
    """Raise ConfigError if the gates cannot be several tiles that run `program`."""
    architecture = program.architecture
    if architecture.tiles.count & (architecture.tiles.count - 1):
        raise ConfigError(f"the gates need tiles.count to be a power of two, not {architecture.tiles.count}")
    if architecture.engine.formats.memory_overflow != "wrap":
        raise ConfigError(
            "the gates of several tiles need engine.formats.memory_overflow = 'wrap', as what saturates depends on how "
            f"rows are shared out, not {architecture.engine.formats.memory_overflow!r}"
        )
    for use in ("weights", "gradients", "tape"):
        if use in program.remote_bytes:
            raise ConfigError(
                f"the gates of several tiles need placement.{use} = 'local', or 'auto' with local.bytes large enough, "
                f"not {getattr(architecture.placement, use)!r} with {architecture.local.bytes}"
            )


def _check_tape(engine: Engine) -> None:
    """Raise ConfigError if the gates cannot move the tape of a machine."""
    formats = engine.formats
    if engine.lanes < _LEAST_LANES:
        raise ConfigError(
            f"the gates need engine.lanes of at least {_LEAST_LANES} for a tape off-chip (placement.tape), "
            f"not {engine.lanes}"
        )
    for name in ("activation", "gate", "state"):
        bits = getattr(formats, name).bits
        if bits > VALUE_BITS or (name == "activation" and formats.activation.bytes != VALUE_BITS // 8):
            raise ConfigError(
                f"the gates need engine.formats.{name} of {'9 to ' * (name == 'activation')}{VALUE_BITS} bits"
                f"{' at most' * (name != 'activation')} for a tape off-chip (placement.tape), not {bits}"
            )


def _power_of_two(least: int) -> int:
    """Return the next power of two."""
    return 1 << (least - 1).bit_length()
