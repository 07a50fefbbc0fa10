"""Prices of actions and parts: the rows of one or several energy tables, each from the first table that has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, TypeGuard

import numpy as np

from deltatrain.accel.described import JOIN, described, is_path
from deltatrain.accel.energy import ENERGY_TABLES
from deltatrain.accel.errors import ConfigError

WIRE = ("wire", "pj_per_bit_mm")
"""The row of the exchange's wires, and the only quantity that it has."""

_SIZED = "local"  # the row of a memory, whose quantities stand in lists by its size

NEEDED = (
    ("multiply", "pj"),
    ("multiply", "bits"),
    ("add", "pj"),
    ("add", "bits"),
    ("compare", "pj"),
    ("compare", "bits"),
    ("local", "read_pj"),
    ("local", "write_pj"),
    ("remote", "pj"),
)
"""Rows that pricing a run's actions needs, and what each must have."""


class Prices:
    """Several energy tables, read in order: a row is taken whole from the first table that has it.

    Parameters
    ----------
    tables
        Names in ``accel/energy``, or TOML files, joined by `JOIN`.

    Raises
    ------
    ConfigError
        If a name is unknown, or a file is no table of prices.
    """

    def __init__(self, tables: str) -> None:
        self.tables = tuple(name.strip() for name in tables.split(JOIN))
        self._rows: dict[str, dict[str, Any]] = {}
        self._nodes_nm: dict[str, int] = {}
        for name in reversed(self.tables):
            table = _table(name)
            rows = {row: entry for row, entry in table.items() if isinstance(entry, dict)}
            self._rows |= rows
            self._nodes_nm |= dict.fromkeys(rows, table["node_nm"])

    def has(self, row: str, quantity: str) -> bool:
        """Tell whether a row has this quantity."""
        return quantity in self._rows.get(row, {})

    def __call__(self, row: str, quantity: str) -> float:
        """Return what a row says, such as ``("multiply", "pj")``.

        Raises
        ------
        ConfigError
            If the row does not have it: what has no source is not guessed.
        """
        if not self.has(row, quantity):
            self.check([(row, quantity)])
        return float(self._rows[row][quantity])

    def node_nm(self, row: str) -> int | None:
        """Return the process node of the table that a row is from, in nanometres; None if no table has the row."""
        return self._nodes_nm.get(row)

    def of_size(self, row: str, quantity: str, size_bytes: float) -> float:
        """Return what a row says of a memory of `size_bytes`; see `at_size`; errors as for calling."""
        self.check([(row, quantity)])
        return at_size(size_bytes, self._rows[row]["bytes"], self._rows[row][quantity])

    def largest_bytes(self, row: str) -> int:
        """Return the size of the largest memory that a row knows."""
        return int(max(self._rows[row]["bytes"]))

    def check(self, needed: Iterable[tuple[str, str]] = NEEDED) -> None:
        """Raise a `ConfigError` that names the first row that is missing, and the tables that have it."""
        for row, quantity in needed:
            if not self.has(row, quantity):
                others = {name: ENERGY_TABLES.load(name) for name in ENERGY_TABLES.names()}
                having = [name for name, table in others.items() if quantity in table.get(row, {})]
                best = max(having, key=lambda name: sum(wanted in others[name] for wanted, _ in NEEDED))
                raise ConfigError(
                    f"table {JOIN.join(self.tables)!r} has no {quantity} in a row [{row}], "
                    f"{JOIN.join([*self.tables, best])!r} has (so have {', '.join(having)})"
                )


def prices(tables: str) -> Prices:
    """Return the prices of the tables of these names, which are read once, and files anew; errors as for `Prices`."""
    return Prices(tables) if any(map(is_path, tables.split(JOIN))) else _named_prices(tables)


@lru_cache(maxsize=16)
def _named_prices(tables: str) -> Prices:
    return Prices(tables)


def _table(name: str) -> dict[str, Any]:
    """Return an energy table; one in a file is checked."""
    table = described(name, ENERGY_TABLES)
    if is_path(name):
        faults = [fault for row, entry in table.items() if isinstance(entry, dict) for fault in _faults(row, entry)]
        if type(table.get("node_nm")) is not int or table["node_nm"] < 1:
            faults.append(f"node_nm must be the process node in nanometres, an integer, not {table.get('node_nm')!r}")
        if faults:
            raise ConfigError("\n".join(f"{name}: {fault}" for fault in faults))
    return table


def _faults(row: str, entry: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each quantity that is no number from 0 on, or of a memory's that is not one for each size."""
    quantities = {name: value for name, value in entry.items() if name not in ("bytes", "source")}
    if row != _SIZED:
        for quantity, value in quantities.items():
            if value != 0 and not _are_positive([value]):
                yield f"{row}.{quantity} must be a number from 0 on, below 1e30, not {value!r}"
            elif row == WIRE[0] and quantity != WIRE[1]:
                yield f"{row}.{quantity} is not a quantity: a wire has {WIRE[1]}"
        if row == WIRE[0] and WIRE[1] not in quantities:
            yield f"{row}.{WIRE[1]} is missing"
        return
    sizes = entry.get("bytes")
    if not _are_positive(sizes) or sorted(set(sizes)) != sizes:
        yield f"{row}.bytes must be a list of sizes, each larger than the one before, not {sizes!r}"
        return
    for quantity, value in quantities.items():
        if not _are_positive(value) or len(value) != len(sizes):
            yield f"{row}.{quantity} must have a positive number for each of {len(sizes)} sizes, not {value!r}"


def _are_positive(values: Any) -> TypeGuard[list[float]]:
    return isinstance(values, list) and bool(values) and all(type(v) in (int, float) and 0 < v < 1e30 for v in values)


def at_size(size_bytes: float, sizes_bytes: list[int], values: list[float]) -> float:
    """Return a value between those of a table by size: a power law through the two nearest sizes.

    Beyond the smallest and the largest size their own value holds.
    """
    return float(np.exp(np.interp(np.log(size_bytes), np.log(sizes_bytes), np.log(values))))
