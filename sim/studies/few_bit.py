"""Few-bit backward: optimal codebooks beside the published ones, and training with them."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.codebook import codebook
from deltatrain.accel.modes import encode
from deltatrain.accel.published_functions import FUNCTIONS
from deltatrain.accel.value_code import used_grid
from deltatrain.sim.studies import _training
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.sim.studies._training import Outcomes, Settings
from deltatrain.workloads.arrays.few_bit import neuron_bits
from deltatrain.workloads.cells import CELLS

ABOUT = (
    "How many bits of a sigmoid or tanh must the tape keep? Published (Novikov et al., Few-Bit Backward, ICML 2023, "
    "arXiv 2202.00441): 3-bit GELU takes 13.8 % less memory on RoBERTa-base, MRPC (its repository's README). Errors "
    "are integrals of the squared error of the derivative over -100 to 100 with 2^bits levels: ours by dynamic "
    "programming, published those of the shipped tables (sim/studies/few_bit_published.toml). Training uses levels on "
    "|x| up to 10 (errors 'used') and, where a gated cell needs values too, a bit for the side (ours). Bytes are "
    "those of the machine edge."
)

_EXACT = "exact"


def _settings(
    workload: str, changes: dict[str, Any], seeds: tuple[int, ...], cells: dict[str, tuple[int, ...]]
) -> Settings:
    trials: dict[str, dict[str, Any]] = {}
    for cell, bits in cells.items():
        trials[f"{cell} {_EXACT}"] = {"cell": cell}
        trials |= {f"{cell} {k} bits": {"cell": cell, "few_bit.bits": k} for k in bits}
    return Settings(workload, changes, seeds, trials)


SETTINGS = _settings("digits", {"training.epochs": 15}, (1, 2), {"delta_lstm": (4, 3, 2, 1), "delta_rnn": (3, 1)})
SMALL_SETTINGS = _settings("vowels", {"training.epochs": 10, "training.dense_epochs": 0}, (1,), {"delta_gru": (3, 1)})


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Train everything and return a row for each trial, means over the seeds.

    Columns: ``trial``, cell and bits; ``accuracy_%``, ``accuracy_sd_%``, ``lost_points`` against the same cell with
    values on the tape; ``neuron_bits`` that a neuron's values take a step, ``tape_B`` of a step with its lists, and
    ``smaller_times`` against the same cell with values; of sigmoid and tanh ``sigmoid_error``,
    ``published_sigmoid_error``, ``used_sigmoid_error``, and so on; ``seeds``.
    """
    outcomes = _training.trained(settings, folder, progress)
    return [_row(name, settings, outcomes) for name in settings.trials]


def tape_bytes(settings: Settings, name: str, outcomes: Outcomes) -> float:
    """Return the mean bytes of a step's tape on the machine `edge`: gate values or codes, and what the streams held.

    A delta network keeps lists of what fired. A dense one keeps values without indices.
    """
    engine, workload = Architecture.named("edge").engine, settings.trained(settings.trials[name])
    bits = neuron_bits(CELLS.load(workload.cell), workload.code_bits, 8 * engine.formats.gate.bytes)
    fired = _training.mean(outcomes[name, seed].fired_a_step for seed in settings.seeds)
    dense = workload.training.dense_epochs == workload.training.epochs
    entry_bytes = engine.formats.activation.bytes if dense else encode.list_entry_bytes(engine)
    return sum(workload.hidden) * bits / 8 + fired * entry_bytes


def published() -> dict[tuple[str, int], float]:
    """Return the error of each shipped codebook by function and bits."""
    text = resources.files("deltatrain.sim.studies").joinpath("few_bit_published.toml").read_text(encoding="utf-8")
    books: list[dict[str, Any]] = tomllib.loads(text)["codebook"]
    return {(book["function"], book["bits"]): book["error"] for book in books}


def best_error(function: str, bits: int) -> float:
    """Return the least error of 2^bits levels between -100 and 100, where the shipped codebooks lie."""
    far = np.linspace(10.5, 100, 20)
    grid = np.concatenate([-far[::-1], np.linspace(-10, 10, 801), far])
    return codebook(FUNCTIONS[function], grid, 2**bits).error


def _row(name: str, settings: Settings, outcomes: Outcomes) -> Row:
    workload = settings.trained(settings.trials[name])
    exact = f"{workload.cell} {_EXACT}"
    bits, size = workload.code_bits, tape_bytes(settings, name, outcomes)
    return {
        "trial": name,
        **_training.accuracy_columns(name, exact, settings, outcomes),
        "neuron_bits": neuron_bits(CELLS.load(workload.cell), bits, 16),
        "tape_B": round(size, 1),
        "smaller_times": round(tape_bytes(settings, exact, outcomes) / size, 2),
        **_errors(bits),
        "seeds": len(settings.seeds),
    }


def _errors(bits: int | None) -> Row:
    """Return the errors of our, the published and the used codebook of both functions, if there are any."""
    shipped, row = published(), Row()
    for name in ("sigmoid", "tanh"):
        errors = [] if bits is None else [best_error(name, bits), shipped[name, bits]]
        errors += [] if bits is None else [2 * codebook(FUNCTIONS[name], used_grid(), 2**bits).error]
        texts = [f"{error:.3e}" for error in errors] or ["", "", ""]
        row |= zip((f"{name}_error", f"published_{name}_error", f"used_{name}_error"), texts, strict=True)
    return row
