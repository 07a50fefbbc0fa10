"""Learning rules of spiking networks side by side on one machine: accuracy, memory, cycles, bytes and joules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.pricing.run_energy import energy_j
from deltatrain.accel.program import CACHE, Program
from deltatrain.sim import programs
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.output_folder import OutputFolder
from deltatrain.sim.studies import _training
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.workloads.trace import Trace

ABOUT = (
    "What do online learning rules save, and what do they cost on a machine whose work follows what spikes? Published "
    "on SHD: OTTT 70.5 %, back-propagation through time 78.1 % (arXiv 2311.16151); memory that does not grow with T "
    "(Xiao et al., NeurIPS 2022, arXiv 2210.04195; Bellec et al., Nature Communications 11, 3625, 2020); no cycles, "
    "bytes or joules. Ours: back-propagation, truncated back-propagation, OTTT and e-prop of LIF networks on the "
    "recordings of spikes, one mini-batch of each trained network on edge without a column cache, cycle fidelity. "
    "Room is what a rule takes of local memory beside matrices and buffers: state, tape, lists, traces."
)

BPTT = "bptt"
_BUFFERS = ("column buffer", "weights", "gradients", CACHE)


class Settings(NamedTuple):
    """What is trained, and the changes of the machine `edge`."""

    training: _training.Settings
    machine: dict[str, Any]


def compared(
    changes: dict[str, Any], seeds: tuple[int, ...], networks: tuple[tuple[str, tuple[int, ...]], ...]
) -> Settings:
    """Return settings that compare all rules on these networks, each a cell and its widths."""
    rules: dict[str, dict[str, Any]] = {
        BPTT: {},
        "truncated, 10 steps": {"training.rule": "truncated", "training.gradient_steps": 10},
        "ottt": {"training.rule": "ottt"},
        "eprop": {"training.rule": "eprop"},
    }
    trials = {
        f"{cell} {' '.join(map(str, hidden))}: {name}": {"cell": cell, "hidden": hidden, **rule}
        for cell, hidden in networks
        for name, rule in rules.items()
    }
    return Settings(_training.Settings("spikes", changes, seeds, trials), {})


SETTINGS = compared({}, (1, 2, 3), (("lif", (256,)), ("lif", (128, 128)), ("lif_recurrent", (128, 128))))
SMALL_SETTINGS = compared({"training.epochs": 2, "training.batch": 16}, (1,), (("lif", (24, 16)),))


class Run(NamedTuple):
    """A mini-batch on a machine.

    Cycles, bytes moved off-chip, joules; room in local memory, and that of tape and traces in it; the share of the
    columns of dW that the layers' weight gradients work through.
    """

    cycles: int
    moved_bytes: int
    joules: float
    room_bytes: int
    tape_bytes: int
    trace_bytes: int
    learned_columns: float


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Train everything, simulate the last step of the first seed, and return a row for each network and rule.

    Columns: ``network``, ``rule``; ``accuracy_%``, ``accuracy_sd_%``, ``lost_points`` against back-propagation, over
    the seeds; ``kilocycles``, ``moved_MB`` off-chip and ``energy_mJ`` of a mini-batch, and ``cycles_times``,
    ``energy_times`` over those of back-propagation's network; ``rule_cycles_times``, ``rule_energy_times`` likewise of
    the rule on what spikes in that network, so that nothing but the rule differs; ``room_kB`` in local memory,
    ``tape_kB`` and ``traces_kB`` of it; ``learned_%``, the share of the columns of the layers' dW that a step works
    through, measured; ``seeds``. Accuracy over energy and over room is left in `folder` as a figure.
    """
    from deltatrain.reports.figures import learning_rules

    training = settings.training
    outcomes = _training.trained(training, folder, progress)
    machine = Architecture.named("edge", settings.machine).without_cache()
    runs, traces, table = dict[str, Run](), dict[str, Trace](), list[Row]()
    for done, trial in enumerate(training.trials):
        progress("simulated", done / len(training.trials), trial)
        network, _, rule = trial.partition(": ")
        baseline = f"{network}: {BPTT}"
        trace = traces[trial] = _training.trace(training, trial, folder)
        runs[trial] = run(trace, machine)
        same_spikes = replace(traces[baseline], workload=trace.workload)
        of_rule = runs[trial] if trial == baseline else run(same_spikes, machine)
        accuracy = _training.accuracy_columns(trial, baseline, training, outcomes)
        table.append({"network": network, "rule": rule, **accuracy, **_costs(runs[trial], runs[baseline])})
        table[-1] |= _on_same_spikes(of_rule, runs[baseline]) | {"seeds": len(training.seeds)}
    setting = f"a mini-batch on {machine.name}, {cycle.LABEL}"
    OutputFolder(folder).save_figure("learning_rules", learning_rules.draw(table, setting=setting))
    return table


def run(trace: Trace, machine: Architecture) -> Run:
    """Return what the trace's last step takes on a machine."""
    program = programs.recorded_program(machine, trace, trace.recorded[-1])
    counters = cycle.count(program)
    joules = sum(energy_j(counters, machine, program.own.update_modes).values())
    local = program.local_bytes
    room = sum(size for use, size in local.items() if use not in _BUFFERS)
    kept = room, local.get("tape", 0), local.get("traces", 0)
    return Run(counters.cycles, counters.remote.asked_bytes, joules, *kept, _learned(program))


def _learned(program: Program) -> float:
    """Return the share of columns that the layers' weight gradients work through."""
    ops = program.ops
    of_layers = ops.is_mode("outer") & ops.is_stream("x", "h")
    return int(ops.count[of_layers].sum()) / int(ops.dense_count[of_layers].sum())


def _on_same_spikes(one: Run, bptt: Run) -> Row:
    return {
        "rule_cycles_times": round(one.cycles / bptt.cycles, 3),
        "rule_energy_times": round(one.joules / bptt.joules, 3),
    }


def _costs(one: Run, bptt: Run) -> Row:
    return {
        "kilocycles": round(one.cycles / 1e3, 1),
        "cycles_times": round(one.cycles / bptt.cycles, 3),
        "moved_MB": round(one.moved_bytes / 1e6, 2),
        "energy_mJ": round(1e3 * one.joules, 3),
        "energy_times": round(one.joules / bptt.joules, 3),
        "room_kB": round(one.room_bytes / 1e3, 1),
        "tape_kB": round(one.tape_bytes / 1e3, 1),
        "traces_kB": round(one.trace_bytes / 1e3, 2),
        "learned_%": round(100 * one.learned_columns, 1),
    }
