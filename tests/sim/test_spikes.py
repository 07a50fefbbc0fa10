"""Spiking networks on a machine: laws and gates count them alike; what nothing does is refused in one line."""

from __future__ import annotations

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.program import MODE_NAMES
from deltatrain.sim.capabilities import against_planning, against_simulating
from deltatrain.sim.fidelity.rtl import SEED
from deltatrain.sim.gates.drawn_step import drawn_trace
from deltatrain.sim.run import simulate, synthetic_trace
from deltatrain.workloads.lowering.step_programs import recorded_program
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.workload import Workload

SPIKING = ("lif", "lif_recurrent")
SYNTHETIC = {"hidden": [9, 6], "training.batch": 2, "theta_x": 0, "theta_h": 0}


def _workload(cell: str) -> Workload:
    return Workload.named("tiny", SYNTHETIC | {"cell": cell})


@pytest.mark.parametrize("cell", SPIKING)
def test_the_laws_count_a_spiking_network(cell: str) -> None:
    tiny = Architecture.named("tiny")
    bound, counted = (simulate(tiny, _workload(cell), fidelity=name) for name in ("analytic", "cycle"))
    assert 0 < bound.counters.cycles <= counted.counters.cycles < counted.dense.cycles
    assert counted.counters.phases.keys() == bound.counters.phases.keys()


@pytest.mark.parametrize("cell", SPIKING)
def test_gates_count_a_spiking_network_as_the_laws_do(cell: str) -> None:
    tiny, workload = Architecture.named("tiny"), _workload(cell).with_changes(hidden=[3], training__batch=1)
    trace = synthetic_trace(workload)
    drawn = drawn_trace(tiny, trace, trace.recorded[0], SEED)
    on_gates = simulate(tiny, workload, fidelity="rtl", engine="amaranth")
    assert on_gates.counters == simulate(tiny, drawn, fidelity="cycle").counters


@pytest.mark.parametrize(
    ("machine", "neuron", "fault"),
    [
        ({"checkpoint.policy": "optimal"}, {}, "the gates of spiking cells move no tapes while they run steps again"),
        (
            {},
            {"neuron.listed_share": 0.5, "neuron.listed_first": "random"},
            "neuron.listed_first must be 'lowest', not 'random'",
        ),
    ],
)
def test_what_gates_do_not_do_of_spikes_is_refused(machine: dict, neuron: dict, fault: str) -> None:
    workload = Workload.named("tiny", SYNTHETIC | {"cell": "lif"} | neuron)
    with pytest.raises(ConfigError, match=fault):
        simulate(Architecture.named("tiny", machine), workload, fidelity="rtl")


def test_a_layer_without_a_recurrent_matrix_has_no_ops_on_one() -> None:
    trace = synthetic_trace(_workload("lif"))
    program = recorded_program(Architecture.named("tiny"), trace, trace.recorded[0])
    kinds = {MODE_NAMES[mode] for mode in program.ops.mode[program.ops.stream == 1]}
    assert kinds == {"cell_forward", "cell_backward"}
    assert not [tensor.name for tensor in program.tensors if tensor.stream == "h"]


def test_gradient_only_neurons_cost_the_backward_pass_alone() -> None:
    trace = synthetic_trace(_workload("lif_recurrent"))
    (step,) = trace.recorded
    valid = [np.ones_like(mask) for mask in step.fired_x]
    back = [np.broadcast_to((np.arange(len(mask)) > 0)[:, None, None], mask.shape).copy() for mask in step.fired_h]
    more = RecordedStep(0, 0, step.lengths, step.fired_x, step.fired_h, tuple(valid), tuple(back))
    one, other = (recorded_program(Architecture.named("tiny"), trace, each) for each in (step, more))
    for name in MODE_NAMES:
        chosen = one.ops.mode == MODE_NAMES.index(name)
        counts = [int(each.ops.count[chosen].sum()) for each in (one, other)]
        if name in ("matvec_t", "encode_spikes"):
            assert counts[0] < counts[1]
        elif name not in ("load", "store"):  # of the tape, which lies in local memory here
            assert counts[0] == counts[1]


