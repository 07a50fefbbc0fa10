"""Speed-up of the three matrix ops over the machine's own dense run, beside RENETA's published RTL."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.workloads.lowering.matrix import lower_matrix
from deltatrain.workloads.synthetic import uniform_masks

ABOUT = (
    "How much faster is a delta-sparse matrix op than the same op dense? Published: 2 to 10 times for 50 to 90 % "
    "activation sparsity (Chen et al., AAAI 2024, arXiv 2312.09391, abstract). Beside it the cycles of the published "
    "RTL, measured (sim/studies/reneta_rtl.toml). Conditions as there: 16 lanes, memory without latency, one square "
    "matrix, lists ready. Ours are the cycles of the machine's laws in accel/modes."
)


class Settings(NamedTuple):
    """Sizes of the matrices, and the seed of the masks."""

    sizes: tuple[int, ...]
    seed: int


SETTINGS = Settings(sizes=(64, 128, 240), seed=1)
SMALL_SETTINGS = Settings(sizes=(64,), seed=1)


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Return a row for each size, mode and sparsity; nothing is kept in `folder`.

    Columns: ``size``; ``mode``; ``sparsity_%``; ``cycles`` and ``dense_cycles``, ours; ``speedup``, the last over the
    first; ``utilisation_%``, ideal cycles over cycles; ``rtl_speedup`` and ``rtl_utilisation_%``, RENETA's RTL's.
    """
    measured = published()
    chosen = [matrix for matrix in measured["matrix"] if matrix["size"] in settings.sizes]
    table: list[Row] = []
    for done, matrix in enumerate(chosen):
        progress("speed-up", done / len(chosen), f"{matrix['size']} x {matrix['size']}, {matrix['mode']}")
        table += _matrix_rows(matrix, measured["sparsity"], settings.seed)
    return table


def published() -> dict[str, Any]:
    """Return the table of measured cycles of RENETA's RTL."""
    text = resources.files("deltatrain.sim.studies").joinpath("reneta_rtl.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def cycles(mode: str, size: int, occupancy: float, seed: int) -> int:
    """Return the cycles of the machine `reneta` for `size` steps of one op on a square matrix."""
    fired = uniform_masks(size, size, occupancy, seed)
    return cycle.count(lower_matrix(Architecture.named("reneta"), mode, fired, size)).cycles


def _matrix_rows(matrix: dict[str, Any], sparsities: list[float], seed: int) -> list[Row]:
    size, mode = matrix["size"], matrix["mode"]
    lanes = Architecture.named("reneta").engine.lanes
    dense = cycles(mode, size, 1.0, seed)
    table: list[Row] = []
    for sparsity, speedup, utilisation in zip(
        sparsities, matrix["speedup"], matrix["utilisation_percent"], strict=True
    ):
        ours = cycles(mode, size, 1 - sparsity, seed)
        ideal = round((1 - sparsity) * size * size) * size / lanes
        table.append(
            {
                "size": size,
                "mode": mode,
                "sparsity_%": round(100 * sparsity),
                "cycles": ours,
                "dense_cycles": dense,
                "speedup": round(dense / ours, 2),
                "utilisation_%": round(100 * ideal / ours, 1),
                "rtl_speedup": speedup,
                "rtl_utilisation_%": utilisation,
            }
        )
    return table
