"""The column cache: how many runs of columns were there when they were looked up, phase by phase."""

from __future__ import annotations

from deltatrain.accel.result import Result
from deltatrain.reports.page.table import Table, of_rows
from deltatrain.reports.table import cache_rows

_COLUMNS = {
    "phase": "Phase",
    "hit_share": "Hit",
    "hits": "Hits",
    "misses": "Misses",
    "write_backs": "Write-backs",
    "dense_hit_share": "Hit, dense",
    "dense_hits": "Hits, dense",
    "dense_misses": "Misses, dense",
    "dense_write_backs": "Write-backs, dense",
}


def tables(result: Result) -> list[Table]:
    """Return the table of a result whose machine has a column cache, none of any other."""
    if not result.counters.cache:
        return []
    rows = cache_rows(result)
    columns = {key: heading for key, heading in _COLUMNS.items() if rows and key in rows[0]}
    note = "Runs of columns that were looked up, and dirty lines that went out to make room, or before the update."
    return [of_rows("Column cache", rows, columns, note)]
