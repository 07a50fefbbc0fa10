"""The lines of a tile's column cache."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FiredShape", "LineShape"]


class FiredShape(NamedTuple):
    """What is kept of columns that fired, where a cache goes by it (the policy "reverse").

    Attributes
    ----------
    columns
        Columns of all matrices; W and dW have the same.
    steps, samples
        Steps of a sample, and samples.
    """

    columns: int
    steps: int
    samples: int


class LineShape(NamedTuple):
    """The lines of a tile's cache.

    Attributes
    ----------
    sets, ways, line_bytes
        As in `accel.column_cache.CacheShape`.
    runs
        Runs of all columns of all matrices off-chip, at least 1; each has a number below.
    fired
        What is known of columns that fired; None where the line used least recently goes first.
    """

    sets: int
    ways: int
    line_bytes: int
    runs: int
    fired: FiredShape | None = None

    @property
    def run_bits(self) -> int:
        """Width of the number of a run."""
        return max(1, (self.runs - 1).bit_length())

    @property
    def tag_bits(self) -> int:
        """Width of what tells the runs of a set apart: how often the number of sets goes into theirs."""
        return max(1, ((self.runs - 1) // self.sets).bit_length())

    @property
    def slots(self) -> int:
        """Lines in all."""
        return self.sets * self.ways
