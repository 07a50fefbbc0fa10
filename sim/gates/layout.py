"""The word addresses in a tile's memories, by the memory map whose bytes `workloads.lowering.placement` adds up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from deltatrain.accel.arrays import of_first_columns
from deltatrain.accel.cell_arithmetic import name_of
from deltatrain.accel.column import GatePlace, gate_places
from deltatrain.accel.errors import ConfigError, refuse
from deltatrain.accel.program import Program
from deltatrain.accel.tape_words import tape_words
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.accel.tiles import own_elements
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.lanes.op import UpperPart, upper_part
from deltatrain.rtl.limits import machine_limits, sparse_limits, spiking_limits, state_limits
from deltatrain.rtl.off_chip.tape_walk import entries_of_word
from deltatrain.sim.gates.between_tiles import exchange_sizes
from deltatrain.sim.gates.capped_lists import CappedLists
from deltatrain.sim.gates.list_room import most_entries, most_lists
from deltatrain.sim.gates.placed_words import PlacedWords
from deltatrain.sim.memory import banks
from deltatrain.workloads.lowering.memory_map import Region
from deltatrain.workloads.lowering.placement import memory_map
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.sparse_columns import number_bits
from deltatrain.workloads.lowering.tape import LOADED_STEPS, MADE_STEPS, TAPE_STEPS, steps_on_way

__all__ = ["Layout"]


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
    every
        Whether every step is classified.
    capped
        What room lists have (`sim.gates.capped_lists`); None without a cap.
    placed
        Where that is which is kept as the program says, if it may run steps again; else None.

    Raises
    ------
    ConfigError
        If the gates cannot be laid out for the machine, or have another column cache, or other words off-chip.
    """

    def __init__(self, program: Program, shape: Shape, readout: str, least: TileSizes | None = None) -> None:
        check(program)
        refuse(spiking_limits(program.architecture, name_of(shape.arithmetic), _off_chip(program)))
        if any(tensor.compressed for tensor in program.tensors):
            refuse(sparse_limits(program.architecture))
        engine, ops = program.architecture.engine, program.ops
        self._shape, self._lanes, self._program = shape, engine.lanes, program
        self._tiles, self._arrays = program.architecture.tiles.count, engine.arrays
        self._steps = int(ops.step.max(initial=0)) + 1
        self._on_way = steps_on_way(program.architecture)
        self._loaded_steps = LOADED_STEPS + self._on_way - TAPE_STEPS
        self.every = readout == "every"
        self._map = memory_map(program.architecture, shape)
        self.input_chunks = self._map.inputs.chunks(0)
        self.chunks = [self._map.h.chunks(layer) for layer in range(len(shape.hidden))]
        self.class_chunks = -(-shape.classes // engine.lanes)  # every tile has all logits
        self._tape = tape_words(shape.arithmetic, shape.code_bits, engine.formats)
        runs_again = program.architecture.checkpoint.runs_again
        self.tape_is_remote = bool(ops.is_mode("store").any()) and not runs_again
        self.placed = PlacedWords(self, program, shape) if runs_again else None
        if self.placed and self.placed.moves_states:
            refuse(state_limits(program.architecture, self.placed.memory_words))
        self.capped = CappedLists.of(shape, self._steps, self._tiles)
        needed = self._sizes()
        self.sizes = needed.covering(least) if least else needed
        remote = any(one.remote and one.compressed for one in program.tensors)
        if remote and self.sizes.number_bits != needed.number_bits:
            raise ConfigError(
                f"hidden must be such that numbers of compressed columns have {self.sizes.number_bits} bits, for which "
                f"the tile is drawn, not {needed.number_bits}"
            )
        if self.sizes.cache_sets != needed.cache_sets:
            raise ConfigError(
                f"cache.bytes must be a number: the tile is drawn for a cache of {self.sizes.cache_sets} sets, and "
                f"what this step leaves of its memory has {needed.cache_sets}"
            )

    def words(self, values: int) -> int:
        """Return the words that hold `values` values, in the tile that has most of them."""
        return -(-values // (self._tiles * self._lanes))

    # --- M and g(M)

    def memory(self, layer: int) -> int:
        """Return the first word of a layer's M, and of its g(M)."""
        return self._map.memory.word(layer)

    def memory_words(self, layer: int) -> int:
        """Return the words of a layer's M."""
        return self._map.memory.chunks(layer)

    @property
    def gradient_words(self) -> int:
        """Words of the gradient of h of all layers, in either of its two parts."""
        return self._map.h.words

    def blocks(self, layer: int) -> list[GatePlace]:
        """Return where each block of a layer's M begins, counted from `memory`."""
        return gate_places(self._shape.arithmetic, self._map.h.elements[layer], self._lanes)

    def last_neurons(self, layer: int) -> int:
        """Return the neurons in the last chunk of a layer, 0 if it is whole."""
        return self._map.h.elements[layer] % self._lanes

    def upper_part(self, layer: int, stream: str) -> UpperPart | None:
        """Return the upper part of a layer's columns, see `rtl.lanes.op`."""
        arithmetic = self._shape.arithmetic
        blocks = arithmetic.BLOCKS_X if stream == "x" else arithmetic.BLOCKS_H
        return upper_part(arithmetic, blocks, self._map.h.elements[layer], self._lanes)

    @property
    def logits(self) -> int:
        """The first word of the logits."""
        return self._map.memory.words

    def g_logits(self, step: int) -> int:
        """Return the first word of the gradient of a step's logits."""
        return self.logits + self.class_chunks * (step if self.every else 0)

    @property
    def region_of_logits(self) -> int:
        """Their number among the regions, behind the layers'."""
        return len(self.chunks)

    # --- vectors

    def x(self, number: int) -> int:
        """Return the first word of the input vector `number`, counted over samples and steps."""
        return self._map.inputs.word(0, number)

    def all_x(self, number: int) -> int:
        """Return the same, where the words of all tiles are counted; rows, if a word comes to each at once."""
        return self.x(number) * (self._tiles if self.sizes.load_words == 1 else 1)

    def h(self, layer: int, step: int) -> int:
        """Return the first word of h: of two places, or of as many as there are steps where each is classified."""
        return self._h.word(layer, step)

    @property
    def kept_h(self) -> list[int]:
        """How many steps' h each layer keeps."""
        *below, last = self._map.h.places
        return [*below, max(self._steps, last) if self.every else last]

    @property
    def _h(self) -> Region:
        return replace(self._map.h, places=tuple(self.kept_h))

    def fed_words(self, values: int) -> int:
        """Return the words of a vector that the encoder reads, or parts of them where it takes less than a word."""
        return -(-values // (self._tiles * min(self._lanes, self._held.lanes)))

    def held(self, layer: int, stream: str) -> int:
        """Return the first word of x-hat or h-hat, of words as wide as the encoder."""
        return self._held.word(2 * layer + (stream == "h"))

    @property
    def _held(self) -> Region:
        return replace(self._map.held, lanes=self._program.architecture.engine.encoder_elements)

    def gradient_of_h(self, layer: int, step: int) -> int:
        """Return the first word of the gradient of h, in either of its two parts; two steps have a place."""
        return self._map.h.word(layer, step)

    def of_layer(self, layer: int) -> int:
        """Return the first word of what a layer has one vector of: g(x-hat), g(h-hat), the carry."""
        return self._map.h.with_places(1).word(layer)

    # --- state and tape of every step

    def state(self, layer: int, step: int) -> int:
        """Return the first word of the state that a step leaves; before step 0 it is never looked at."""
        kept = self._on_way + 1 if self.tape_is_remote else self._steps  # each step moves with the state before it
        return self._map.h.with_places(kept).word(layer, step)

    def tape(self, layer: int, step: int) -> int:
        """Return the first word of a step's tape."""
        kept = self._on_way if self.tape_is_remote else self._steps
        return kept * sum(map(self.tape_words, range(layer))) + step % kept * self.tape_words(layer)

    def tape_words(self, layer: int) -> int:
        """Return the words of a step's tape without the state of the step before."""
        return self._tape.written(self.chunks[layer])

    def state_words(self, layer: int) -> int:
        """Return the words of a step's state."""
        return len(self._shape.arithmetic.STATE) * self.chunks[layer]

    # --- lists that came back from off-chip memory

    def fewer_words(self, layer: int, *, keeps_tape: bool) -> dict[str, Any]:
        """Return how many tiles have as many words of neurons as the first, and what a step is in those with one less.

        `keeps_tape` tells whether a step's tape is more than the state that it leaves; one tile has no others.
        """
        if self._tiles == 1:
            return {}
        words, chunks = self._tape, self.chunks[layer] - 1
        own = own_elements(self._shape.hidden[layer], self._lanes, self._tiles)
        fewer = {
            "tape_words": words.written(chunks) * keeps_tape,
            "state_words": len(self._shape.arithmetic.STATE) * chunks,
        }
        fewer |= {"values": words.whole * chunks, "skipped": words.whole} if self.sizes.code_bits else {}
        return {"whole_tiles": int((own > chunks * self._lanes).sum()), "fewer": fewer}

    def loaded_pair(self, layer: int, step: int) -> int:
        """Return the number of the pair of lists that those of a step become."""
        return self._loaded_steps * layer + step % self._loaded_steps

    def loaded_list(self, layer: int, step: int, stream: str) -> int:
        """Return the number of a loaded list among all lists."""
        return self.sizes.loaded_base + 2 * self.loaded_pair(layer, step) + (stream == "h")

    def loaded_words(self, layer: int, step: int) -> tuple[int, int]:
        """Return the first word of a step's loaded lists, of x and of h."""
        words = [self._list_words(below) for below in range(layer + 1)]
        first = self._loaded_steps * sum(map(sum, words[:-1])) + step % self._loaded_steps * sum(words[-1])
        return first, first + words[-1][0]

    def _list_words(self, layer: int) -> tuple[int, int]:
        """Return the words that the lists of x and of h of one step may need, in the tile that has most of both."""
        run, widths = self._entries_of_word, (self._shape.inputs[layer], self._shape.hidden[layer])
        x, h = (-(-int(own_elements(width, self._lanes, self._tiles)[0]) // run) for width in widths)
        return x, h

    def _loaded_entries(self, layers: int) -> int:
        words = self.loaded_words(layers - 1, self._loaded_steps - 1)[1] + self._list_words(layers - 1)[1]
        return words * self._entries_of_word

    @property
    def _entries_of_word(self) -> int:
        return entries_of_word(self._lanes, spikes=not self._shape.encoder.HELD)

    # --- matrices

    def matrix(self, tensor: int) -> int:
        """Return the first word of a local matrix, of several arrays in each; 0 for one that lives off-chip."""
        matrix = self._program.tensors[tensor]
        return 0 if matrix.remote else self._matrix_words(matrix.kind, tensor)

    def own_words(self, tensor: int) -> int:
        """Return the words of a matrix, or of what the array has in it that has most of its columns."""
        matrix = self._program.tensors[tensor]
        if matrix.compressed is not None:
            return int(matrix.compressed.words.sum())
        return of_first_columns(matrix.columns, 1 if matrix.remote else self._arrays) * matrix.words

    def first_row(self, tensor: int) -> int:
        """Return the row of a matrix's first column in the table of compressed columns, which its W and dW share."""
        wanted = self._program.tensors[tensor]
        weights = [one for one in self._program.tensors if one.kind == "weights"]
        places = [(one.stream, one.layer) for one in weights]
        return sum(one.columns for one in weights[: places.index((wanted.stream, wanted.layer))])

    def _matrix_words(self, kind: TensorKind, behind: int | None = None) -> int:
        """Return the words of all local matrices of a kind, or of those before one."""
        tensors = enumerate(self._program.tensors[:behind])
        return sum(self.own_words(number) for number, one in tensors if one.kind == kind and not one.remote)

    # --- sizes

    def _sizes(self) -> TileSizes:
        total, reads = sum(self.chunks), self._steps if self.every else 1
        remote, layers = self.tape_is_remote, len(self.chunks)
        states, tapes = (self._on_way + 1, self._on_way) if remote else (self._steps, self._steps)
        return TileSizes(
            accumulator_words=self.logits + reads * self.class_chunks,
            regions=len(self.chunks) + 1,
            input_words=max(self._map.inputs.words, 2),
            vector_words=max(self._h.words, self._map.h.words),
            held_words=max(self._held.words, 2),
            state_words=max(states * total, 2),
            tape_words=max(tapes * sum(map(self.tape_words, range(layers))), 2),
            lists=max(most_lists(self._program, self._shape), 2),
            group_steps=self._program.architecture.engine.outer_steps,
            list_entries=max(_power_of_two(self._most_entries), 2 * self._entries_of_word if remote else 2),
            weight_words=self._matrix_words("weights"),
            gradient_words=self._matrix_words("gradients"),
            loaded_lists=2 * self._loaded_steps * layers if remote else 0,
            loaded_entries=_power_of_two(self._loaded_entries(layers)) if remote else 0,
            most_classes=self._shape.classes,
            wanted=self._shape.classes if self._shape.loss == "squared_loss" else 0,
            tiles=self._tiles,
            gate_lanes=self._gate_lanes(),
            mixed_lanes=self._lanes * self._mixes_parts(),
            velocity=int("update_momentum" in self._shape.updates),
            code_bits=(self._shape.code_bits or 0) if self._tape.codes else 0,
            **({"arrays": self._arrays, "sum_words": self._most_words()} if self._arrays > 1 else {}),
            **(exchange_sizes(self._shape) if self._tiles > 1 else {}),
            **self._cache_sizes(),
            **self._table_sizes(),
            spikes=int(not self._shape.encoder.HELD),
            rooms=self.capped.rows if self.capped else 0,
            banks=self._banks(),
            store_words=self._port_words() if remote else 1,
            load_words=self._tiles if self._port_words() > 1 else 1,
        )._replace(**(self.placed.sizes if self.placed else {}))

    @property
    def _most_entries(self) -> int:
        """The most list entries of a store in use at once; of a tape that lives off-chip those of a few steps."""
        if self.tape_is_remote:
            steps = MADE_STEPS + self._on_way - TAPE_STEPS
            return steps * (sum(self._shape.inputs) + sum(self._shape.hidden))
        return most_entries(self._program, self._shape)

    def _banks(self) -> int:
        """Return the banks of one port in which W and dW are, if they live here and have no second port."""
        local = self._program.architecture.local
        return local.banks if local.ports == 1 and self._matrix_words("weights") else 0

    def _port_words(self) -> int:
        """Return the words that the port moves in a cycle, the last part of one counted."""
        architecture = self._program.architecture
        word_bytes = self._lanes * architecture.engine.formats.activation.bytes
        return -(-architecture.dma.bytes_per_cycle // word_bytes)

    def _table_sizes(self) -> dict[str, int]:
        """Return the sizes of the table of compressed columns, and of the numbers of their entries, if they are."""
        tensors = self._program.tensors
        weights = [number for number, one in enumerate(tensors) if one.kind == "weights" and one.compressed]
        if not weights:
            return {}
        return {
            "number_bits": max(number_bits(tensors[number].words) for number in weights),
            "table_rows": sum(tensors[number].columns for number in weights),
            "table_words": max(self.own_words(number) for number in weights),
        }

    def _cache_sizes(self) -> dict[str, int]:
        """Return the sizes of a column cache, if there is one and any matrix is off-chip."""
        program = self._program
        if program.cache is None or program.cached_runs is None or not any(one.remote for one in program.tensors):
            return {}
        shape = program.cache
        names = ("cache_sets", "cache_ways", "line_bytes", "cache_runs")
        sizes = dict(zip(names, (*shape, len(program.cached_runs.lines.words)), strict=True))
        described = program.architecture.column_cache
        return sizes | (self._fired_sizes() if described is not None and described.policy == "reverse" else {})

    def _fired_sizes(self) -> dict[str, int]:
        """Return the sizes of what a cache keeps of columns that fired."""
        columns = sum(one.columns for one in self._program.tensors if one.kind == "weights")
        samples = int(self._program.ops.sample.max(initial=0)) + 1
        return {"fired_columns": columns, "fired_steps": self._steps, "fired_samples": samples}

    def _most_words(self) -> int:
        """Return the words of the longest column."""
        return max(matrix.words for matrix in self._program.tensors)

    def _gate_lanes(self) -> int:
        """Return the lanes in which gates begin, as bits; 0 where all begin with a word."""
        lanes = {place.lane for layer in range(len(self.chunks)) for place in self.blocks(layer)} - {0}
        return sum(1 << lane for lane in lanes)

    def _mixes_parts(self) -> bool:
        uppers = (self.upper_part(layer, "x") for layer in range(len(self.chunks)))
        return any(upper is not None and upper.lane for upper in uppers)


def check(program: Program) -> None:
    """Raise ConfigError if the gates cannot be built for the machine of `program`, or cannot run it."""
    off_chip = _off_chip(program)
    refuse(machine_limits(program.architecture, off_chip) + banks.limits(program.architecture, off_chip))


def _off_chip(program: Program) -> list[str]:
    return [use for use, held_bytes in program.remote_bytes.items() if held_bytes]


def _power_of_two(least: int) -> int:
    """Return the next power of two."""
    return 1 << (least - 1).bit_length()