def test_spikes_are_listed_before_gradient_only_neurons() -> None:
    trace = synthetic_trace(_workload("lif_recurrent"))
    (step,) = trace.recorded
    asked = [np.ones_like(mask) for mask in step.fired_x], [np.ones_like(mask) for mask in step.fired_h]
    more = RecordedStep(0, 0, step.lengths, step.fired_x, step.fired_h, *map(tuple, asked))
    program = recorded_program(Architecture.named("tiny"), trace, more)
    ops, steps = program.ops, 0
    for row in np.flatnonzero(ops.is_mode("matvec_t") & (ops.stream == 1)):
        layer, t, sample = ops.layer[row], ops.step[row], ops.sample[row]
        listed = program.columns[ops.list_start[row] : ops.list_start[row] + ops.count[row]]
        spikes = np.flatnonzero(step.fired_h[layer][t, sample])
        others = np.flatnonzero(~step.fired_h[layer][t, sample])
        np.testing.assert_array_equal(listed, [*spikes, *others])
        steps += 0 < len(spikes) < len(listed)
    assert steps > 2


def test_what_no_program_does_is_refused() -> None:
    drawn = synthetic_trace(_workload("lif"))
    workload = Workload.named("spikes", {"cell": "lif", "hidden": [9, 6], "dataset": "digits"})
    with pytest.raises(ConfigError, match="data set 'digits' has other values"):
        simulate(Architecture.named("tiny"), Trace(workload, drawn.inputs, drawn.classes, drawn.recorded, ()))


@pytest.mark.parametrize("rule", ["ottt", "eprop"])
@pytest.mark.parametrize("cell", SPIKING)
def test_the_laws_count_a_network_that_learns_online(cell: str, rule: str) -> None:
    tiny, workload = Architecture.named("tiny"), _workload(cell).with_changes(training__rule=rule, readout="every")
    bound, counted = (simulate(tiny, workload, fidelity=name) for name in ("analytic", "cycle"))
    assert 0 < bound.counters.cycles <= counted.counters.cycles < counted.dense.cycles
    assert bound.dense.cycles <= counted.dense.cycles
    assert bound.counters.work == counted.counters.work
    assert counted.counters.phases["WG"].macs > counted.counters.phases["FP"].macs


@pytest.mark.parametrize(
    ("machine", "workload", "fault"),
    [
        ({"engine.arrays": 2}, {}, "engine.arrays must be 1 for training.rule 'ottt', not 2"),
        ({"engine.outer_steps": 2}, {}, "engine.outer_steps must be 1 for training.rule 'ottt', not 2"),
        ({"engine.in_turn": True}, {}, "engine.in_turn must be false for training.rule 'ottt'"),
        ({"local.ports": 1}, {}, "local.ports must be 2 for training.rule 'ottt', not 1"),
        ({"checkpoint.policy": "segment"}, {}, "checkpoint.policy must be left out for training.rule 'ottt'"),
        ({}, {"sparsity.rule": "static", "sparsity.density": 0.5}, "sparsity.rule must be 'dense' for training.rule"),
        (
            {"tiles.count": 2, "tiles.exchange_bytes_per_cycle": 8, "tiles.exchange_latency_cycles": 4},
            {},
            "tiles.count must be 1 for training.rule 'ottt', not 2",
        ),
    ],
)
def test_what_does_not_go_with_online_learning_is_refused(machine: dict, workload: dict, fault: str) -> None:
    changes = SYNTHETIC | {"cell": "lif", "training.rule": "ottt"} | workload
    with pytest.raises(ConfigError, match=fault):
        simulate(Architecture.named("tiny", machine), Workload.named("tiny", changes), fidelity="analytic")


@pytest.mark.parametrize("cell", SPIKING)
def test_the_laws_count_windows_and_a_window_of_all_steps_is_the_whole(cell: str) -> None:
    tiny, whole = Architecture.named("tiny"), _workload(cell).with_changes(readout="every")
    rule = {"training__rule": "truncated"}
    counted, cut, uncut = (
        simulate(tiny, one, fidelity="cycle").counters
        for one in (whole, *(whole.with_changes(**rule, training__gradient_steps=steps) for steps in (2, 100)))
    )
    assert cut.cycles > counted.cycles
    assert cut.phases["FP"].macs == counted.phases["FP"].macs == uncut.phases["FP"].macs
    assert (uncut.work, uncut.cycles) == (counted.work, counted.cycles) or cell == "lif_recurrent"


def test_gates_and_plans_refuse_online_learning() -> None:
    tiny, workload = Architecture.named("tiny"), _workload("lif").with_changes(training__rule="ottt")
    for reasons in (against_simulating(tiny, workload, "rtl"), against_planning(tiny, workload)):
        assert [line for line in reasons if line.startswith("training.rule must be 'bptt'")]
