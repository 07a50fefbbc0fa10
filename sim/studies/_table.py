"""The types that all studies share: a row of a table, and what is told of progress."""

from __future__ import annotations

from collections.abc import Callable

Row = dict[str, int | float | str]
"""One row of a study's table; the unit is in the column's name."""

Progress = Callable[[str, float, str], None]
"""Told the stage, the share of it that is done, and what is being done."""
