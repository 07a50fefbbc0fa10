"""How large a tile's memories are."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.utils import ceil_log2

from deltatrain.accel.program import TILE_UNITS, UNITS
from deltatrain.rtl.parts.line_shape import FiredShape, LineShape

__all__ = ["TileSizes"]

_OF_CACHE = ("cache_sets", "cache_ways", "line_bytes", "cache_runs")
_OF_FIRED = ("fired_columns", "fired_steps", "fired_samples")
_OF_ARRAYS = ("arrays", "sum_words")
_OF_SPARSE = ("number_bits", "table_rows", "table_words")
_OF_STATES = ("kept_words", "kept_values", "loaded_words", "loaded_values")
_OF_BROUGHT = ("brought_tape_words", "brought_state_words")


class TileSizes(NamedTuple):
    """Sizes of one tile's memories; words are of P values.

    Attributes
    ----------
    accumulator_words
        Words in one bank of M and of g(M), logits included.
    regions
        Separate accumulators: the M of each layer, and the logits.
    input_words, vector_words
        Memories of x; of h (and of its gradients, and of what a backward step hands to the one before).
    held_words
        Memory of x-hat and h-hat, in words as wide as the encoder.
    state_words, tape_words
        States and tape of all steps, or of those in the buffer where the tape lives off-chip.
    lists, list_entries
        How many lists, and entries of all lists, may be in use at once; entries are a power of two.
    weight_words, gradient_words
        Local W and dW; 0 where they live off-chip.
    loaded_lists, loaded_entries
        Lists that come back from off-chip memory, an even number, and their entries, a power of two; 0 where the tape
        is local.
    most_classes
        Classes of the loss.
    wanted
        Numbers that the loss of a regression is told, 0 where it is of classes.
    tiles
        Tiles that share the work.
    received_lists, received_entries
        Lists that came from all tiles, and their entries; 0 where there is only one tile.
    waiting_sums
        Sums of `matvec_t` that wait in one of several tiles to be added over all.
    gate_lanes
        Bit k: whether a gate of a layer begins or ends in lane k (`accel.column`). 0 where every gate of every layer
        begins with a word; nothing is then rotated.
    mixed_lanes
        P where a word of a column may be of both its parts (`rtl.lanes.op.Op`), else 0.
    velocity
        1 where an update keeps a share of dW (`accel.modes.update_momentum`), else 0.
    uncounted
        1 where no unit counts its busy and stalled cycles, nor a column cache what it finds: the counters read as zero,
        and cost nothing; else 0.
    cache_sets, cache_ways, line_bytes, cache_runs
        The column cache, and the runs of all columns off-chip (`rtl.parts.line_shape.LineShape`); 0 without one.
    fired_columns, fired_steps, fired_samples
        Where the cache goes by what fired, `rtl.parts.line_shape.FiredShape`; else 0.
    spikes
        1 where lists are of spikes and of gradient-only neurons, by index alone (`rtl.lists.spike_store`), else 0.
    arrays, sum_words
        Arrays that take different columns (`accel.arrays`), and most words of a column, where there are several.
        `weight_words` and `gradient_words` are then those of one array.
    number_bits, table_rows, table_words
        Where columns are compressed: bits that tell to which word an entry belongs, columns of all matrices, and words
        of the largest matrix (`rtl.lists.column_table`); 0 where columns are whole.
    code_bits
        Of the codes that the tape keeps of sigmoids and tanhs (`accel.tape_words`), 0 where it keeps values.
    kept_words, kept_values
        Words of M, and of all other vectors, of the states that are kept to run steps again from; 0 where none is run
        again, and words of M where spikes begin it anew in each step. Lists are then at places that commands name, and
        not in a ring.
    loaded_words, loaded_values
        The same of states that come back from off-chip memory; 0 where none is moved there.
    rooms
        Rows of the table of what room spikes left in lists that have a cap (`rtl.elementwise.listed_cap`), one for each
        layer and step; 0 without a cap.
    store_words
        Words of the tape that the store hands over in a cycle: more than 1 where the port is wider than a word.
    load_words
        Words of a vector that come in a cycle: one for each of several tiles where the port is wider than a word.
    brought_tape_words, brought_state_words
        Tapes that come back from off-chip memory while steps are run again, and the states on them: they have memories
        of their own, and lie above those that were made (`brought_tape_base`). 0 where none does.
    banks
        Banks of one port that W and dW are in (`accel.memory.Local`); 0 where they have two ports, or live off-chip.
    group_steps
        Most steps whose weight gradients one op adds (`accel.engine.Engine.outer_steps`). Where they are several there
        are as many stores of lists, and `lists` and `list_entries` are those of one (`rtl.lists.group_store`).
    """

    accumulator_words: int
    regions: int
    input_words: int
    vector_words: int
    held_words: int
    state_words: int
    tape_words: int
    lists: int
    list_entries: int
    weight_words: int
    gradient_words: int
    loaded_lists: int
    loaded_entries: int
    most_classes: int
    wanted: int = 0
    tiles: int = 1
    received_lists: int = 0
    received_entries: int = 0
    waiting_sums: int = 0
    gate_lanes: int = 0
    mixed_lanes: int = 0
    velocity: int = 0
    uncounted: int = 0
    cache_sets: int = 0
    cache_ways: int = 0
    line_bytes: int = 0
    cache_runs: int = 0
    fired_columns: int = 0
    fired_steps: int = 0
    fired_samples: int = 0
    arrays: int = 1
    sum_words: int = 0
    number_bits: int = 0
    table_rows: int = 0
    table_words: int = 0
    code_bits: int = 0
    kept_words: int = 0
    kept_values: int = 0
    loaded_words: int = 0
    loaded_values: int = 0
    brought_tape_words: int = 0
    brought_state_words: int = 0
    spikes: int = 0
    rooms: int = 0
    banks: int = 0
    store_words: int = 1
    load_words: int = 1
    group_steps: int = 1

    def __str__(self) -> str:
        """Return all sizes as text; those that not every tile has only if it has them."""
        absent = (() if self.cache_sets else _OF_CACHE) + (() if self.arrays > 1 else _OF_ARRAYS)
        absent += (() if self.code_bits else ("code_bits",)) + (() if self.keeps_states else _OF_STATES)
        absent += (() if self.brings_tapes else _OF_BROUGHT) + (() if self.number_bits else _OF_SPARSE)
        absent += () if self.fired_columns else _OF_FIRED
        absent += tuple(name for name in ("spikes", "rooms", "banks") if not getattr(self, name))
        absent += tuple(name for name in ("store_words", "load_words") if getattr(self, name) == 1)
        absent += () if self.group_steps > 1 else ("group_steps",)
        shown = ((name, value) for name, value in self._asdict().items() if name not in absent)
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in shown)})"

    def covering(self, other: TileSizes) -> TileSizes:
        """Return the sizes of a tile that has room for everything that fits one of the two."""
        return TileSizes(*map(max, self, other))._replace(gate_lanes=self.gate_lanes | other.gate_lanes)

    @property
    def update_factors(self) -> tuple[str, ...]:
        """The ports of what an update multiplies with."""
        return ("learning_rate", "momentum") if self.velocity else ("learning_rate",)

    @property
    def cache(self) -> LineShape | None:
        """The lines of the column cache, None without one."""
        if not self.cache_sets:
            return None
        fired = FiredShape(self.fired_columns, self.fired_steps, self.fired_samples) if self.fired_columns else None
        return LineShape(self.cache_sets, self.cache_ways, self.line_bytes, self.cache_runs, fired)

    @property
    def forget_cycles(self) -> int:
        """Cycles from a reset to the start of a program: gradients of h, and tags, are cleared a word a cycle.

        So is what tells where the accumulators of compressed columns are (`rtl.lanes.sparse_memory`).
        """
        sparse = self.accumulator_words if self.number_bits else 0
        return max(self.vector_words, self.cache_sets, self.fired_columns, sparse) + 2

    @property
    def gradient_banks(self) -> int:
        """Banks of g(M), a power of two: of a group's steps, and one that is written meanwhile."""
        return 1 << ceil_log2(self.group_steps + 1)

    @property
    def is_part(self) -> bool:
        """Whether the tile is one of several."""
        return self.tiles > 1

    @property
    def units(self) -> tuple[str, ...]:
        """The units of the machine, in the order in which they are counted."""
        return UNITS if self.is_part else TILE_UNITS

    @property
    def all_input_words(self) -> int:
        """Words of all tiles' memories of x."""
        return self.input_words * self.tiles

    def most_columns(self, lanes: int) -> int:
        """Return the most columns that a matrix may have: the elements of the longest vector, and the bias."""
        return max(self.all_input_words, self.vector_words * self.tiles) * lanes + 1

    @property
    def keeps_states(self) -> bool:
        """Whether steps may be run again, from states that are kept."""
        return self.kept_values > 0

    @property
    def restores_sums(self) -> bool:
        """Whether M, x-hat and h-hat are of such a state; spiking cells keep neither from step to step."""
        return self.kept_words > 0

    @property
    def moves_states(self) -> bool:
        """Whether kept states are moved off-chip and back."""
        return self.loaded_values > 0

    @property
    def moves_both(self) -> bool:
        """Whether both tapes and kept states are moved off-chip and back."""
        return self.tape_is_remote and self.moves_states

    @property
    def brings_tapes(self) -> bool:
        """Whether tapes are moved off-chip and back while steps are run again."""
        return self.brought_tape_words > 0

    @property
    def brought_tape_base(self) -> int:
        """Address at which the element-wise unit finds the first word of a tape that came back."""
        return 1 << ceil_log2(max(self.tape_words, self.brought_tape_words))

    @property
    def brought_state_base(self) -> int:
        """Address at which the element-wise unit finds the first word of a state that came back on a tape."""
        return 1 << ceil_log2(max(self.state_words, self.brought_state_words))

    @property
    def all_tape_words(self) -> int:
        """Addresses of words of tapes, of those that came back, too."""
        return 2 * self.brought_tape_base if self.brings_tapes else self.tape_words

    @property
    def all_state_words(self) -> int:
        """Addresses of words of states, of those that came back on a tape, too."""
        return 2 * self.brought_state_base if self.brings_tapes else self.state_words

    @property
    def stores(self) -> bool:
        """Whether the tile has a store unit."""
        return self.tape_is_remote or self.moves_states

    @property
    def tape_is_remote(self) -> bool:
        """Whether the tape lives off-chip."""
        return self.loaded_lists > 0

    @property
    def list_numbers(self) -> int:
        """How many numbers name the lists that the engine reads: in one of several tiles the received lists."""
        return self.received_lists if self.is_part else self.own_lists

    @property
    def own_lists(self) -> int:
        """How many numbers name the tile's own lists.

        They are those that the encoder made and, where the tape lives off-chip, those that were loaded: the highest bit
        says which, see `rtl.lists.choice`.
        """
        if not self.tape_is_remote:
            return self.lists
        return self.loaded_base + self.loaded_lists

    @property
    def loaded_base(self) -> int:
        """Number of the first loaded list among all."""
        return 1 << ceil_log2(max(self.lists, self.loaded_lists))

    @property
    def entry_places(self) -> int:
        """Addresses of entries of the lists that the engine reads."""
        return self.received_entries if self.is_part else self.own_entries

    @property
    def own_entries(self) -> int:
        """Addresses of entries of the tile's own lists."""
        return max(self.list_entries, self.loaded_entries)
