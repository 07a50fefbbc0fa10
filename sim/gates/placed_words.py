"""Word addresses of what is kept at places (`sim.gates.places`), and the sizes of the memories that hold it."""

from __future__ import annotations

from typing import Any, Protocol

from deltatrain.accel.cell_arithmetic import keeps_own_state
from deltatrain.accel.column import GatePlace
from deltatrain.accel.modes import encoder_mode
from deltatrain.accel.program import NO_OP, Program
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.elementwise.block_ports import part_of
from deltatrain.rtl.lanes.banks import PARTS
from deltatrain.rtl.off_chip.state_words import MemoryGroup
from deltatrain.rtl.off_chip.tape_walk import entries_of_word
from deltatrain.rtl.parts.layouts import INDEX_BITS
from deltatrain.sim.gates.places import Places
from deltatrain.workloads.lowering.shape import Shape

__all__ = ["PlacedWords"]

Fields = dict[str, Any]

_NEVER = (1 << INDEX_BITS) - 1
"""A word of M that no layer has."""


class FixedWords(Protocol):
    """What has a place of its own, as `sim.gates.layout` tells it; words are of the tile's memories."""

    chunks: list[int]
    class_chunks: int
    sizes: TileSizes

    @property
    def logits(self) -> int:
        """The first word of the logits."""

    @property
    def gradient_words(self) -> int:
        """Words of the gradient of h of all layers."""

    def words(self, values: int) -> int:
        """Return the words that hold so many values."""

    def memory(self, layer: int) -> int:
        """Return the first word of a layer's M."""

    def memory_words(self, layer: int) -> int:
        """Return the words of it."""

    def blocks(self, layer: int) -> list[GatePlace]:
        """Return where each block of it begins."""

    def x(self, number: int) -> int:
        """Return the first word of an input vector."""

    def held(self, layer: int, stream: str) -> int:
        """Return the first word of x-hat or h-hat."""

    def state_words(self, layer: int) -> int:
        """Return the words of a step's own state."""

    def tape_words(self, layer: int) -> int:
        """Return the words of a step's tape beside it."""


