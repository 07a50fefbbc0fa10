"""Deltas, sparse weights, few-bit codes and checkpointing together against the dense network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import FitError
from deltatrain.sim.studies import _training, few_bit
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.sim.studies._training import Outcomes, Settings
from deltatrain.workloads.dataset import recordings_of
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, Costs, Demand
from deltatrain.workloads.lowering.checkpoint.sizes import state_bytes
from deltatrain.workloads.lowering.placement import Shape

ABOUT = (
    "What do delta networks, sparse weights, few-bit codes and checkpointing save together, and at what loss of "
    "accuracy? Published one by one: about 80 % fewer matrix operations (Chen et al., AAAI 2024), 67 % fewer weights "
    "(Liu et al., ICML 2021), 13.8 % less memory with 3-bit codes (Novikov et al., ICML 2023), sqrt(T) memory (Chen "
    "et al. 2016, arXiv 1604.06174); nothing for all of them. Ours: operations are FP + BP + WG of the whole "
    "training, memory that of a sequence of 1,000 steps on the machine edge. Checkpointing leaves gradients as they "
    "are and runs steps again."
)

STEPS = 1_000
"""Of the sequence whose tape is counted: spoken digits are too short to need checkpoints."""

_DENSE, _ALL = "dense", "delta, sparse, 3 bits"
_POLICY = "segment"
_UNTIMED = Costs(1, 1, 0, 0, 0, 0)


def _settings(workload: str, changes: dict[str, Any], seeds: tuple[int, ...]) -> Settings:
    epochs = changes["training.epochs"]
    sparse = {"sparsity.rule": "balanced", "sparsity.density": 0.33}
    codes = {"few_bit.bits": 3}
    trials = {
        _DENSE: {"training.dense_epochs": epochs},
        "delta": {},
        "delta, sparse": sparse,
        "delta, 3 bits": codes,
        _ALL: sparse | codes,
    }
    return Settings(workload, changes, seeds, trials)


SETTINGS = _settings("digits", {"training.epochs": 15}, (1, 2))
SMALL_SETTINGS = _settings("vowels", {"training.epochs": 8, "training.dense_epochs": 0}, (1,))


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Train everything and return a row for each trial, and one for all together with checkpoints.

    Columns: ``trial``; ``accuracy_%``, ``accuracy_sd_%``, ``lost_points`` against dense; ``saved_%`` of the matrix
    operations and ``fewer_times``, re-run steps counted; ``tape_B`` of a step; ``kept_kB`` of states and tapes of a
    sequence of 1,000 steps, and ``smaller_times`` against the dense network; ``forward_steps`` that are run; ``seeds``.
    """
    outcomes = _training.trained(settings, folder, progress)
    table = [_row(name, settings, outcomes, None) for name in settings.trials]
    table.append(_row(_ALL, settings, outcomes, least_memory(settings, _ALL, outcomes)))
    dense = float(table[0]["kept_kB"])
    return [row | {"smaller_times": round(dense / float(row["kept_kB"]), 1)} for row in table]


def least_memory(settings: Settings, name: str, outcomes: Outcomes) -> Demand:
    """Return what the policy takes with the least local memory that it can work with, found by bisection."""
    engine, workload = Architecture.named("edge").engine, settings.trained(settings.trials[name])
    recordings = recordings_of(workload.dataset)
    shape = Shape.of_workload(workload, recordings.train.features, recordings.classes)
    tape = -(-few_bit.tape_bytes(settings, name, outcomes) // 1)
    policy, state = POLICIES.load(_POLICY), state_bytes(shape, engine)
    too_small, enough = 0, STEPS * int(tape)
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        try:
            policy.demand(STEPS, Budget(state, int(tape), middle, 0), _UNTIMED)
            enough = middle
        except FitError:
            too_small = middle
    found: Demand = policy.demand(STEPS, Budget(state, int(tape), enough, 0), _UNTIMED)
    return found


def _row(name: str, settings: Settings, outcomes: Outcomes, checkpoints: Demand | None) -> Row:
    of_trial = [outcomes[name, seed] for seed in settings.seeds]
    tape = few_bit.tape_bytes(settings, name, outcomes)
    kept, steps = (checkpoints.local_bytes, checkpoints.forward_steps) if checkpoints else (STEPS * tape, STEPS)
    again = steps / STEPS - 1
    done = _training.mean(1 - one.saved + again * one.forward for one in of_trial)
    return {
        "trial": f"{name}, checkpoints" if checkpoints else name,
        **_training.accuracy_columns(name, _DENSE, settings, outcomes),
        "saved_%": round(100 * (1 - done), 1),
        "fewer_times": round(1 / done, 1),
        "tape_B": round(tape, 1),
        "kept_kB": round(kept / 1000, 1),
        "smaller_times": 1.0,
        "forward_steps": steps,
        "seeds": len(of_trial),
    }
