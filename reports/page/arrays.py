"""Several arrays of lanes: how long they waited for the one with the most columns, phase by phase."""

from __future__ import annotations

from deltatrain.accel.result import Result
from deltatrain.reports.page.table import Table, of_rows
from deltatrain.reports.table import array_rows

_COLUMNS = {
    "phase": "Phase",
    "imbalance": "Without a column",
    "imbalance_cycles": "Cycles, all arrays",
    "added_sums": "Sums added",
    "dense_imbalance": "Without a column, dense",
    "dense_imbalance_cycles": "Cycles, dense",
    "dense_added_sums": "Sums added, dense",
}


def tables(result: Result) -> list[Table]:
    """Return the table of a result whose machine has several arrays, none of any other."""
    rows = array_rows(result)
    if not rows:
        return []
    columns = {key: heading for key, heading in _COLUMNS.items() if key in rows[0]}
    note = "Share of the busy cycles in which an array had no column left while another had, and sums added forward."
    return [of_rows("Arrays of lanes", rows, columns, note)]
