"""The roofline: multiply-accumulates for each off-chip byte against those a second, under what the machine allows."""

from __future__ import annotations

import math

from markupsafe import Markup

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.quantity import quantity, share
from deltatrain.accel.result import Result
from deltatrain.reports.page.bars import legend
from deltatrain.reports.page.markup import element, per_cent
from deltatrain.reports.page.plot import Axis, curve, decades, frame
from deltatrain.reports.table import TOTAL, Row, roofline_rows


def roofline(result: Result) -> Markup:
    """Return the plot: the roof, and each phase of the run (filled) and of a dense run (hollow).

    A phase that moves no off-chip byte stands at the right edge.
    """
    rows = roofline_rows(result)
    machine = Architecture.from_table(result.architecture, "the result's machine")
    peak, rate = machine.peak_macs_per_second, machine.remote_peak_bytes_per_second
    x = _intensities(rows, peak / rate)
    speeds = [float(row["macs_per_second"]) for row in rows if row["macs_per_second"]]
    y = decades("Multiply-accumulates a second", "MAC/s", [peak, *speeds])
    corners = [(at, min(peak, rate * at)) for at in (x.low, min(x.high, max(x.low, peak / rate)), x.high)]
    marks = [curve(x, y, corners, "roof")]
    marks.extend(_ways(x, y, rows))
    dense = {row["phase"]: float(row["macs_per_remote_byte"]) for row in rows if row["run"] == "dense"}
    delta, others = ([row for row in rows if (row["run"] == "delta") == ours] for ours in (True, False))
    marks += [_point(x, y, row) for row in (*others, *delta)]  # what the reader looks for lies on top
    marks += [_label(x, y, row, dense.get(row["phase"], 0.0)) for row in delta]
    return Markup("").join([_key(result, peak, rate), frame(x, y, marks, _about(rows, peak, rate))])


def _ways(x: Axis, y: Axis, rows: list[Row]) -> list[Markup]:
    """Return a line from each phase of the dense run to the same phase of the run."""
    places: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        place = (float(row["macs_per_remote_byte"]), float(row["macs_per_second"]))
        places.setdefault(str(row["phase"]), []).append(place)
    return [curve(x, y, ends, "way") for ends in places.values()]


def _intensities(rows: list[Row], balance: float) -> Axis:
    known = [float(row["macs_per_remote_byte"]) for row in rows if math.isfinite(float(row["macs_per_remote_byte"]))]
    return decades("Multiply-accumulates for each off-chip byte (MAC/B)", "", [balance / 4, balance * 4, *known])


def _key(result: Result, peak: float, rate: float) -> Markup:
    roof = f"roof: lanes {quantity(peak, 'MAC/s')}, off-chip memory {quantity(rate, 'B/s')}"
    return legend([*((f"{run}-point", run) for run in result.runs), ("roof", roof)])


def _point(x: Axis, y: Axis, row: Row) -> Markup:
    at, height = _place(x, y, row)
    radius = 6 if row["phase"] == TOTAL else 4.5
    return element(
        "circle", element("title", _sentence(row)), cx=at, cy=height, r=radius, class_=f"phase-point {row['run']}"
    )


def _label(x: Axis, y: Axis, row: Row, dense: float) -> Markup:
    """Return the phase's name on that side of its point where the dense run's point is not."""
    at, height = _place(x, y, row)
    intensity = float(row["macs_per_remote_byte"])
    left = intensity < dense or x.place(intensity) > 0.9
    beside = {"dx": -10, "text_anchor": "end"} if left else {"dx": 10}
    return element("text", str(row["phase"]), x=at, y=height, dy="0.35em", class_="point-label", **beside)


def _place(x: Axis, y: Axis, row: Row) -> tuple[str, str]:
    at, height = x.place(float(row["macs_per_remote_byte"])), y.place(float(row["macs_per_second"]))
    return per_cent(at), per_cent(1 - height)


def _sentence(row: Row) -> str:
    intensity = float(row["macs_per_remote_byte"])
    where = f"{intensity:.3g} MAC/B" if math.isfinite(intensity) else "no off-chip byte moved"
    rate = quantity(float(row["macs_per_second"]), "MAC/s")
    return (
        f"{row['phase']}, {row['run']}: {rate} at {where}, {share(float(row['of_roof']))} of the roof ({row['roof']})"
    )


def _about(rows: list[Row], peak: float, rate: float) -> str:
    roof = f"Roofline: lanes allow {quantity(peak, 'MAC/s')}, off-chip memory {quantity(rate, 'B/s')}. "
    return roof + ". ".join(_sentence(row) for row in rows)
