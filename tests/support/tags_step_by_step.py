"""The tags of a column cache once more, in Python: sets as tables, the lowest rank found by looking at all of a set."""

from __future__ import annotations

from deltatrain.accel.cache_lookups import FLUSH, Asked

NOTHING = -1


class Tags:
    """Which runs are in the cache, and what became of those that were looked up so far."""

    def __init__(self, sets: int, ways: int, most_since: int) -> None:
        self.hit: list[bool] = []
        self.out: list[int] = []
        self.behind: list[int] = []
        self.since: list[int] = []
        self.flushes: list[tuple[list[int], list[int], int, bool]] = []
        self._sets, self._ways, self._most_since = sets, ways, most_since
        self._gone = self._lookups = 0
        self._gone_of: dict[int, int] = {}  # which line of all that went out was the last of each set
        self._filled: dict[tuple[int, int], int] = {}  # in which lookup a line was written last, by set and way
        self._forget()

    def _forget(self) -> None:
        self._ranks: list[dict[int, int]] = [{} for _ in range(self._sets)]
        self._way: dict[int, int] = {}
        self._dirty: set[int] = set()

    def go_through(self, asked: Asked) -> None:
        """Do one op after the other."""
        for start, end, written in zip(*(each.tolist() for each in asked[:3]), strict=True):
            if start == FLUSH:
                self.flush()
            else:
                self.look_up(asked.line[start:end].tolist(), asked.rank[start:end].tolist(), written)

    def look_up(self, lines: list[int], ranks: list[int], written: bool) -> None:
        """Look runs up, one after the other; those that are not there take lines."""
        for line, rank in zip(lines, ranks, strict=True):
            number, out, behind = line % self._sets, NOTHING, 0
            kept = self._ranks[number]
            hit = line in kept
            if not hit:
                behind = self._gone_of.get(number, 0)
                self._way[line] = len(kept)
                if len(kept) == self._ways:
                    leaves = min(kept, key=kept.__getitem__)
                    del kept[leaves]
                    self._way[line] = self._way.pop(leaves)
                    out = leaves if leaves in self._dirty else NOTHING
            if out != NOTHING:
                self._go_out(out)
            kept[line] = rank
            if written:
                self._dirty.add(line)
            self.hit.append(hit)
            self.out.append(out)
            self.behind.append(behind)
            self.since.append(self._since(line) if hit or out != NOTHING else 0)
            if written or not hit:
                self._filled[number, self._way[line]] = self._lookups
            self._lookups += 1

    def flush(self) -> None:
        """Give up all lines; those that are dirty go out, in the order of sets and ways."""
        flushed, since = sorted(self._dirty, key=lambda line: (line % self._sets, self._way[line])), []
        for line in flushed:
            since.append(self._since(line))
            self._lookups += 1
            self._go_out(line)
        self.flushes.append((flushed, since, self._gone, bool(self._way)))
        self._forget()

    def _since(self, line: int) -> int:
        filled = self._filled.get((line % self._sets, self._way[line]))
        ago = 0 if filled is None else self._lookups - filled
        return ago if ago <= self._most_since else 0

    def _go_out(self, line: int) -> None:
        self._dirty.discard(line)
        self._gone += 1
        self._gone_of[line % self._sets] = self._gone
