"""A cache of columns, or weight gradients in groups: what each saves, for networks that fire little or all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.pricing.run_energy import energy_j
from deltatrain.accel.program import Program
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.output_folder import OutputFolder
from deltatrain.sim.run import synthetic_trace
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.workloads.lowering.step_programs import dense_program, recorded_program
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload

ABOUT = (
    "What does local SRAM save as a cache of columns? Not published for delta networks or for training, as far as we "
    "found; nearest: time-step interleaved weight reuse for dense LSTM inference (Park et al., ISLPED 2020). Ours: an "
    "LSTM layer on edge with 512 KiB of SRAM, cycle fidelity, masks by statistics. Beside it the bytes that the same "
    "cache moves if it knows the future (Belady, the fewest misses), and if it knows that the backward pass reads the "
    "lists in reverse. And what the order does: weight gradients of several steps in one op (engine.outer_steps), "
    "which reads and writes a column of dW once for all of them, alone and beside the cache."
)

_LOCAL_BYTES = 524_288
_KIB = 1024


class Settings(NamedTuple):
    """Sizes of the cache in KiB, steps of a group, shares that fire, samples, and the network: width, inputs, steps.

    The sizes are tried with each step by itself and in groups of `grouped` steps, the groups without a cache.
    """

    sizes: tuple[int, ...]
    groups: tuple[int, ...]
    grouped: int
    occupancies: tuple[float, ...]
    batches: tuple[int, ...]
    hidden: int
    inputs: int
    steps: int


SETTINGS = Settings(
    (16, 32, 64, 96, 128, 256), (2, 4, 8, 16, 40), 8, (0.05, 0.1, 0.2), (1, 4), hidden=64, inputs=16, steps=40
)
SMALL_SETTINGS = Settings((2, 16), (4,), 4, (0.2,), (1,), hidden=16, inputs=4, steps=6)


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Return a row for each network, number of samples, size of the cache and group; the figure is left in `folder`.

    Columns: ``network``, "delta" or "dense"; ``occupancy_%``; ``batch``; ``group_steps``, 1 for each step by itself;
    ``cache_KiB``; ``kept_kB`` more of tape than with each step by itself; ``hit_%`` of all lookups; ``moved_MB``
    off-chip and ``time_ms``; how many times fewer bytes, cycles and joules than with neither: ``fewer_bytes_times``,
    ``faster_times``, ``less_energy_times``; ``belady_fewer_bytes_times`` and ``reverse_fewer_bytes_times``, those of
    the other policies.
    """
    from deltatrain.reports.figures import column_cache

    points = [("delta", occupancy, batch) for occupancy in settings.occupancies for batch in settings.batches]
    points += [("dense", 1.0, batch) for batch in settings.batches]
    table: list[Row] = []
    for done, (network, occupancy, batch) in enumerate(points):
        progress("cache", done / len(points), f"{network}, occupancy {100 * occupancy:g} %, batch {batch}")
        table += _of_network(settings, network, occupancy, batch)
    setting = f"LSTM layer of {settings.hidden}, {settings.steps} steps, edge, {cycle.LABEL}"
    OutputFolder(folder).save_figure(
        "column_cache", column_cache.draw([row for row in table if row["group_steps"] == 1], setting=setting)
    )
    return table


class Run(NamedTuple):
    """A training step: cycles, bytes moved, joules, and the share of lookups that hit."""

    cycles: int
    moved_bytes: int
    joules: float
    hit_share: float


def _of_network(settings: Settings, network: str, occupancy: float, batch: int) -> list[Row]:
    trace = synthetic_trace(_workload(settings, occupancy, batch))
    plain = _program(trace, network, 0, 1)
    base = run(plain)
    about: Row = {"network": network, "occupancy_%": round(100 * occupancy, 1), "batch": batch}
    points = [(size, 1) for size in settings.sizes] + [(0, steps) for steps in settings.groups]
    points += [(size, settings.grouped) for size in settings.sizes]
    found: list[Row] = []
    for size, group_steps in points:
        program = _program(trace, network, size, group_steps)
        one = run(program)
        of_policies = {name: base.moved_bytes / _moved_bytes(program, name) for name in ("belady", "reverse")}
        found.append(
            {
                **about,
                "group_steps": group_steps,
                "cache_KiB": size,
                "kept_kB": round((program.local_bytes["tape"] - plain.local_bytes["tape"]) / 1e3, 1),
                "hit_%": round(100 * one.hit_share, 1),
                "moved_MB": round(one.moved_bytes / 1e6, 3),
                "time_ms": round(1e3 * one.cycles / program.architecture.engine.clock_hz, 3),
                "fewer_bytes_times": round(base.moved_bytes / one.moved_bytes, 2),
                "faster_times": round(base.cycles / one.cycles, 2),
                "less_energy_times": round(base.joules / one.joules, 2),
                **{f"{policy}_fewer_bytes_times": round(times, 2) for policy, times in of_policies.items()},
            }
        )
    return found


def run(program: Program) -> Run:
    """Return what a program takes."""
    counters = cycle.count(program)
    hits, misses = (sum(getattr(one, what) for one in counters.cache.values()) for what in ("hits", "misses"))
    joules = sum(energy_j(counters, program.architecture, program.own.update_modes).values())
    return Run(counters.cycles, counters.remote.asked_bytes, joules, hits / max(1, hits + misses))


def _moved_bytes(program: Program, policy: str) -> int:
    """Return the bytes that the program moves off-chip with another policy of its cache, if it has one: by law."""
    cache = program.architecture.cache
    if cache is None or program.cache is None:
        return program.asked_bytes
    machine = program.architecture.model_copy(update={"cache": cache.model_copy(update={"policy": policy})})
    return replace(program, architecture=machine).asked_bytes


def _program(trace: Trace, network: str, size: int, group_steps: int) -> Program:
    changes = {"local.bytes": _LOCAL_BYTES, "engine.outer_steps": group_steps}
    changes |= {"cache.bytes": size * _KIB, "cache.ways": 8}
    machine = Architecture.named("edge", changes)
    return (recorded_program if network == "delta" else dense_program)(machine, trace, trace.recorded[0])


def _workload(settings: Settings, occupancy: float, batch: int) -> Workload:
    return Workload.named(
        "synthetic",
        {
            "hidden": [settings.hidden],
            "training.batch": batch,
            "synthetic.inputs": settings.inputs,
            "synthetic.steps": settings.steps,
            "synthetic.occupancy_x": occupancy,
            "synthetic.occupancy_h": occupancy,
        },
    )
