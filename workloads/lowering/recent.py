"""Results that were found last, kept for machines that have the same: a few, and only as much as memory is to spare."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Results by key; the oldest is forgotten first.

    Parameters
    ----------
    most
        How many are kept.
    most_size
        From which size of all together on no further one is kept beside them.
    size_of
        The size of a result.
    """

    def __init__(self, most: int, most_size: int, size_of: Callable[[Value], int]) -> None:
        self._most, self._most_size, self._size_of = most, most_size, size_of
        self._known: dict[Hashable, Value] = {}
        self._size = 0

    def of(self, key: Hashable, find: Callable[[], Value]) -> Value:
        """Return the result of a key, found if it is not kept."""
        kept = self._known.get(key)  # once: keys are whole descriptions, which take long to hash and to compare
        if kept is not None:
            return kept
        while self._known and (len(self._known) >= self._most or self._size >= self._most_size):
            self._size -= self._size_of(self._known.pop(next(iter(self._known))))
        found = self._known[key] = find()
        self._size += self._size_of(found)
        return found
