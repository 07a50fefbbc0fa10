"""A column cache once more, said as plainly as possible: slots, looked through one by one.

It shares with `accel.column_cache` the program alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from deltatrain.accel.program import MODE_NAMES, PHASES, Program


@dataclass
class Slot:
    """A line: which run is in it, whether it was written, when it was used last."""

    run: int
    dirty: bool
    used: tuple[int, ...]
    filled: int = -1  # the cycle in which the last word was taken that it was to hold


class PlainCache:
    """The lines of a program's cache, policy "lru" or "reverse"."""

    def __init__(self, program: Program) -> None:
        assert program.cache is not None
        self.program = program
        self.sets = [[] for _ in range(program.cache.sets)]
        self.ways = program.cache.ways
        self.places: list[tuple[int, int, int]] = []  # address, bytes and words of each run
        self.numbers: dict[tuple[int, int], list[int]] = {}
        for index, tensor in enumerate(program.tensors):
            words, most = tensor.column_words.tolist(), max(1, program.cache.line_bytes // tensor.word_bytes)
            for column, first in enumerate(tensor.first_words.tolist()):
                runs = self.numbers[index, column] = []
                left = list(range(first, first + words[column])) if tensor.remote else []
                while left:
                    now, left = left[:most], left[most:]
                    runs.append(len(self.places))
                    size = len(now) * tensor.word_bytes
                    self.places.append((tensor.address + now[0] * tensor.word_bytes, size, len(now)))
        self.uses = self.gone = 0
        self.gone_of: dict[int, int] = {}
        self.slot: Slot | None = None  # that of the last run that was looked up
        self.touched = False
        self.fired: dict[tuple[int, int, int, int], list[int]] = {}
        for op in range(len(program.ops)):
            if MODE_NAMES[program.ops.mode[op]] == "matvec" and PHASES[program.ops.phase[op]] == "FP":
                for column in self.columns(op):
                    self.fired.setdefault(self.stream(op, column), []).append(int(program.ops.step[op]))

    def columns(self, op: int) -> list[int]:
        start = int(self.program.ops.list_start[op])
        return self.program.columns[start : start + int(self.program.ops.count[op])].tolist()

    def stream(self, op: int, column: int) -> tuple[int, int, int, int]:
        ops = self.program.ops
        return int(ops.sample[op]), int(ops.layer[op]), int(ops.stream[op]), column

    def used(self, op: int, column: int) -> tuple[int, ...]:
        self.uses += 1
        if self.program.architecture.cache.policy == "lru":
            return (self.uses,)
        sample, step = int(self.program.ops.sample[op]), int(self.program.ops.step[op])
        if PHASES[self.program.ops.phase[op]] in ("BP", "WG"):
            step = max((one for one in self.fired.get(self.stream(op, column), []) if one < step), default=-1)
        return sample, step, self.uses

    def look_up(self, op: int, column: int, run: int, *, written: bool) -> tuple[bool, int | None, int]:
        """Return whether a run is there, the dirty one that goes out for it, and how many must have gone out before."""
        slots, used = self.sets[run % len(self.sets)], self.used(op, column)
        self.touched = True
        for slot in slots:
            if slot.run == run:
                self.slot, slot.used, slot.dirty = slot, used, slot.dirty or written
                return True, None, 0
        behind, out = self.gone_of.get(run % len(self.sets), 0), None
        if len(slots) < self.ways:
            self.slot = Slot(run, written, used)
            slots.append(self.slot)
        else:
            self.slot = oldest = min(slots, key=lambda slot: slot.used)
            if oldest.dirty:
                out = oldest.run
                self.goes(out)
            oldest.run, oldest.dirty, oldest.used = run, written, used
        return False, out, behind

    def flush(self) -> list[int]:
        """Return the dirty runs, which go out; nothing is left."""
        return [slot.run for slot in self.scan() if slot is not None]

    def scan(self) -> list[Slot | None]:
        """Return what each cycle of a flush lets go: a dirty line, or nothing of a set without any."""
        found: list[Slot | None] = []
        for slots in self.sets:
            dirty = [slot for slot in slots if slot.dirty]
            found += dirty or [None] * self.touched
            for slot in dirty:
                self.goes(slot.run)
            slots.clear()
        self.touched = False
        return found

    def goes(self, run: int) -> None:
        self.gone += 1
        self.gone_of[run % len(self.sets)] = self.gone
