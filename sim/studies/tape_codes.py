"""Codes on the tape in floating point and in the machine's own numbers: memory against quality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.studies import _training, few_bit
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.sim.studies._training import Settings
from deltatrain.workloads.arrays.few_bit import neuron_bits
from deltatrain.workloads.cells import CELLS

ABOUT = (
    "How few bits may the tape keep of a sigmoid or tanh when the machine itself learns, in integers? Published for "
    "floating point alone (Novikov et al., Few-Bit Backward, ICML 2023, arXiv 2202.00441): 13.8 % less memory with "
    "3-bit GELU on RoBERTa-base, MRPC (its repository's README); its quality by bits is not known here. Ours are delta "
    "networks on vowels, in floating point by adamw and in the numbers of `edge` by plain gradient descent; a code has "
    "one bit more for the side of zero. Points are lost against values on the tape, in the same numbers."
)

_FLOAT, _EDGE, _VALUES = "float", "edge", "values"


def _settings(epochs: int, seeds: tuple[int, ...], cells: tuple[str, ...], bits: tuple[int, ...]) -> Settings:
    machine = {"training.numbers": Architecture.named("edge").engine.numbers.model_dump(mode="json")}
    codes: dict[str, dict[str, Any]] = {_VALUES: {}} | {f"{k} bits": {"few_bit.bits": k} for k in bits}
    trials = {
        f"{cell}, {numbers}, {kept}": {"cell": cell} | changes | code
        for cell in cells
        for numbers, changes in ((_FLOAT, {}), (_EDGE, machine))
        for kept, code in codes.items()
    }
    return Settings("vowels", {"training.epochs": epochs, "training.dense_epochs": 0}, seeds, trials)


SETTINGS = _settings(8, (1, 2, 3), ("delta_gru",), (7, 3, 1))
SMALL_SETTINGS = _settings(2, (1,), ("delta_gru",), (3,))


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Train everything and return a row for each trial, means over the seeds.

    Columns: ``trial``, cell, numbers and what the tape keeps; ``accuracy_%``, ``accuracy_sd_%``, ``lost_points``
    against values in the same numbers; ``neuron_bits`` that a neuron's values take a step, ``tape_B`` of a step with
    its lists on `edge`, and ``smaller_times`` than with values; ``seeds``.
    """
    outcomes = _training.trained(settings, folder, progress)
    table = list[Row]()
    for name in settings.trials:
        workload = settings.trained(settings.trials[name])
        values = f"{name.rpartition(',')[0]}, {_VALUES}"
        size, whole = (few_bit.tape_bytes(settings, one, outcomes) for one in (name, values))
        table.append(
            {
                "trial": name,
                **_training.accuracy_columns(name, values, settings, outcomes),
                "neuron_bits": neuron_bits(CELLS.load(workload.cell), workload.code_bits, 16),
                "tape_B": round(size, 1),
                "smaller_times": round(whole / size, 2),
                "seeds": len(settings.seeds),
            }
        )
    return table