class PlacedWords:
    """Where each op finds what it reads, and leaves what it writes.

    Parameters
    ----------
    layout
        Where everything else is.
    program
        A program that may run steps again.
    shape
        The network's sizes.
    """

    def __init__(self, layout: FixedWords, program: Program, shape: Shape) -> None:
        self._layout, self._shape = layout, shape
        self._places = Places(program, own_state=keeps_own_state(shape.arithmetic))
        self._depends, self._list_from = program.ops.depends, program.ops.list_from
        engine = program.architecture.engine
        self._lanes, self._list_entries = engine.lanes, entries_of_word(engine.lanes)
        self._restored: set[tuple[int, str]] = set()  # layers and streams whose held values are in the second memory
        self._restores_sums = bool(shape.arithmetic.KEPT)
        layers = range(len(shape.hidden))
        held, states = encoder_mode(shape.arithmetic.ENCODER).HELD, len(shape.arithmetic.STATE)
        self._held = [(held * layout.words(shape.inputs[layer]), held * layout.chunks[layer]) for layer in layers]
        words = {
            "state": [layout.state_words(layer) for layer in layers],
            "tape": [layout.tape_words(layer) for layer in layers],
            "vector": layout.chunks,
            "logits": [layout.class_chunks] * len(layers),
            "memory": [
                shape.arithmetic.KEPT * max(self._padded(layer), layout.memory_words(layer)) for layer in layers
            ],
            "values": [sum(self._held[layer]) + (1 + states) * layout.chunks[layer] for layer in layers],
            "x": [self._whole(width) for width in shape.inputs],
            "h": [self._whole(width) for width in shape.hidden],
        }
        words |= {"loaded_memory": words["memory"], "loaded_values": words["values"]}
        words |= {f"brought_{kind}": words[kind] for kind in ("tape", "state", "x", "h")}
        self._words = words
        self._counts = {kind: self._of_layers(_KEPT_BY.get(kind, kind)) for kind in words}
        self._group = MemoryGroup.of(program.architecture.engine)

    # --- commands

    def encode(self, row: int, layer: int, stream: str, number: int) -> Fields:
        """Return what is said of a list and of the values that are held; `number` is that of the input vector."""
        feed = {} if stream == "x" and layer == 0 else {"base": self._read("vector", row, layer - (stream == "x"))}
        restored = (layer, stream) in self._restored
        self._restored.discard((layer, stream))
        place = self._written(stream, row, layer) + (sum(self._all("x")) if stream == "h" else 0)
        return {
            "feed": {"base": self._layout.x(number)} | feed,
            "encoder": {"restored": restored} if self._restores_sums else {},
            "list": self.list_number(row, layer, stream),
            "place": place,
        }

    def list_number(self, row: int, layer: int, stream: str) -> int:
        """Return the number of the list that the op in `row` makes."""
        return self._number(layer, stream, self._places.written(f"{stream}_number", row))

    def _number(self, layer: int, stream: str, place: int) -> int:
        before = sum(self._numbers("x")) if stream == "h" else 0
        return before + sum(self._numbers(stream)[:layer]) + place

    def read_list(self, row: int, layer: int, stream: str) -> int:
        """Return the number of the list that the op in `row` reads: made, or brought back."""
        if self._places.reads("brought", row):
            pair = self._pair(layer, self._places.read("brought", row))
            return self._layout.sizes.loaded_base + 2 * pair + (stream == "h")
        return self.list_number(int(self._list_from[row]), layer, stream)

    def reads_brought(self, row: int) -> bool:
        """Tell whether the op in `row` reads a tape, or a list of it, that came back from off-chip."""
        return self._places.reads("brought", row)

    def _pair(self, layer: int, place: int) -> int:
        return sum(self._of_layers("brought")[:layer]) + place

    def undoes(self, row: int) -> bool:
        """Tell whether the `matvec` in `row` takes a step out of M: it waits for cells first, not for its list."""
        return bool(self._depends[row, 0] != self._list_from[row])

    def read_vector(self, row: int, layer: int) -> int:
        """Return the first word of h that the op in `row` reads."""
        return self._read("vector", row, layer)

    def cells(self, row: int, layer: int, *, forward: bool) -> Fields:
        """Return where cells find and leave what they keep."""
        fields = {"state": self._read("state", row, layer)}
        if not forward:
            fields |= {"tape": self._read("tape", row, layer), "new_state": 0, "h": 0}
            return fields | (self._brought(row, layer) if self.reads_brought(row) else {})
        new = {"new_state": "state", "tape": "tape", "h": "vector"}
        return fields | {name: self._written(kind, row, layer) for name, kind in new.items()}

    def loss(self, row: int) -> int:
        """Return the first word of the gradient of the logits that a loss makes."""
        return self._layout.logits + self._layout.class_chunks * self._places.written("logits", row)

    def gradient(self, row: int) -> int:
        """Return the first word of the gradient of the logits that the op in `row` reads."""
        return self._layout.logits + self._layout.class_chunks * self._places.read("logits", row)

    def copy(self, row: int, layer: int, cycles: int) -> Fields:
        """Return a copy of a state of a layer, which takes so many cycles."""
        layout, restores = self._layout, int(self._list_from[row]) != NO_OP
        of, kept = (self._written, self._places.read) if restores else (self._read, self._places.written)
        is_loaded = restores and self._places.reads("loaded", row)
        place = kept("loaded" if is_loaded else "kept", row)
        lies = "loaded_" if is_loaded else ""
        fields = {
            "restores": restores,
            "words": cycles,
            "h_words": layout.chunks[layer],
            "state_words": layout.state_words(layer),
            "h": of("vector", row, layer),
            "state": of("state", row, layer),
            "kept_values": self._at(f"{lies}values", layer, place),
            **({"is_loaded": is_loaded} if self.moves_states else {}),
        }
        if not self._restores_sums:
            return fields
        fields |= {
            "memory": layout.memory(layer),
            "memory_words": layout.memory_words(layer),
            **self._parts(layer),
            "first": self._padded(layer),
            "x_words": self._held[layer][0],
            "held_x": layout.held(layer, "x"),
            "held_h": layout.held(layer, "h"),
            "held_restored": (layer, "x") in self._restored,
            "kept_memory": self._at(f"{lies}memory", layer, place),
        }
        if restores:
            self._restored |= {(layer, "x"), (layer, "h")}
        return fields

    def is_brought(self, row: int) -> bool:
        """Tell whether the load in `row` is of a tape or a state, and not of an input vector."""
        return self._places.is_state(row) or self._places.is_tape(row)

    def store(self, row: int, layer: int) -> Fields:
        """Return the tape or the state that the op in `row` stores."""
        if not self._places.is_tape(row):
            return self._state(self._moved(layer, "", self._places.read("kept", row)))
        at = {"tape": self._read("tape", row, layer), "state": self._read("state", row, layer)}
        return self._tape(at | self._tape_step(row, layer))

    def load(self, row: int, layer: int) -> Fields:
        """Return the tape or the state that the op in `row` loads, and where it goes."""
        if not self._places.is_tape(row):
            return self._state(self._moved(layer, "loaded_", self._places.written("loaded", row)))
        place = self._places.written("brought", row)
        words = {kind: self._at(f"brought_{kind}", layer, place) for kind in ("tape", "state", "x", "h")}
        step = {"tape": words["tape"], "state": words["state"]} | self._tape_step(row, layer)
        lists = {"x": words["x"], "h": sum(self._all("brought_x")) + words["h"]}
        numbers = {stream: first // self._list_entries for stream, first in lists.items()}
        return self._tape({"step": step, "pair": self._pair(layer, place)} | numbers)

    def _tape(self, tape: Fields) -> Fields:
        """Return what a unit is told of a tape, which may be of a state where both are moved."""
        return {"tape": tape} if self._layout.sizes.moves_both else tape

    def _state(self, state: Fields) -> Fields:
        """Return what a unit is told of a state."""
        return {"state": state, "is_state": 1} if self._layout.sizes.moves_both else state

    def _tape_step(self, row: int, layer: int) -> Fields:
        """Return how long a tape is, and the numbers that its lists had when they were made."""
        read = self._places.read
        return {
            "tape_words": self._layout.tape_words(layer),
            "state_words": self._layout.state_words(layer),
            "x": self._number(layer, "x", read("x_number", row)),
            "h": self._number(layer, "h", read("h_number", row)),
            "has_h": int(self._places.reads("h_number", row)),
        }

    def _brought(self, row: int, layer: int) -> Fields:
        """Return where cells find a tape that came back: above all that were made."""
        sizes, place = self._layout.sizes, self._places.read("brought", row)
        above = {"tape": sizes.brought_tape_base, "state": sizes.brought_state_base}
        return {kind: base + self._at(f"brought_{kind}", layer, place) for kind, base in above.items()}

    def _moved(self, layer: int, lies: str, place: int) -> Fields:
        values = {"words": self._words["values"][layer], "values": self._at(f"{lies}values", layer, place)}
        if not self._restores_sums:
            return values
        pieces = self._padded(layer) * self._group.value_bytes // 2
        return {
            "words": pieces + values["words"],
            "memory_pieces": pieces,
            "memory": self._at(f"{lies}memory", layer, place),
            "values": values["values"],
        }

    def _parts(self, layer: int) -> Fields:
        """Return where the second and the third part of a layer's M begin."""
        arithmetic, places = self._shape.arithmetic, self._layout.blocks(layer)
        of_block = [part_of(arithmetic, "memory", block) for block in range(len(places))]
        begins = [places[of_block.index(part)] if part in of_block else None for part in range(1, PARTS)]
        return {
            "part_words": [_NEVER if one is None else one.word for one in begins],
            "part_lanes": [0 if one is None else one.lane for one in begins],
        }

    # --- addresses

    def _of_layers(self, kind: str) -> list[int]:
        """Return the places of a kind, by layer."""
        found = self._places.counts.get(kind, {})
        return [found.get(layer, 0) for layer in range(len(self._layout.chunks))]

    def _numbers(self, stream: str) -> list[int]:
        """Return the numbers of lists of a stream, by layer."""
        return self._of_layers(f"{stream}_number")

    def _whole(self, entries: int) -> int:
        """Return the entries of a list of so many elements, in whole words."""
        return -(-entries // self._lanes) * self._lanes

    def _at(self, kind: str, layer: int, place: int) -> int:
        return sum(self._all(kind)[:layer]) + place * self._words[kind][layer]

    def _all(self, kind: str) -> list[int]:
        """Return the words of all places of a kind, by layer."""
        return [places * words for places, words in zip(self._counts[kind], self._words[kind], strict=True)]

    def _read(self, kind: str, row: int, layer: int) -> int:
        return self._at(kind, layer, self._places.read(kind, row))

    def _written(self, kind: str, row: int, layer: int) -> int:
        return self._at(kind, layer, self._places.written(kind, row))

    # --- sizes

    def _padded(self, layer: int) -> int:
        """Return the words of a layer's M if every gate began with one: as many are counted where a state is moved."""
        return self._shape.arithmetic.ACCUMULATORS * self._layout.chunks[layer]

    @property
    def memory_words(self) -> list[tuple[int, int]]:
        """For each layer the words of M, and those that are counted where a state is moved; none if M is not kept."""
        layout = self._layout
        if not self._restores_sums:
            return []
        return [(layout.memory_words(layer), self._padded(layer)) for layer in range(len(layout.chunks))]

    @property
    def moves_states(self) -> bool:
        """Whether the program moves states off-chip."""
        return any(self._of_layers("loaded"))

    @property
    def moves_tapes(self) -> bool:
        """Whether the program moves tapes off-chip."""
        return any(self._of_layers("brought"))

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes of the memories that hold it, by name of `rtl.commands.sizes.TileSizes`."""
        words = {name: sum(self._all(name)) for name in self._words}
        return {
            "accumulator_words": self._layout.logits + max(self._counts["logits"][-1], 1) * self._layout.class_chunks,
            "vector_words": max(words["vector"], self._layout.gradient_words),
            "state_words": max(words["state"], 2),
            "tape_words": max(words["tape"], 2),
            "lists": max(sum(self._numbers("x")) + sum(self._numbers("h")), 2),
            "list_entries": _power_of_two(
                max(words["x"] + words["h"], 2 * self._list_entries if self.moves_tapes else 2)
            ),
            "kept_words": max(words["memory"], 2) if self._restores_sums else 0,
            "kept_values": max(words["values"], 2),
            "loaded_words": max(words["loaded_memory"], 2) if self.moves_states and self._restores_sums else 0,
            "loaded_values": max(words["loaded_values"], 2) if self.moves_states else 0,
        } | (self._brought_sizes(words) if self.moves_tapes else {})

    def _brought_sizes(self, words: dict[str, int]) -> dict[str, int]:
        """Return the sizes of the memories of tapes that come back."""
        entries = words["brought_x"] + words["brought_h"]
        return {
            "loaded_lists": 2 * sum(self._of_layers("brought")),
            "loaded_entries": _power_of_two(max(entries, 2 * self._list_entries)),
            "brought_tape_words": max(words["brought_tape"], 2),
            "brought_state_words": max(words["brought_state"], 2),
        }


_KEPT_BY = {"memory": "kept", "values": "kept", "loaded_memory": "loaded", "loaded_values": "loaded"}
_KEPT_BY |= dict.fromkeys(("brought_tape", "brought_state", "brought_x", "brought_h"), "brought")
"""The kind of place that keeps what lies at words of its own."""


def _power_of_two(least: int) -> int:
    """Return the next power of two."""
    return 1 << (least - 1).bit_length()
