"""Places of what a program keeps for as long as the program says, where steps are run again.

Elsewhere every step has a place of its own, or steps take turns (`sim.gates.layout`). Where steps are run again, what a
step leaves may be needed soon, late or never. So each thing that an op writes gets the lowest place whose last readers
are certainly done when the op begins: by what it waits for, and by the order in which units take and finish their ops.
Gates that take any time for an op therefore never overwrite what is still read.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.program import MODE_NAMES, NO_OP, PHASES, STREAMS, UNITS, Program

__all__ = ["Kept", "Places"]

_IN_TURN = "elementwise"
"""The unit that has read, for an op, before it writes for the next."""


@dataclass
class Kept:
    """Something that is kept.

    Attributes
    ----------
    writer, readers
        Rows of the ops that write and read it.
    place
        Where it is, among those of its kind and layer.
    """

    writer: int
    readers: list[int] = field(default_factory=list)
    place: int = 0


class Places:
    """The places of lists, tapes, states, h and gradients of logits, layer by layer from 0 on.

    Parameters
    ----------
    program
        A program of one tile, or of several, which all have the same places.
    own_state
        Whether the tape of a step is the state that it leaves (`accel.cell_arithmetic.keeps_own_state`).

    Attributes
    ----------
    counts
        How many places there are of each kind, by kind and layer: "x" and "h" of lists, "x_number" and "h_number" of
        what is known of them, "tape", "state" of the cell, "vector" of h, "logits" of gradients, "kept" of states,
        "loaded" of those that come back from off-chip, "brought" of tapes that do, with their lists.
    kept
        What is kept at them, likewise, in the order of their writers.
    """

    def __init__(self, program: Program, *, own_state: bool = False) -> None:
        ops, self._own_state = program.ops, own_state
        self._program, self._depends, self._list_from = program, ops.depends, ops.list_from
        self._mode: list[str] = [MODE_NAMES[mode] for mode in ops.mode.tolist()]
        self._at = list(zip(ops.sample.tolist(), ops.layer.tolist(), ops.step.tolist(), strict=True))
        self._stream = [STREAMS[stream] for stream in ops.stream.tolist()]
        self._phase: list[str] = [PHASES[phase] for phase in ops.phase.tolist()]
        self._written: dict[tuple[str, int], Kept] = {}  # by kind and row
        self._read: dict[tuple[str, int], Kept] = {}
        self._latest: dict[tuple[str, int, int, int], Kept] = {}
        self._sent: dict[tuple[int, int, int], dict[str, Kept | None]] = {}  # numbers of a stored tape's lists
        self.kept: dict[str, dict[int, list[Kept]]] = defaultdict(lambda: defaultdict(list))
        self._makers = self._find_makers()
        for row in range(len(ops)):
            getattr(self, f"_{self._mode[row]}", self._no_places)(row)
        self._order = _Order(program)
        self.counts: dict[str, dict[int, int]] = {
            kind: {layer: self._place(kept, in_turn=kind != "kept") for layer, kept in of_layer.items()}
            for kind, of_layer in self.kept.items()
        }

    def written(self, kind: str, row: int) -> int:
        """Return the place of what the op in `row` writes of a kind."""
        return self._written[kind, row].place

    def read(self, kind: str, row: int) -> int:
        """Return the place of what the op in `row` reads of a kind; 0 if it reads none, as before step 0."""
        found = self._read.get((kind, row))
        return 0 if found is None else found.place

    def reads(self, kind: str, row: int) -> bool:
        """Tell whether the op in `row` reads something of a kind."""
        return (kind, row) in self._read

    # --- who writes and who reads

    def _find_makers(self) -> dict[tuple[int, int, int], int]:
        """Return for each sample, layer and step the row of the cells that left its tape when it was run first."""
        lists, cells = {}, defaultdict(list)
        for row, mode in enumerate(self._mode):
            if mode == "outer" and self._stream[row] == "x" and self._mode[self._list_from[row]] != "load":
                lists[self._at[row]] = self._maker(int(self._list_from[row]))
            elif mode == "cell_forward":
                cells[self._at[row]].append(row)
        return {at: min(cell for cell in cells[at] if cell > made) for at, made in lists.items()}

    def _maker(self, row: int) -> int:
        """Return the op that made what `row` brought: of what passed between tiles the one before, else itself."""
        return int(self._depends[row, 0]) if self._mode[row] in ("broadcast", "reduce") else row

    def _write(self, kind: str, row: int, sample: int, layer: int, step: int) -> None:
        one = Kept(row)
        self._written[kind, row] = self._latest[kind, sample, layer, step] = one
        self.kept[kind][layer].append(one)

    def _reads(self, kind: str, row: int, one: Kept | None) -> None:
        if one is not None:
            self._read[kind, row] = one
            one.readers.append(row)

    def _no_places(self, row: int) -> None:
        """Do nothing: the op has places of its own, or none."""

    def _encode(self, row: int) -> None:
        (sample, layer, step), stream = self._at[row], self._stream[row]
        if stream == "h":
            self._reads("vector", row, self._latest["vector", sample, layer, step - 1])
        elif layer:
            self._reads("vector", row, self._latest["vector", sample, layer - 1, step])
        for kind in (stream, f"{stream}_number"):
            self._write(kind, row, sample, layer, step)

    _encode_spikes = _encode

    def _matvec(self, row: int) -> None:
        sample, layer, step = self._at[row]
        if self._stream[row] == "readout":
            self._reads("vector", row, self._latest["vector", sample, layer, step])
            return
        self._reads_list(row)

    def _outer(self, row: int) -> None:
        if self._stream[row] != "readout":
            self._reads_list(row)
            return
        loss = int(self._depends[row, 0])
        self._reads("logits", row, self._written["logits", loss])
        if self._mode[row] == "outer":
            self._reads("vector", row, self._read["vector", self._maker(int(self._depends[loss, 0]))])

    _matvec_t = _outer

    def _reads_list(self, row: int) -> None:
        made = int(self._list_from[row])
        if made == NO_OP or self._mode[made] == "broadcast":  # what other tiles sent has places of its own
            return
        if self._mode[made] == "load":
            self._reads("brought", row, self._written["brought", made])
            return
        self._reads_made(row, made)

    def _reads_made(self, row: int, made: int) -> None:
        for kind in (self._stream[row], f"{self._stream[row]}_number"):
            self._reads(kind, row, self._written[kind, made])

    def _broadcast(self, row: int) -> None:
        self._reads_made(row, self._maker(row))

    def _cell_forward(self, row: int) -> None:
        sample, layer, step = self._at[row]
        if step:
            self._reads("state", row, self._latest["state", sample, layer, step - 1])
        for kind in ("state", "vector", "tape"):
            self._write(kind, row, sample, layer, step)

    def _cell_backward(self, row: int) -> None:
        left = int(self._depends[row, 2])  # by cells that ran again, or that undid the step, or by its load
        if left != NO_OP and self._mode[left] == "load":
            self._reads("brought", row, self._written["brought", left])
            return
        maker = self._makers[self._at[row]] if left == NO_OP else left
        self._reads("tape", row, self._written["tape", maker])
        self._reads("state", row, (self._written if self._own_state else self._read).get(("state", maker)))

    def _loss(self, row: int) -> None:
        self._write("logits", row, *self._at[row])

    _squared_loss = _loss

    def _copy(self, row: int) -> None:
        sample, layer, step = self._at[row]
        if (kept := int(self._list_from[row])) != NO_OP:
            kind = "loaded" if self._mode[kept] == "load" else "kept"
            self._reads(kind, row, self._written[kind, kept])
            for kind in ("state", "vector"):
                self._write(kind, row, sample, layer, step - 1)
            return
        for kind in ("state", "vector"):
            self._reads(kind, row, self._latest[kind, sample, layer, step - 1])
        self._write("kept", row, sample, layer, step)

    def _store(self, row: int) -> None:
        maker = int(self._depends[row, 0])
        if self._mode[maker] == "copy":
            self._reads("kept", row, self._written["kept", maker])
            return
        self._reads("tape", row, self._written["tape", maker])
        self._reads("state", row, self._read.get(("state", maker)))
        numbers = {kind: self._latest.get((f"{kind}_number", *self._at[row])) for kind in ("x", "h")}
        self._sent[self._at[row]] = numbers
        for kind, number in numbers.items():
            self._reads(kind, row, self._latest.get((kind, *self._at[row])))
            self._reads(f"{kind}_number", row, number)

    def _load(self, row: int) -> None:
        if self.is_state(row):
            self._write("loaded", row, *self._at[row])
        elif self.is_tape(row):
            for kind, number in self._sent[self._at[row]].items():  # their lengths stay known
                self._reads(f"{kind}_number", row, number)
            self._write("brought", row, *self._at[row])

    def is_tape(self, row: int) -> bool:
        """Tell whether the load or the store in `row` is of a tape: a store waits for the cells that made it."""
        if self._mode[row] == "load":
            return bool(self._phase[row] == "BP")
        return bool(self._mode[int(self._depends[row, 0])] == "cell_forward")

    def is_state(self, row: int) -> bool:
        """Tell whether the load in `row` is of a state: it waits for its store, as a tape does."""
        own = int(self._depends[row, 0])
        return own != NO_OP and self._mode[own] == "store" and not self.is_tape(row)

    # --- where

    def _place(self, kept: list[Kept], *, in_turn: bool) -> int:
        """Give each thing of a kind and layer the lowest place that is free; return how many places there are.

        A copy that restores a state reads it for longer than it issues, so another may not keep one there `in_turn`.
        """
        last: list[Kept] = []
        for one in kept:  # in the order of their writers
            over = (self._order.is_over(before, one.writer, in_turn=in_turn) for before in last)
            one.place = next((place for place, is_over in enumerate(over) if is_over), len(last))
            last[one.place : one.place + 1] = [one]
        return len(last)


class _Order:
    """Which ops are certainly done when an op begins."""

    def __init__(self, program: Program) -> None:
        ops, units = program.ops, len(UNITS)
        self._unit: NDArray[np.int8] = program.unit
        self._number = np.zeros(len(ops), dtype=np.int64)
        self._done = np.zeros((len(ops), units), dtype=np.int64)  # how many ops of each unit, when the row begins
        counts, before = np.zeros(units, dtype=np.int64), np.zeros((units, units), dtype=np.int64)
        for row in range(len(ops)):
            unit, done = self._unit[row], before[self._unit[row]]
            for other in ops.depends[row]:
                if other != NO_OP:
                    np.maximum(done, self._done[other], out=done)
                    done[self._unit[other]] = max(done[self._unit[other]], self._number[other] + 1)
            self._done[row], self._number[row] = done, counts[unit]
            counts[unit] += 1

    def is_over(self, kept: Kept, row: int, *, in_turn: bool) -> bool:
        """Tell whether something has been read by all its readers when the op in `row` writes."""
        return all(self._is_done(one, row, in_turn=in_turn) for one in (kept.writer, *kept.readers))

    def _is_done(self, one: int, row: int, *, in_turn: bool) -> bool:
        unit = self._unit[one]
        if in_turn and unit == self._unit[row] and UNITS[unit] == _IN_TURN:
            return one < row
        return bool(self._done[row, unit] > self._number[one])
