"""4,096 multipliers as lanes and as arrays: what of them an LSTM uses, and where the rest goes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.column import column_words
from deltatrain.accel.counters import Counters
from deltatrain.accel.op_table import NO_TENSOR
from deltatrain.accel.program import Program
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.run import synthetic_trace
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.workloads.lowering.step_programs import dense_program, recorded_program
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload

ABOUT = (
    "What is a wide machine used for on one LSTM layer, if its multipliers are lanes of one array, and if they are "
    "arrays that take different columns, as Spartus has 8 of 64 (Gao et al., TNNLS 2022)? Ours: everything in local "
    "SRAM, 64 neurons of the element-wise unit at once, a training step at fidelity cycle, masks by statistics. Four "
    "shares add up to 100 %: multiplied; no row in the lane; no column left for the array; waited."
)

_GATES = 4


class Settings(NamedTuple):
    """Multipliers, numbers of arrays, widths of the layer, shares that fire, and the samples: inputs, steps, batch."""

    multipliers: int
    arrays: tuple[int, ...]
    widths: tuple[int, ...]
    occupancies: tuple[float, ...]
    inputs: int
    steps: int
    batch: int


SETTINGS = Settings(4096, (1, 2, 8, 64, 512), (512, 1024), (0.1, 0.3), inputs=128, steps=10, batch=4)
SMALL_SETTINGS = Settings(64, (1, 4, 16), (12,), (0.3,), inputs=8, steps=4, batch=2)


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Return a row for each network and number of arrays; nothing is kept in `folder`.

    Columns: ``network``, "delta" or "dense"; ``occupancy_%``; ``hidden``; ``arrays``, ``lanes`` of each; ``words`` of a
    column; ``kilocycles``; of the multipliers' cycles ``used_%``, ``no_row_%``, ``no_column_%`` and ``waits_%``; used
    in each phase, ``FP_used_%``, ``BP_used_%``, ``WG_used_%``; ``dealt_by_order_%``, how long the lanes would be busy
    if columns were dealt out by their order in the list, from memory that reads any of them at once, over how long they
    are.
    """
    points = [
        (network, occupancy, hidden)
        for hidden in settings.widths
        for network, occupancy in (*(("delta", share) for share in settings.occupancies), ("dense", 1.0))
    ]
    table: list[Row] = []
    for done, (network, occupancy, hidden) in enumerate(points):
        progress("arrays", done / len(points), f"{network}, occupancy {100 * occupancy:g} %, {hidden} neurons")
        trace = synthetic_trace(_workload(settings, occupancy, hidden))
        table += [_row(trace, network, occupancy, settings.multipliers // arrays, arrays) for arrays in settings.arrays]
    return table


def _row(trace: Trace, network: str, occupancy: float, lanes: int, arrays: int) -> Row:
    program = (recorded_program if network == "delta" else dense_program)(
        machine(arrays, lanes), trace, trace.recorded[0]
    )
    counters, (hidden,) = cycle.count(program), trace.workload.hidden
    return {
        "network": network,
        "occupancy_%": round(100 * occupancy, 1),
        "hidden": hidden,
        "arrays": arrays,
        "lanes": lanes,
        "words": column_words(_GATES, hidden, lanes),
        "kilocycles": round(counters.cycles / 1000, 2),
        **{f"{name}_%": round(100 * share, 1) for name, share in shares(counters, arrays).items()},
        **{
            f"{name}_used_%": round(100 * counters.phases[name].utilisation(counters.lanes), 1)
            for name in ("FP", "BP", "WG")
        },
        "dealt_by_order_%": round(100 * dealt_by_order(program), 1),
    }


def machine(arrays: int, lanes: int) -> Architecture:
    """Return a machine of so many arrays with everything in local SRAM, and buffers to hold two words of each array."""
    words = 2 * arrays * lanes * (2 + 4)
    return Architecture.named(
        "edge",
        {
            "name": f"{arrays} x {lanes}",
            "engine.clock_hz": 200_000_000,
            "engine.arrays": arrays,
            "engine.lanes": lanes,
            "engine.encoder_elements": 64,
            "engine.elementwise_lanes": 64,
            "local.bytes": 1 << 30,
            "cache.bytes": 0,
            "dma.buffer_bytes": words,
            "dma.bytes_per_cycle": 128,
            "remote.bus_bits": 64,
            **{f"placement.{use}": "local" for use in ("weights", "gradients", "tape")},
        },
    )


def shares(counters: Counters, arrays: int) -> dict[str, float]:
    """Return what the multipliers of a run did, as shares of their cycles; a run of one array waits for no other."""
    whole = counters.cycles * counters.lanes
    busy = sum(phase.busy_cycles for phase in counters.phases.values()) * counters.lanes
    no_column = sum(phase.imbalance_cycles for phase in counters.arrays.values()) * (counters.lanes // arrays)
    found = {"used": counters.macs, "no_row": busy - counters.macs - no_column, "no_column": no_column}
    return {name: cycles / whole for name, cycles in (found | {"waits": whole - busy}).items()}


def dealt_by_order(program: Program) -> float:
    """Return the lanes' busy cycles if columns were dealt out by their order in each list, over those they have."""
    ops, arrays = program.ops, program.architecture.engine.arrays
    matrix = ops.tensor != NO_TENSOR
    even = np.maximum(-(-ops.count // arrays) * ops.words, 1)
    return float(even[matrix].sum() / program.issue_cycles[matrix].sum())


def _workload(settings: Settings, occupancy: float, hidden: int) -> Workload:
    return Workload.named(
        "synthetic",
        {
            "cell": "delta_lstm",
            "hidden": [hidden],
            "training.batch": settings.batch,
            "synthetic.inputs": settings.inputs,
            "synthetic.steps": settings.steps,
            "synthetic.occupancy_x": occupancy,
            "synthetic.occupancy_h": occupancy,
        },
    )
