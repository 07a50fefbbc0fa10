"""Parquet in long form: a row for each step of each sequence, columns by name."""

from __future__ import annotations

from pathlib import Path

from deltatrain.accel.documents import shown
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.extras import require
from deltatrain.workloads.data.columns import Columns
from deltatrain.workloads.data.found import Found
from deltatrain.workloads.data.long_form import Table, sequences_of
from deltatrain.workloads.tasks import Wanted

LAYOUT = "a file .parquet with a row a step, columns by name (dataset.columns)"
FRONT_END = "raw"
WANTS: tuple[Wanted, ...] = ("classes", "step_classes", "numbers", "step_numbers")


def fits(path: Path) -> bool:
    """Tell by the suffix."""
    return path.is_file() and path.suffix.lower() in (".parquet", ".pq")


def collect(path: Path, columns: Columns, wants: Wanted = "classes") -> Found:
    """Return the sequences."""
    require("polars", "data in Parquet")
    import polars

    try:
        frame = polars.read_parquet(path)
    except (OSError, polars.exceptions.PolarsError, polars.exceptions.PanicException) as error:
        raise ConfigError(
            f"{path} is no Parquet file: {shown(str(error), quoted=False)}; accepted is {LAYOUT}"
        ) from None
    rows = range(1, len(frame) + 1)
    return sequences_of(
        Table(str(path), frame.columns, [frame[name].to_list() for name in frame.columns], rows, "row"), columns, wants
    )
