"""What an optimiser costs on a machine, beside plain gradient descent: the same columns, and more products."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.modes import mean_products, most_products, norm
from deltatrain.accel.pricing.run_energy import energy_j, lanes_pj
from deltatrain.accel.pricing.update_energy import update_energy_j
from deltatrain.reports.optimiser import machine_optimiser, optimiser_rows
from deltatrain.sim.cli import main
from deltatrain.sim.fidelity import analytic, cycle
from deltatrain.sim.run import simulate, synthetic_trace
from deltatrain.workloads.workload import Workload

KEEPING = {
    "update_momentum": ({"momentum": 0.9}, 2),
    "update_decay": ({"momentum": 0.9, "weight_decay": 1e-3}, 3),
}
MACHINES = {
    "off-chip": {"cache.bytes": 0},
    "local": {"placement.weights": "local", "placement.gradients": "local", "local.bytes": 2**20},
    "one port": {
        **{"placement.weights": "local", "placement.gradients": "local", "local.bytes": 2**20},
        **{"local.ports": 1, "local.banks": 3},
    },
}

TWO_TILES = {"tiles": {"count": 2, "exchange_bytes_per_cycle": 8, "exchange_latency_cycles": 3}}


def _trace(optimiser):
    return synthetic_trace(Workload.named("tiny", {"training.machine_optimiser": optimiser}))


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("mode", KEEPING)
def test_what_is_kept_in_dw_moves_no_further_byte(mode, machine):
    optimiser, products = KEEPING[mode]
    architecture = Architecture.named("edge", MACHINES[machine])
    plain, keeping = (
        cycle.program(architecture, trace, trace.recorded[-1]) for trace in (_trace({}), _trace(optimiser))
    )
    updates = plain.ops.is_phase("WU")
    assert keeping.ops.is_mode(mode).tolist() == updates.tolist() == plain.ops.is_mode("update").tolist()
    for field in dataclasses.fields(plain.ops):
        same = getattr(plain.ops, field.name) == getattr(keeping.ops, field.name)
        assert (same | updates[:, None] if same.ndim == 2 else same | (updates & (field.name == "mode"))).all()
    assert (keeping.local_bytes, keeping.remote_bytes) == (plain.local_bytes, plain.remote_bytes)
    counted = cycle.count(plain), cycle.count(keeping)
    assert counted[0].phases["WU"].remote_bytes == counted[1].phases["WU"].remote_bytes
    if machine != "one port":
        assert counted[0] == counted[1]
    assert analytic.count(keeping) == analytic.count(plain)
    assert most_products(keeping.own.update_modes) == mean_products(keeping.own.update_modes) == products


@pytest.mark.parametrize("machine", [*MACHINES, "cached"])
def test_clipping_reads_all_gradients_once_more_before_the_first_update(machine):
    table = MACHINES.get(machine, {"cache": {"bytes": 2**15, "ways": 4, "line_bytes": 64}})
    architecture = Architecture.named("edge", table)
    plain, clipping = (
        cycle.program(architecture, trace, trace.recorded[-1]) for trace in (_trace({}), _trace({"clip_norm": 1.0}))
    )
    norms, updates = (np.flatnonzero(clipping.ops.is_mode(mode)) for mode in ("norm", "update"))
    assert len(norms) == len(updates) == plain.ops.is_mode("update").sum() and norms.max() < updates.min()
    assert (clipping.ops.depends[updates, 1] == norms[-1]).all()
    counted = [cycle.count(one) for one in (plain, clipping)]
    gradients = [tensor for tensor in clipping.tensors if tensor.kind == "gradients"]
    moved = counted[1].phases["WU"].remote_bytes - counted[0].phases["WU"].remote_bytes
    if machine != "cached":
        assert moved == sum(tensor.bytes for tensor in gradients if tensor.remote)
    words = sum(tensor.columns * tensor.words for tensor in gradients)
    assert sum(clipping.issue_cycles[norms]) == words
    root_cycles = norm.drain_cycles(architecture.engine)
    longer = counted[1].cycles - counted[0].cycles
    assert longer == words + root_cycles if machine == "local" else longer > root_cycles
    assert analytic.count(clipping).cycles <= counted[1].cycles


ADAM = {"name": "adam", "momentum": 0.9}


@pytest.mark.parametrize("machine", ["off-chip", "local"])
def test_adam_keeps_two_numbers_of_each_weight_and_moves_dw_once_more(machine):
    architecture = Architecture.named("edge", MACHINES[machine])
    plain, adam = (cycle.program(architecture, trace, trace.recorded[-1]) for trace in (_trace({}), _trace(ADAM)))
    moments, updates = (np.flatnonzero(adam.ops.is_mode(mode)) for mode in ("moments", "update"))
    assert (adam.ops.depends[updates, 1] == moments[-1]).all(), "what drains longer is waited for"
    assert (adam.ops.second_tensor[moments] == adam.ops.second_tensor[updates]).all()
    of_kind = {
        kind: sum(tensor.bytes for tensor in adam.tensors if tensor.kind == kind)
        for kind in ("weights", "gradients", "moments")
    }
    assert of_kind["moments"] == 2 * of_kind["gradients"] > 0
    held = adam.remote_bytes if machine == "off-chip" else adam.local_bytes
    assert held["moments"] == of_kind["moments"]
    further, counted = 2 * (of_kind["moments"] + of_kind["gradients"]), [cycle.count(one) for one in (plain, adam)]
    before, after = (run.phases["WU"] for run in counted)
    assert after.remote_bytes - before.remote_bytes == (further if machine == "off-chip" else 0)
    assert after.local_bytes - before.local_bytes == further
    assert after.macs == 2 * before.macs and counted[1].cycles > counted[0].cycles
    assert analytic.count(adam).cycles <= counted[1].cycles


@pytest.mark.parametrize("mode", KEEPING)
def test_energy_is_that_of_plain_descent_and_of_the_further_products(mode):
    optimiser, products = KEEPING[mode]
    plain, keeping = (simulate("edge", _trace(table), dense=False) for table in ({}, optimiser))
    architecture = Architecture.named("edge")
    of_update = lanes_pj(plain.counters.phases, architecture)["WU"] * 1e-12
    assert keeping.energy_j["lanes"] - plain.energy_j["lanes"] == pytest.approx((products - 1) * of_update)
    assert {name: joules for name, joules in keeping.energy_j.items() if name != "lanes"} == {
        name: joules for name, joules in plain.energy_j.items() if name != "lanes"
    }
    multiplier = plain.area_mm2["lane multipliers"]
    assert keeping.area_mm2 == pytest.approx(plain.area_mm2 | {"update multipliers": (products - 1) * multiplier})


def test_the_energy_of_all_phases_is_that_of_the_run():
    """Every byte, cycle and product is of one phase: the shares of a run that only updates are the whole."""
    counters = simulate("edge", _trace({}), dense=False).counters
    update = counters.phases["WU"]
    phases = {name: update if name == "WU" else _nothing(phase) for name, phase in counters.phases.items()}
    alone = counters.model_copy(update={"phases": phases, "cycles": update.cycles})
    architecture = Architecture.named("edge", {"energy": "cacti7_45nm_hp+horowitz_45nm"})
    spent = energy_j(alone, architecture) | {"encoder": 0.0, "elementwise": 0.0}
    assert update_energy_j(alone, spent, architecture) == pytest.approx(sum(spent.values()))
    halves = counters.model_copy(
        update={"phases": phases | {"FP": update.model_copy(update={"macs": 0})}, "cycles": 2 * update.cycles}
    )
    without_lanes = spent | {"lanes": 0.0}
    assert update_energy_j(halves, without_lanes, architecture) == pytest.approx(sum(without_lanes.values()) / 2)


def _nothing(phase):
    return phase.model_copy(
        update=dict.fromkeys(("busy_cycles", "macs", "remote_bytes", "local_bytes"), 0) | {"stall_cycles": {}}
    )


@pytest.mark.parametrize(
    ("changes", "fidelity", "said"),
    [
        ({"sparsity.rule": "static", "sparsity.density": 0.5}, "cycle", "sparsity.rule must be 'dense' for gradient"),
        (
            {"training.machine_optimiser": {"clip_norm": 1.0}, "sparsity.rule": "static", "sparsity.density": 0.5},
            "cycle",
            "sparsity.rule must be 'dense' for gradient descent with clip norm 1",
        ),
        (
            {"training.machine_optimiser": {"clip_norm": 1.0}},
            "rtl",
            "the gates do no gradient descent with clip norm 1",
        ),
        (
            {"training.machine_optimiser": {"clip_norm": 1.0, "momentum": 0.5}},
            "cycle",
            "clip_norm must be left out with momentum or weight_decay, not 1: dW then holds more",
        ),
        ({"training.machine_optimiser": ADAM}, "rtl", "the gates do no adam with momentum 0.9"),
        (
            {"training.machine_optimiser": ADAM | {"weight_decay": 0.1}},
            "cycle",
            "weight_decay and clip_norm must be left",
        ),
        (
            {"training.machine_optimiser": ADAM, "machine": {"local.ports": 1}},
            "cycle",
            "training.machine_optimiser.name 'adam' needs local.ports = 2, not 1",
        ),
        (
            {"training.machine_optimiser": ADAM, "machine": {"dma.buffer_bytes": 191}},
            "cycle",
            r"dma.buffer_bytes must hold two words of moments and dW \(192 bytes\)",
        ),
        (
            {"training.machine_optimiser": {"clip_norm": 1.0}, "machine": TWO_TILES},
            "cycle",
            "clip_norm must be left out for a machine of several tiles, which add up no norm",
        ),
        ({}, "rtl", "the gates do no gradient descent with weight decay 0.01"),
        (
            {"training.machine_optimiser": {"momentum": 1e-9}},
            "cycle",
            "momentum must be 0, or above 1.53e-05 and at most",
        ),
        ({"training.machine_optimiser": {"weight_decay": 1e9}}, "analytic", r"weight_decay must be 0, .* not 1e\+09"),
        ({"training.machine_optimiser": {"clip_norm": 1e-30}}, "analytic", "clip_norm must be above .* not 1e-30"),
    ],
)
def test_what_no_machine_does_is_refused_by_name(changes, fidelity, said):
    machine = Architecture.named("tiny" if fidelity == "rtl" else "edge", changes.get("machine", {}))
    changes = {name: value for name, value in changes.items() if name != "machine"}
    with pytest.raises(ConfigError, match=said):
        workload = Workload.named("tiny", {"training.machine_optimiser": {"weight_decay": 0.01}} | changes)
        simulate(machine, workload, fidelity=fidelity)


@pytest.mark.parametrize(("fidelity", "is_said"), [("analytic", True), ("cycle", False)])
def test_a_bound_says_that_its_updates_may_take_longer(fidelity, is_said, capsys):
    """Phases of a bound have parts of it; here the port alone needs more cycles for the bytes that an update moves."""
    assert main(["simulate", "-w", "tiny", "--on", "edge", "-f", fidelity, "--no-dense"]) == 0
    assert ("by themselves they may take longer" in capsys.readouterr().out) == is_said
    update = simulate("edge", "tiny", fidelity=fidelity, dense=False).counters.phases["WU"]
    read_bytes = update.remote_bytes // 2
    assert (update.cycles < read_bytes / Architecture.named("edge").dma.bytes_per_cycle) == is_said


def test_a_step_says_by_what_it_is_updated():
    result = simulate("edge", _trace({"momentum": 0.5}))
    rows = optimiser_rows(result)
    assert machine_optimiser(result).words == "gradient descent with momentum 0.5"
    assert [row["run"] for row in rows] == ["delta", "dense"]
    assert [row["cycles"] for row in rows] == [run.phases["WU"].cycles for run in result.runs.values()]
    assert all(0 < row["energy_share"] < 1 and 0 < row["share"] < 1 for row in rows)
    assert np.isclose(rows[0]["energy_share"] * sum(result.energy_j.values()), rows[0]["energy_j"])
