"""CSV in long form: a row for each step of each sequence, columns named in the first row."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from deltatrain.accel.documents import shown
from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.columns import Columns
from deltatrain.workloads.data.found import Found
from deltatrain.workloads.data.long_form import Table, sequences_of
from deltatrain.workloads.tasks import Wanted

LAYOUT = "a file .csv with a row a step, columns named in its first row (dataset.columns)"
FRONT_END = "raw"
WANTS: tuple[Wanted, ...] = ("classes", "step_classes", "numbers", "step_numbers")

_DELIMITERS = ",;\t"


def fits(path: Path) -> bool:
    """Tell by the suffix."""
    return path.is_file() and path.suffix.lower() in (".csv", ".tsv")


def collect(path: Path, columns: Columns, wants: Wanted = "classes") -> Found:
    """Return the sequences; the delimiter is what the first row has of comma, semicolon and tab, in this order."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            delimiter = next((mark for mark in _DELIMITERS if mark in first), ",")
            reader = csv.reader(file, delimiter=delimiter)
            names = [name.strip() for name in next(reader, [])]
            rows, lines = [], []
            for row in reader:
                if len(row) != len(names) and row:
                    raise ConfigError(f"{path}, line {reader.line_num}: {len(row)} values, and {len(names)} columns")
                if row:
                    rows.append(row)
                    lines.append(reader.line_num)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8 text; accepted is {LAYOUT}") from None
    except csv.Error as error:
        raise ConfigError(f"{path} is not CSV: {shown(str(error), quoted=False)}; accepted is {LAYOUT}") from None
    by_column: list[Any] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    return sequences_of(Table(str(path), names, by_column, lines, "line"), columns, wants)
