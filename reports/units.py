"""The unit of a column, from its name: what ends in ``_bytes`` is bytes."""

from __future__ import annotations

from collections.abc import Collection

from deltatrain.accel.origin import BESIDE, FLOAT_FIGURES, figure_title

_ENDS = {
    "macs_per_remote_byte": "MAC/B",
    "macs_per_second": "MAC/s",
    "bytes_per_second": "B/s",
    "bytes_per_cycle": "B/cycle",
    "seconds": "s",
    "cycles": "cycles",
    "bytes": "B",
    "bits": "bit",
    "macs": "MAC",
    "mm2": "mm²",
    "um2": "µm²",
    "luts": "LUT",
    "clock_hz": "Hz",
    "hz": "Hz",
    "ps": "ps",
    "s": "s",
    "j": "J",
    "w": "W",
}
_PREFIXED = frozenset({"MAC/s", "B/s", "s", "B", "Hz", "J", "W"})
_COUNTS = frozenset({"cycles", "MAC"})
_SHARES = frozenset(
    {
        "accuracy",
        "float_accuracy",
        "occupancy",
        "occupancy_x",
        "occupancy_h",
        "share",
        "saved",
        "utilisation",
        "busy",
        "of_roof",
        "hit_share",
        "dense_hit_share",
        "error",
    }
)
_RATIOS = frozenset({"speedup", "saving", "energy_times", "area_times"})


_SAID = {"seconds": "time", "training.seconds": "training time", "training.error": "error of the training energy"}
_FIELDS = ("machine.", "workload.")
_SILENT = ("_j", "_hz", "_ps", "_mm2", "_um2", "_w")  # endings that are a symbol and not a word


def unit_of(column: str) -> str:
    """Return the unit of the dotted `column`: ``B``, ``s``; ``%`` of a share of 1, ``×`` of a ratio; or nothing."""
    name = column.rpartition(".")[2]
    if name in _SHARES:
        return "%"
    if name in _RATIOS:
        return "×"
    return next((unit for end, unit in _ENDS.items() if name == end or name.endswith(f"_{end}")), "")


def takes_prefix(unit: str) -> bool:
    """Tell whether a prefix makes numbers of this unit easier to read: MB and ns, but not kbit."""
    return unit in _PREFIXED


def counts(unit: str) -> bool:
    """Tell whether numbers of this unit are counts, whose unit stands in the column's heading: 283 k cycles."""
    return unit in _COUNTS


def heading(column: str, columns: Collection[str] = ()) -> str:
    """Return the column's name as a person reads it, beside all `columns` of its table.

    A field of a machine or a workload keeps its dotted name, ``engine.lanes``. Other columns become words:
    ``moved.local_bytes`` is ``moved local bytes``.
    """
    if column.startswith(_FIELDS):
        return column.partition(".")[2]
    if column.removeprefix(BESIDE) in FLOAT_FIGURES:
        return figure_title(column, columns)
    words = _SAID.get(column, column)
    for end in _SILENT:
        words = words.removesuffix(end)
    return words.replace(".", " ").replace("_", " ")
