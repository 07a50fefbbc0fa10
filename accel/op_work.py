"""What ops take and do by the laws of their modes, wherever the matrices that they work on live."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.arrays import dealt_out
from deltatrain.accel.engine import Engine
from deltatrain.accel.modes import MODES, array_mode, outer
from deltatrain.accel.op_table import ENGINE, MODE_NAMES, NO_TENSOR, PHASES, UNITS, Ops
from deltatrain.accel.tensor import CompressedColumns
from deltatrain.accel.tiles import Tiles
from deltatrain.accel.work import Work


class PhaseWork(NamedTuple):
    """What the ops of a phase do.

    Attributes
    ----------
    actions
        Summed, by name of `accel.work.Work`.
    dense_macs
        Multiply-accumulates if every delta had fired.
    fired, elements
        Columns worked through, and if every delta had fired.
    """

    actions: dict[str, int]
    dense_macs: int
    fired: int
    elements: int


@dataclass(frozen=True, eq=False)
class OpWork:
    """The laws of an op table on an engine.

    Attributes
    ----------
    ops
        The table.
    engine, tiles
        What runs it.
    compressed
        The matrices with compressed columns, by number.
    columns, times
        As in `accel.program.Program`.
    """

    ops: Ops
    engine: Engine
    tiles: Tiles
    compressed: tuple[tuple[int, CompressedColumns], ...]
    columns: NDArray[np.int32]
    times: NDArray[np.int64] | int

    @cached_property
    def unit(self) -> NDArray[np.int8]:
        """The unit of each op, an index into UNITS."""
        unit_of_mode = np.array([UNITS.index(MODES.load(name).UNIT) for name in MODE_NAMES], dtype=np.int8)
        return unit_of_mode[self.ops.mode]

    @cached_property
    def writes_back(self) -> NDArray[np.bool_]:
        """Whether each op writes the columns that it reads."""
        of_mode = np.array([getattr(MODES.load(name), "WRITES_BACK", False) for name in MODE_NAMES])
        return of_mode[self.ops.mode]

    @property
    def update_modes(self) -> tuple[str, ...]:
        """The modes that work on dW at the end of the step."""
        return tuple(MODE_NAMES[code] for code in np.unique(self.ops.mode[self.ops.is_phase("WU")]))

    @cached_property
    def list_words(self) -> NDArray[np.int64]:
        """Words of the columns that each op works through in the tile with the longest columns; 0 without a matrix."""
        ops = self.ops
        words = np.where(ops.tensor == NO_TENSOR, 0, ops.count * ops.words)
        for number, columns in self.compressed:
            rows = np.flatnonzero(ops.tensor == number)
            words[rows] = self._over_lists(columns.words, rows)
        return words

    @cached_property
    def own_columns(self) -> NDArray[np.int64]:
        """Columns that each op reads of its matrix: of those that follow each other in its list, each is held once."""
        ops = self.ops
        if self.engine.outer_steps == 1:
            return ops.count
        rows = np.flatnonzero(ops.is_mode("outer") & (ops.count > 0))
        others = np.cumsum(np.diff(self.columns, prepend=-1) != 0)
        start, own = ops.list_start[rows], ops.count.copy()
        own[rows] = others[start + ops.count[rows] - 1] - others[start] + 1
        return own

    @cached_property
    def fetched_words(self) -> NDArray[np.int64]:
        """Words of the columns that each op reads; fewer than the lanes take where they hold columns."""
        if self.engine.outer_steps == 1:
            return self.list_words
        ops = self.ops
        held = (ops.count - self.own_columns) * ops.words
        for number, columns in self.compressed:
            rows = np.flatnonzero((ops.tensor == number) & (ops.count > self.own_columns))
            known = np.append(columns.words, 0)[np.minimum(self.columns, len(columns.words))]
            repeated = np.append(0, np.cumsum(known * (np.diff(self.columns, prepend=-1) == 0)))
            start = ops.list_start[rows]
            held[rows] = repeated[start + ops.count[rows]] - repeated[start + 1]  # the first of a list is its own
        return self.list_words - held

    @cached_property
    def turns(self) -> NDArray[np.int64]:
        """In how many turns the arrays take the columns of each op; 0 without a matrix."""
        ops = self.ops
        turns: NDArray[np.int64] = np.where(ops.tensor == NO_TENSOR, 0, ops.count if self._one_array else ops.turns)
        return turns

    @cached_property
    def lane_words(self) -> NDArray[np.int64]:
        """Words that the array with the most to do takes in each op: one a cycle; 0 without a matrix.

        In each turn it is the longest column. With one array that is `list_words`.
        """
        if self._one_array:
            return self.list_words
        ops, words = self.ops, self.turns * self.ops.words
        for number, columns in self.compressed:
            for op in np.flatnonzero(ops.tensor == number).tolist():
                start = int(ops.list_start[op])
                listed = self.columns[start : start + int(ops.count[op])]
                order, turn = dealt_out(listed, self.engine.arrays)
                longest = np.zeros(int(self.turns[op]), dtype=np.int64)
                np.maximum.at(longest, turn, columns.words[listed[order]])
                words[op] = longest.sum()
        return words

    @cached_property
    def imbalance_cycles(self) -> NDArray[np.int64]:
        """Cycles in which arrays had no word of a column in each op while another had one, summed over the arrays."""
        waited: NDArray[np.int64] = self.engine.arrays * self.lane_words - self.list_words
        return waited

    @cached_property
    def added_sums(self) -> NDArray[np.int64]:
        """Sums of arrays that each op adds to those of the first: of `matvec` alone, and if any column fired."""
        adds = self.ops.is_mode("matvec") & (self.turns > 0)
        added: NDArray[np.int64] = adds * (self.engine.arrays - 1) * self.ops.rows
        return added

    @property
    def _one_array(self) -> bool:
        return self.engine.arrays == 1

    @cached_property
    def issue_cycles(self) -> NDArray[np.int64]:
        """Cycles of each op by its mode's law, without waiting for anything."""
        ops, cycles = self.ops, np.zeros(len(self.ops), dtype=np.int64)
        matrix = ops.tensor != NO_TENSOR
        count, words = np.where(matrix, self.lane_words, ops.count), np.where(matrix, 1, ops.words)
        for code, name in enumerate(MODE_NAMES):
            chosen = ops.mode == code
            cycles[chosen] = MODES.load(name).issue_cycles(count[chosen], words[chosen])
        return cycles

    @cached_property
    def drain_cycles(self) -> NDArray[np.int64]:
        """Cycles from the end of each op's issue until its result may be used."""
        engine, tiles = self.engine, self.tiles
        of_mode = np.zeros(len(MODE_NAMES), dtype=np.int64)
        for code, name in enumerate(MODE_NAMES):
            of_mode[code] = MODES.load(name).drain_cycles(engine, tiles)
        return of_mode[self.ops.mode]

    def total(self, of_rows: NDArray[Any]) -> int:
        """Return the sum of a whole number of each op, shape (N,) by rows, over all ops."""
        return int((of_rows * self.times).sum())

    def work(self, chosen: NDArray[np.bool_]) -> dict[str, int]:
        """Return the summed actions of the ops where `chosen`, by name of `accel.work.Work`."""
        totals = dict.fromkeys((name for name in Work._fields if name != "exchange_bytes" or self.tiles.count > 1), 0)
        for rows, actions in self._actions:
            of_mode = chosen[rows]
            there = np.count_nonzero(of_mode)
            if there:
                for name, counts in actions.items():
                    totals[name] += round((counts if there == len(rows) else counts[of_mode]).sum().item())
        return totals

    @cached_property
    def _actions(self) -> list[tuple[NDArray[np.int64], dict[str, NDArray[Any]]]]:
        """The rows of each mode that there is, and their actions by name, those that are not always 0."""
        ops, engine, found = self.ops, self.engine, []
        times = np.broadcast_to(self.times, len(ops))
        for code in np.flatnonzero(np.bincount(ops.mode, minlength=len(MODE_NAMES))):
            rows = np.flatnonzero(ops.mode == code)
            law = MODES.load(MODE_NAMES[code]).work
            actions = Work(*law(ops.total_count[rows], self._mean_words[rows], ops.rows[rows], engine))
            actions = self._in_turns(actions, MODE_NAMES[code], rows)
            if MODE_NAMES[code] == "outer":
                actions = self._in_groups(actions, rows)
            actions = actions._replace(local_write_bytes=actions.local_write_bytes + ops.written_bytes[rows])
            if self.compressed:
                actions = self._of_existing_weights(actions, rows)
            named = {name: counts for name, counts in actions._asdict().items() if isinstance(counts, np.ndarray)}
            found.append((rows, {name: counts * times[rows] for name, counts in named.items()}))
        return found

    @cached_property
    def _mean_words(self) -> NDArray[Any]:
        """Words of a column of all tiles; of compressed columns, as long in each, the mean over the op's list."""
        words: NDArray[Any] = self.ops.total_words
        for number, _ in self.compressed:
            mean = self.list_words * self.tiles.count / np.maximum(self.ops.total_count, 1)
            words = np.where(self.ops.tensor == number, mean, words)
        return words

    def _in_turns(self, actions: Work, mode: str, rows: NDArray[np.int64]) -> Work:
        """Return the actions of ops `rows`, of which the law of one array made `actions`, on all arrays."""
        of_arrays = None if self._one_array else array_mode(mode)
        if of_arrays is None:
            return actions
        more = of_arrays.in_turns(self.list_words[rows], self.lane_words[rows], self.turns[rows], self.engine)
        return Work(*(one + other for one, other in zip(actions, more, strict=True)))

    def _in_groups(self, actions: Work, rows: NDArray[np.int64]) -> Work:
        """Return the actions of ops `rows` of mode `outer`, without those of words that lanes hold."""
        if self.engine.outer_steps == 1:
            return actions
        less = outer.in_groups((self.list_words - self.fetched_words)[rows], self.engine)
        return Work(*(one + other for one, other in zip(actions, less, strict=True)))

    def _of_existing_weights(self, actions: Work, rows: NDArray[np.int64]) -> Work:
        """Return the actions of ops `rows`, of which a law of whole columns made `actions`, on compressed columns.

        Weights that do not exist are not multiplied. Each word is read with the numbers that place its entries.
        """
        ops, macs = self.ops, np.broadcast_to(actions.macs, len(rows)).copy()
        most = max(ops.tensor.max(), ops.second_tensor.max(), *(number for number, _ in self.compressed))
        number_bytes = np.zeros(most + 2, dtype=np.int64)  # index NO_TENSOR = -1 is the last entry
        for number, columns in self.compressed:
            of_tensor = np.flatnonzero(ops.tensor[rows] == number)
            macs[of_tensor] = self._over_lists(columns.weights, rows[of_tensor])
            number_bytes[number] = columns.number_bytes
        of_word = number_bytes[ops.tensor[rows]] + number_bytes[ops.second_tensor[rows]]
        read_bytes = actions.local_read_bytes + self.fetched_words[rows] * of_word
        return actions._replace(macs=macs, local_read_bytes=read_bytes)

    def _over_lists(self, of_column: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the sum of `of_column`, a value for each column of a matrix, over the lists of ops on it."""
        known = np.append(of_column, 0)[np.minimum(self.columns, len(of_column))]  # other lists may be wider
        running = np.concatenate([[0], np.cumsum(known)])
        start = self.ops.list_start[rows]
        sums: NDArray[np.int64] = running[start + self.ops.count[rows]] - running[start]
        return sums

    @cached_property
    def unit_cycles(self) -> list[int]:
        """Cycles of each unit's own work, in the order of `UNITS`."""
        issued = np.bincount(self.unit, weights=self.issue_cycles * self.times, minlength=len(UNITS))
        return [int(cycles) for cycles in issued]

    @cached_property
    def engine_cycles(self) -> list[int]:
        """Cycles of the engine's own work in each phase."""
        chosen = self.unit == ENGINE
        issued = (self.issue_cycles * self.times)[chosen]
        of_phase = np.bincount(self.ops.phase[chosen], weights=issued, minlength=len(PHASES))
        return [int(cycles) for cycles in of_phase]

    @cached_property
    def whole(self) -> dict[str, int]:
        """The summed actions of all ops, by name of `accel.work.Work`."""
        return self.work(np.ones(len(self.ops), dtype=np.bool_))

    @cached_property
    def phases(self) -> list[PhaseWork]:
        """What the ops of each phase do."""
        ops = self.ops
        matrix = (ops.tensor != NO_TENSOR) * self.times
        of_matrices = ops.dense_count * ops.rows * matrix, ops.total_count * matrix, ops.dense_count * matrix
        found = []
        for number in range(len(PHASES)):
            chosen = ops.phase == number
            found.append(PhaseWork(self.work(chosen), *(int(each[chosen].sum()) for each in of_matrices)))
        return found
