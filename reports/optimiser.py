"""By what the machine updates weights, and what that takes of a step."""

from __future__ import annotations

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.machine_optimiser import PLAIN, MachineOptimiser
from deltatrain.accel.pricing.update_energy import update_energy_j
from deltatrain.accel.quantity import quantity
from deltatrain.accel.result import Result
from deltatrain.reports.table import Row, phases_of


def update_note(result: Result) -> str:
    """Return the sentence on the update that the machine makes, where the workload names another; empty otherwise."""
    training, machine = result.workload.get("training", {}), machine_optimiser(result)
    optimiser, own = training.get("optimiser"), [n for n in ("momentum", "weight_decay") if training.get(n)]
    if "WU" not in phases_of(result) or optimiser is None or (optimiser == "sgd" and not own and machine == PLAIN):
        return ""
    named = optimiser if optimiser != "sgd" or not own else f"sgd with {' and '.join(own).replace('_', ' ')}"
    is_told = "plain SGD" if machine == PLAIN else machine.words
    return f"The machine's update (WU) is {is_told}, whatever the workload's optimiser ({named})."


def machine_optimiser(result: Result) -> MachineOptimiser:
    """Return by what the machine updates weights."""
    table = result.workload.get("training", {}).get("machine_optimiser", {})
    return MachineOptimiser.from_table(table, "the result's machine_optimiser")


def remembered_words(result: Result) -> str:
    """Return the sentence on where the machine keeps what its optimiser remembers; empty if that is nothing."""
    optimiser, update = machine_optimiser(result), result.counters.phases["WU"]
    if not optimiser.remembers:
        return ""
    if not optimiser.further_numbers:
        return "What it remembers is in dW's own memory."
    machine = Architecture.from_table(result.architecture, "the result's machine")
    weights = update.macs // len(optimiser.modes)
    size_bytes = optimiser.further_numbers * weights * machine.engine.formats.weight_gradient.bytes
    return f"It remembers {optimiser.further_numbers} numbers of each weight, {quantity(size_bytes, 'B')} beside dW."


def optimiser_rows(result: Result) -> list[Row]:
    """Return what the updates of the weights (WU) take, one row for each run; none of a forward pass.

    Columns: ``run``, ``cycles`` and their ``share`` of the run, ``remote_bytes`` and ``local_bytes`` moved,
    ``energy_j`` (`accel.pricing.update_energy`) and its ``energy_share``.
    """
    if "WU" not in phases_of(result):
        return []
    machine = Architecture.from_table(result.architecture, "the result's machine")
    modes = machine_optimiser(result).modes
    rows: list[Row] = []
    for (run, counters), spent in zip(result.runs.items(), (result.energy_j, result.dense_energy_j), strict=False):
        update, total = counters.phases["WU"], sum(spent.values())
        joules = update_energy_j(counters, spent, machine, modes) if spent else 0.0
        rows.append(
            {
                "run": run,
                "cycles": update.cycles,
                "share": update.cycles / counters.cycles if counters.cycles else 0.0,
                "remote_bytes": update.remote_bytes,
                "local_bytes": update.local_bytes,
                "energy_j": joules,
                "energy_share": joules / total if total else 0.0,
            }
        )
    return rows
