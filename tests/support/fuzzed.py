"""Descriptions and files as a person or a fault could leave them: those that are right, with a few places changed."""

from __future__ import annotations

import datetime
import io
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from deltatrain.accel.dram_parts import DRAM_PARTS
from deltatrain.accel.presets import MACHINES
from deltatrain.workloads.presets import PRESETS

Table = dict[str, Any]
"""Values by dotted path."""

ODD_NUMBERS = [0, -1, 1, 2, 3, 5, 7, 12, 64, 100, 4096, 65536, 10**6, 2**31, 10**12, 2**62, 2**63 - 1, 2**63, 10**19]
ODD_FLOATS = [0.0, -0.0, 0.5, 1.0, 1.5, 1e-9, 5e-324, 1e308, -1e308, math.nan, math.inf, -math.inf]
ODD_TEXTS = ["", "x", "../x", "a/../../b", "/etc", "a\0b", "$", "$x_{", "[/b]", "é", "=1+1", "a\nb", ".toml", "x" * 300]
ODD_NAMES = ["auto", "local", "remote", "store_all", "segment_dram", "delta_gru", "lif", "wrap", "per_bank", "closed"]
ODD_OTHERS: list[Any] = [True, False, [], [0], [1, 2, 3], [[1]], [1] * 40, datetime.date(1979, 5, 27), datetime.time(7)]


def values() -> st.SearchStrategy[Any]:
    """Return values that some field takes, and many that none does."""
    small = st.integers(-2, 300) | st.floats(0, 1, width=16)
    return small | st.sampled_from(ODD_NUMBERS + ODD_FLOATS + ODD_TEXTS + ODD_NAMES + ODD_OTHERS) | st.text(max_size=8)


def changed(tables: list[Table]) -> st.SearchStrategy[Table]:
    """Return one of `tables` with up to four fields changed, left out or added."""
    return st.sampled_from(tables).flatmap(
        lambda table: st.lists(
            st.tuples(st.sampled_from(sorted(table)), st.sampled_from(["set"] * 6 + ["drop", "add"]), values()),
            max_size=4,
        ).map(lambda edits: _edited(table, edits))
    )


def _edited(table: Table, edits: list[tuple[str, str, Any]]) -> Table:
    copy = dict(table)
    for path, how, value in edits:
        if how == "drop":
            copy.pop(path, None)
        else:
            copy[path if how == "set" else f"{path}s"] = value
    return copy


def flat(table: dict[str, Any], prefix: str = "") -> Table:
    """Return the leaves of nested tables by dotted path."""
    found: Table = {}
    for name, value in table.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) and value else {f"{prefix}{name}": value}
    return found


MACHINE_TABLES = [flat(MACHINES.load(name)) for name in ("tiny", "edge")]
WORKLOAD_TABLES = [flat(PRESETS.load("tiny"))]
PART_TABLES = [flat(DRAM_PARTS.load(name)) for name in DRAM_PARTS.names()]
CONTROLLER: Table = {
    "channels": 1,
    "ranks": 1,
    "bus_bits": 64,
    "address_map": "RoBaRaCoCh",
    "row_policy": "open",
    "refresh": "all_bank",
    "read_queue": 32,
    "write_queue": 32,
    "write_high": 32,
    "write_low": 0,
    "most_bypasses": 32,
}


def toml(table: Table) -> str:
    """Return a table as TOML, a line for each dotted path."""
    return "".join(f"{_key(path)} = {toml_value(value)}\n" for path, value in table.items())


def toml_value(value: Any) -> str:
    """Return a value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_key(path)} = {toml_value(inner)}' for path, inner in value.items())}}}"
    if isinstance(value, str):
        return json.dumps(value)
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)


def _key(path: str) -> str:
    return ".".join(
        part if part.replace("_", "").isalnum() and part.isascii() else json.dumps(part) for part in path.split(".")
    )


# --- files

Change = Callable[[bytes], bytes]
"""What happens to the content of a file."""


def byte_changes() -> st.SearchStrategy[Change]:
    """Return faults of a medium: bytes altered, lost, or put in."""
    place = st.floats(0, 1)
    flip = st.tuples(place, st.integers(1, 255)).map(lambda at: lambda content: _flipped(content, *at))
    cut = place.map(lambda at: lambda content: content[: int(at * len(content))])
    put = st.tuples(place, st.binary(min_size=1, max_size=9)).map(
        lambda at: lambda content: content[: int(at[0] * len(content))] + at[1] + content[int(at[0] * len(content)) :]
    )
    return flip | cut | put


def json_changes() -> st.SearchStrategy[Change]:
    """Return forgeries: a value somewhere in a JSON document replaced by another, or left out."""
    return st.tuples(st.floats(0, 1), values() | st.just(None), st.booleans()).map(
        lambda how: lambda content: _forged(content, *how)
    )


def _flipped(content: bytes, at: float, bits: int) -> bytes:
    place = min(len(content) - 1, int(at * len(content)))
    return content[:place] + bytes([content[place] ^ bits]) + content[place + 1 :] if content else content


def _forged(content: bytes, at: float, value: Any, drop: bool) -> bytes:
    """Return JSON, or the JSON lines of a journal, with one of its values changed."""
    lines = content.splitlines() if content.count(b'\n{"') else [content]
    documents = [json.loads(line) for line in lines]
    places = [place for document in documents for place in _places(document)]
    holder, key = places[min(len(places) - 1, int(at * len(places)))]
    if drop and isinstance(holder, dict):
        del holder[key]
    else:
        holder[key] = value if not isinstance(value, datetime.date | datetime.time) else str(value)
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def _places(value: Any) -> list[tuple[Any, Any]]:
    found = []
    if isinstance(value, dict | list):
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            found += [(value, key), *_places(inner)]
    return found


def forged_archive(
    content: bytes, header: str, change: Change, digest: Callable[[dict[str, Any]], str] | None
) -> bytes:
    """Return a NumPy archive whose JSON `header` was changed, the digest of its arrays made right again."""
    with np.load(io.BytesIO(content)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    text = change(arrays.pop(header).tobytes())
    if digest is not None:
        table = json.loads(text)
        text = json.dumps(table | {"content": digest(arrays)}).encode()
    file = io.BytesIO()
    contents: dict[str, Any] = {header: np.frombuffer(text, np.uint8), **arrays}
    np.savez(file, **contents)
    return file.getvalue()
