"""Gates run the step that was trained: `rtl` and `cycle` agree on one trace, and its weights are the golden model's.

What goes in is found a second way, rounded here from the floating-point numbers; what comes out of the gates is
compared with the golden model on that, and what is counted with the law on the trace.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from gate_steps import compiled
from trained_traces import CLASSES, FEATURES, small_trace, without_numbers

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.origin import ANOTHER_WORKLOAD, AS_RECORDED, BY_STATISTICS, IN_INTEGERS
from deltatrain.sim import flow
from deltatrain.sim.checkpoint_plan import plan
from deltatrain.sim.cli.summary import summary
from deltatrain.sim.fidelity import label
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.recorded_step import recorded_step
from deltatrain.sim.gates.run import StepOnGates
from deltatrain.sim.progress import tell_nobody
from deltatrain.sim.report import report
from deltatrain.sim.run import simulate
from deltatrain.sim.sweep.point import Base, Simulator
from deltatrain.workloads.network.network import Network, from_flat, initial_parameters
from deltatrain.workloads.network.network import training_step as float_training_step
from deltatrain.workloads.step_numbers import StepNumbers
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.training import integer_batch
from deltatrain.workloads.training.integer_recorded import fired_in_integers, in_integers
from deltatrain.workloads.training.integer_training import training_step
from deltatrain.workloads.workload import Workload

TINY = Architecture.named("tiny")
OFF_CHIP = {"placement.weights": "remote", "placement.gradients": "remote"}
MACHINE_NUMBERS = {"training.numbers": TINY.engine.numbers.model_dump(mode="json"), "training.machine_rate": 2.0}
COARSE = {"engine.formats.activation.fraction_bits": 3}  # so that roundings decide what fires
CASES = {
    "lstm of two layers": (
        {"cell": "delta_lstm", "hidden": (4, 3), "changes": {"readout": "every", "training.learning_rate": 2.0}},
        {},
    ),
    "gru": ({"cell": "delta_gru"}, OFF_CHIP),
    "regression": ({"cell": "delta_gru", "changes": {"task": "regression"}}, {}),
    "regression of steps": (
        {"cell": "delta_rnn", "hidden": (4, 3), "changes": {"task": "regression", "readout": "every"}},
        OFF_CHIP,
    ),
    "labelling": ({"cell": "delta_rnn", "changes": {"task": "labelling", "readout": "every"}}, {}),
    "next word": ({"cell": "delta_lstm", "changes": {"task": "next_word", "readout": "every"}}, {}),
    "lstm in the machine's numbers": ({"cell": "delta_lstm", "changes": MACHINE_NUMBERS}, {}),
    "gru in the machine's numbers": (
        {"cell": "delta_gru", "changes": MACHINE_NUMBERS | {"task": "labelling", "readout": "every"}},
        OFF_CHIP,
    ),
    "rnn in few bits": ({"cell": "delta_rnn", "hidden": (7,), "longest": 6}, COARSE),
}


@cache
def trained(case):
    """Return the trace and the machine of one of `CASES`."""
    training, changes = CASES[case]
    return small_trace(**training), Architecture.named("tiny", changes)


def same_on_gates(trace, machine, simulation_of):
    """Check everything of the last step of a trace that gates can get wrong; return what they left of the matrices."""
    step = recorded_step(machine, trace, trace.recorded[-1], seed=0)
    on_gates = StepOnGates(step)
    simulation = simulation_of(on_gates.tile, stops=on_gates.stops, halts="finished")
    try:
        ran = on_gates.run(simulation)
    finally:
        simulation.close()
    assert ran.counters == simulate(machine, trace, fidelity="cycle").counters
    names, golden = list(ran.matrices), training_step(*rounded_here(step, trace))
    weights = dict(zip(names, golden.updated.matrices(), strict=False))
    for name, W in weights.items():
        np.testing.assert_array_equal(ran.matrices[name], W, err_msg=name)
    return ran.matrices


def rounded_here(step, trace):
    """Return what the golden model takes, rounded without the code under test."""
    recorded, formats = trace.recorded[-1], step.architecture.engine.formats
    numbers, parameters = recorded.numbers, from_flat(recorded.numbers.parameters, trace.sizes)

    def rounded(values, number):
        whole = np.rint(np.asarray(values, np.float64) * 2.0**number.fraction_bits)
        return np.clip(whole, number.lowest, number.highest).astype(np.int64)

    for layer, of_machine in zip(parameters.layers, step.parameters.layers, strict=True):
        inputs, width = layer.W_x.shape[1], layer.W_h.shape[1]
        np.testing.assert_array_equal(of_machine.W_x[:, :inputs], rounded(layer.W_x, formats.weight))
        np.testing.assert_array_equal(of_machine.W_h[:, :width], rounded(layer.W_h, formats.weight))
    np.testing.assert_array_equal(step.parameters.readout[:, :-1], rounded(parameters.W_out, formats.weight))
    x = rounded(numbers.inputs, formats.activation)
    samples = [x[:steps, sample] for sample, steps in enumerate(recorded.lengths)]
    classified = recorded.lengths.sum() if trace.workload.readout == "every" else len(recorded.lengths)
    share = 2 / CLASSES if trace.workload.task == "regression" else 1
    rate = max(int(rounded(share * numbers.learning_rate / classified, formats.learning_rate)), 1)
    labels = numbers.labels
    if trace.workload.task == "regression":
        labels = rounded(labels, formats.memory)
    if trace.workload.task == "classification":
        return step.network, step.parameters, samples, labels.tolist(), rate
    stepwise = trace.workload.readout == "every"
    own = [labels[:steps, n] if stepwise else labels[n][None] for n, steps in enumerate(recorded.lengths)]
    return step.network, step.parameters, samples, own, rate


@pytest.mark.parametrize("case", CASES)
def test_a_trained_step_is_the_same_on_gates_and_by_the_law(case):
    trace, machine = trained(case)
    assert len(set(trace.recorded[-1].lengths)) > 1, "ragged"
    step = recorded_step(machine, trace, trace.recorded[-1], seed=0)
    after = same_on_gates(trace, machine, AmaranthSimulation)
    trainer = integer_batch.updated(*in_integers(machine.engine, trace, trace.recorded[-1]))
    for (name, gates), W in zip(after.items(), trainer.matrices(), strict=False):
        np.testing.assert_array_equal(gates, W, err_msg=f"{name}, as training in the machine's numbers has it")
    moved = [name for name, W in zip(after, step.parameters.matrices(), strict=False) if (after[name] != W).any()]
    assert len(moved) == len(step.parameters.matrices()), "every matrix learns, or equality says nothing"


def test_a_trace_made_by_hand_runs_on_its_numbers():
    """Its masks are of a step in which nothing fired, and nobody believes them."""
    workload, random = Workload.named("tiny", {"cell": "delta_gru", "hidden": [5]}), np.random.default_rng(8)
    lengths = np.array([1, 3])
    fired = tuple(np.zeros((3, 2, width), np.bool_) for width in (FEATURES, 5))
    trace = Trace(workload, FEATURES, CLASSES, (RecordedStep(0, 0, lengths, fired[:1], fired[1:]),), ())
    parameters = initial_parameters(trace.sizes, random, np.dtype(np.float64)).flat()
    numbers = StepNumbers(parameters, random.standard_normal((3, 2, FEATURES)), np.array([2, 0]), np.array(0.1))
    trace = replace(trace, recorded=(replace(trace.recorded[0], numbers=numbers),))
    by_law, counted = simulate(TINY, trace), simulate(TINY, trace, fidelity="rtl", engine="amaranth")
    assert counted.counters == by_law.counters, "and every value is the golden model's, or rtl raises"
    step = recorded_step(TINY, trace, trace.recorded[-1], seed=0)
    golden = training_step(*rounded_here(step, trace))
    assert all(map(np.array_equal, golden.updated.matrices(), step.golden.updated.matrices()))
    assert counted.counters.phases["FP"].fired > simulate(TINY, without_numbers(trace)).counters.phases["FP"].fired
    assert counted.provenance["fired"] == IN_INTEGERS and not counted.caveat


@pytest.mark.parametrize("readout", ["last", "every"])
def test_a_machine_learns_numbers_as_the_float_training_does(readout):
    """Of one length and at threshold 0, weights move by the rate times the gradient of the mean squared error."""
    changes = {"cell": "delta_gru", "hidden": [5], "task": "regression", "readout": readout}
    workload, random = Workload.named("tiny", changes | {"theta_x": 0.0, "theta_h": 0.0}), np.random.default_rng(9)
    lengths, wants = np.array([3, 3]), (3, 2, CLASSES) if readout == "every" else (2, CLASSES)
    fired = tuple(np.zeros((3, 2, width), np.bool_) for width in (FEATURES, 5))
    trace = Trace(workload, FEATURES, CLASSES, (RecordedStep(0, 0, lengths, fired[:1], fired[1:]),), ())
    drawn = initial_parameters(trace.sizes, random, np.dtype(np.float64)).flat()
    numbers = StepNumbers(drawn, random.standard_normal((3, 2, FEATURES)), random.standard_normal(wants), np.array(2.0))
    trace = replace(trace, recorded=(replace(trace.recorded[0], numbers=numbers),))
    ours = in_integers(TINY.engine, trace, trace.recorded[0])
    network = Network(trace.sizes, workload.thresholds, readout, 0.0, task="regression")
    parameters = from_flat(drawn, trace.sizes)
    gradients = float_training_step(network, parameters, numbers.inputs, lengths, numbers.labels).gradients
    moved = [
        (W - after) / 2.0**13
        for W, after in zip(ours.parameters.matrices(), training_step(*ours).updated.matrices(), strict=True)
    ]
    for found, wanted in (
        (moved[0][:, :FEATURES], gradients.layers[0].W_x),
        (moved[1][:, :5], gradients.layers[0].W_h),
        (moved[2][:, :5], gradients.W_out),
        (moved[2][:, 5], gradients.bias_out),
    ):
        most = np.abs(2 * wanted).max()
        np.testing.assert_allclose(found, 2 * wanted, rtol=0, atol=0.1 * most)  # gradients are of 16 bits
        assert most > 0.03, "or equality says nothing"


def test_the_machine_decides_what_fires_at_every_fidelity_in_sweeps_and_plans(tmp_path):
    trace, machine = trained("rnn in few bits")
    step = trace.recorded[-1]
    fired = fired_in_integers(machine.engine, trace, step)
    assert not np.array_equal(fired.fired_h[0], step.fired_h[0]), "floating point fires otherwise"
    believed = Trace(trace.workload, FEATURES, CLASSES, (replace(fired, numbers=None),), trace.epochs)
    for fidelity in ("analytic", "cycle"):
        found, told = (simulate(machine, one, fidelity=fidelity) for one in (trace, believed))
        assert found.counters == told.counters
        assert (found.provenance["fired"], told.provenance["fired"]) == (IN_INTEGERS, AS_RECORDED)
    assert simulate(machine, without_numbers(trace)).counters != found.counters
    trace.save(tmp_path / "trace.npz")
    base = Base(machine.model_dump(mode="json"), None, (("t", (tmp_path / "trace.npz").read_bytes()),), "cycle", True)
    row = Simulator(base).row({})
    assert (row["cycles"], row["dense.cycles"]) == (found.counters.cycles, found.dense.cycles)
    planned, of_masks = (plan(machine, one).predicted.policies for one in (trace, believed))
    assert planned == of_masks


def test_a_trained_layer_without_recurrence_fires_on_a_machine_as_its_equations_say():
    """Gates have no such layer, so the second way is here: h = max(0, M), M all that was sent times the weights."""
    trace = small_trace(cell="delta_dense", hidden=(5,), longest=6)
    machine, numbers = Architecture.named("tiny"), trace.recorded[-1].numbers
    fired = fired_in_integers(machine.engine, trace, trace.recorded[-1])
    assert not any(mask.any() for mask in fired.fired_h) and fired.fired_x[0].any()
    inputs = np.rint(numbers.inputs * 256) / 256  # as formats.activation of the machine has them
    for sample, steps in enumerate(fired.lengths):
        held = np.zeros(FEATURES)
        for t in range(steps):
            due = np.abs(inputs[t, sample] - held) >= np.rint(0.3 * 256) / 256
            assert (fired.fired_x[0][t, sample] == due).all()
            held[due] = inputs[t, sample, due]
    assert simulate(machine, trace).provenance["fired"] == IN_INTEGERS
    golden = in_integers(machine.engine, trace, trace.recorded[-1])
    rate = golden.learning_rate / 2.0**15
    floats = float_step(trace, inputs, fired.lengths, golden)
    for W, moved, gradient in zip(
        golden.parameters.matrices(), training_step(*golden).updated.matrices(), floats, strict=True
    ):
        np.testing.assert_allclose((W - moved) / 2.0**13, rate * gradient, atol=2e-3)
        assert not W.size or np.abs(rate * gradient).max() > 4e-3, "or equality says nothing"


def float_step(trace, inputs, lengths, golden):
    """Return gradients of the summed loss for W_x, W_h and the read-out of one dense layer, each with its bias."""
    W_x, _, W_out = (np.asarray(W) / 2.0**13 for W in golden.parameters.matrices())
    dW_x, dW_out = np.zeros_like(W_x), np.zeros_like(W_out)
    for sample, steps in enumerate(lengths):
        held, sent = np.zeros(FEATURES), []
        for x in inputs[:steps, sample]:
            held = np.where(np.abs(x - held) >= np.rint(0.3 * 256) / 256, x, held)
            sent = np.append(held, 1.0)
        M = W_x @ sent
        h = np.append(np.maximum(M, 0), 1.0)
        p = np.exp(W_out @ h)
        g = p / p.sum() - np.eye(CLASSES)[golden.labels[sample]]
        dW_out += np.outer(g, h)
        dW_x += np.outer((W_out[:, :-1].T @ g) * (M > 0), sent)
    return dW_x, np.zeros((0, W_x.shape[0])), dW_out


@pytest.mark.parametrize("recorded", [-1, 0])
def test_gates_refuse_a_step_without_numbers(recorded):
    trace = trained("gru")[0]
    with pytest.raises(ConfigError, match=r"^fidelity 'rtl' computes the step, .* or 'cycle'$"):
        simulate(TINY, without_numbers(trace) if recorded else trace, fidelity="rtl", recorded=recorded)
    assert simulate(TINY, trace, recorded=0).provenance["fired"] == AS_RECORDED


def test_a_network_without_thresholds_is_refused_before_it_is_trained(tmp_path):
    workload = trained("gru")[0].workload.with_changes(training__dense_epochs=2)
    with pytest.raises(ConfigError, match=r"dense_epochs must be below 2"):
        flow.train_and_simulate(workload, TINY, "rtl", tmp_path / "out", resume=False, progress=tell_nobody)


def test_gates_on_drawn_numbers_are_called_another_workload():
    small = Workload.named("tiny", {"cell": "delta_rnn", "hidden": [3], "training.batch": 1, "synthetic.steps": 2})
    by_law, on_gates = simulate(TINY, small), simulate(TINY, small, fidelity="rtl", engine="amaranth")
    assert by_law.provenance["fired"] == BY_STATISTICS and not by_law.caveat
    assert on_gates.provenance["fired"] == on_gates.caveat == ANOTHER_WORKLOAD
    page, tables = report([on_gates, by_law]), "\n".join(str(part) for part in summary(on_gates))
    assert label(on_gates) == f"rtl: {ANOTHER_WORKLOAD}"
    assert all(ANOTHER_WORKLOAD in text for text in (str(on_gates), tables))
    assert page.count(ANOTHER_WORKLOAD) >= len(("the overview", "the title", "where the numbers come from"))
    of_before = on_gates.model_copy(update={"provenance": {}})
    assert of_before.caveat == ANOTHER_WORKLOAD, "no version that says nothing of it recorded weights"


@pytest.mark.long
@compiled
def test_the_trained_digits_step_on_edge():
    """The rate is one at which weights move: that of the last update of a cosine schedule leaves all where they are."""
    trace, edge = flow.train("digits"), Architecture.named("edge")
    step = trace.recorded[-1]
    learning = replace(step, numbers=replace(step.numbers, learning_rate=np.array(1.0)))
    trace = replace(trace, recorded=(*trace.recorded[:-1], learning))
    after = same_on_gates(trace, edge, CompiledSimulation)
    before = recorded_step(edge, trace, learning, seed=0).parameters.matrices()
    assert all((after[name] != W).any() for name, W in zip(after, before, strict=False))
