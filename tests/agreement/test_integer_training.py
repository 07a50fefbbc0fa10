"""A training in a machine's numbers is that of plain loops over the golden functions: the same weights, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from stated_integer_training import StatedTraining, rounded
from trained_traces import CLASSES, noise

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.description import with_overrides
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.machine_numbers import trained_on
from deltatrain.workloads.network.network import initial_parameters
from deltatrain.workloads.training import learning_state
from deltatrain.workloads.training.drawing import INITIAL, ORDER, generator
from deltatrain.workloads.training.streams import training_batches
from deltatrain.workloads.training.training import sizes_of, train
from deltatrain.workloads.workload import Workload

TASKS = {
    "classes, last step": {},
    "classes, every step": {"readout": "every"},
    "labelling": {"task": "labelling", "readout": "every"},
    "next word": {"task": "next_word", "readout": "every"},
    "regression": {"task": "regression"},
    "regression of steps": {"task": "regression", "readout": "every"},
}
OPTIMISERS = (
    {"momentum": 0.75},
    {"weight_decay": 0.02},
    {"momentum": 0.75, "weight_decay": 0.02},
    {"clip_norm": 0.1},
    {"name": "adam", "momentum": 0.75},
)
NARROW = {
    "engine.formats.weight": {"bits": 8, "fraction_bits": 7},
    "engine.formats.activation": {"bits": 8, "fraction_bits": 6},
    "engine.formats.gradient": {"bits": 8, "fraction_bits": 7},
    "engine.formats.memory_bits": 16,
    "engine.formats.memory_overflow": "saturate",
    "engine.formats.weight_gradient_bits": 16,
}


def _workload(cell, changes):
    table = {
        "name": "noise",
        "dataset": "digits",  # any: the recordings are handed over
        "cell": cell,
        "hidden": [6, 3],
        "theta_x": [0.3, 0.05],
        "theta_h": 0.05,
        "training": {"epochs": 3, "dense_epochs": 1, "batch": 3, "machine_rate": 1.0, "seed": 3},
    }
    return Workload.from_table(with_overrides(table, changes))


def _stated(workload, recordings):
    """Return the weights after all updates, by plain loops."""
    training, numbers, part = workload.training, workload.training.machine_numbers, recordings.train
    sizes = sizes_of(workload, recordings)
    drawn = initial_parameters(sizes, generator(training, INITIAL, 0), workload.dtype, training.forget_bias)
    stated = StatedTraining(workload, numbers, drawn)
    formats, done, remembers = numbers.formats, 0, training.machine_optimiser.remembers
    adam = training.machine_optimiser.name == "adam"
    updates = training.epochs * -(-len(part) // training.batch)
    for epoch in range(training.epochs):
        for samples in training_batches(part.lengths, training, generator(training, ORDER, epoch)):
            x, lengths, labels = part.batch(samples)
            of_steps = workload.wants.startswith("step")
            own = [labels[:steps, n] if of_steps else labels[n][None] for n, steps in enumerate(lengths)]
            if workload.task == "regression":
                own = [rounded(rows, formats.memory) for rows in own]
            elif workload.readout == "every" and not of_steps:
                own = [np.repeat(rows, steps) for rows, steps in zip(own, lengths, strict=True)]
            read = lengths.sum() if workload.readout == "every" else len(lengths)
            share = 2 / CLASSES if workload.task == "regression" else 1
            if remembers:  # the mean is over a whole mini-batch
                read = read * training.batch / len(lengths)
            rate = training.machine_rate * (1 + np.cos(np.pi * done / updates)) / 2
            if adam:
                rate *= np.sqrt(1 - (1 - 2**-10) ** (done + 1)) / (
                    1 - training.machine_optimiser.momentum ** (done + 1)
                )
            else:
                rate *= share / read
            inputs = [rounded(x[:steps, n], formats.activation) for n, steps in enumerate(lengths)]
            stated.step(inputs, own, rate, dense=epoch < training.dense_epochs, summed=read / share)
            done += 1
    return stated.matrices()


def _case(cell, changes, machine):
    workload = trained_on(_workload(cell, changes), Architecture.named("tiny", machine))
    parts = (noise(count, seed, 5, workload.wants) for count, seed in ((8, 1), (4, 2)))
    return workload, Recordings("noise", "none", "drawn for the test", CLASSES, *parts)


@pytest.mark.parametrize("machine", [{}, NARROW], ids=["tiny", "narrow and saturating"])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("cell", ["delta_rnn", "delta_gru", "delta_lstm"])
def test_a_training_has_the_weights_of_plain_loops(cell, task, machine, tmp_path):
    workload, recordings = _case(cell, TASKS[task], machine)
    trained = train(workload, recordings, state_path=tmp_path / "state.npz")
    found = learning_state.load(tmp_path / "state.npz", workload.digest()).optimiser["integers"]
    stated = _stated(workload, recordings)
    np.testing.assert_array_equal(found, np.concatenate([W.ravel() for W in stated]))
    asked, _, stayed = trained.epochs[0].stored["W"]
    assert 0 <= stayed < asked, "weights learn, or equality says nothing"
    overflowed = sum(of[1] for of in trained.epochs[-1].stored.values())
    assert (overflowed > 0) == bool(machine), "narrow formats do saturate, and those of the machine do not"


@pytest.mark.parametrize("machine", [{}, NARROW], ids=["tiny", "narrow and saturating"])
@pytest.mark.parametrize("wanted", OPTIMISERS, ids=str)
@pytest.mark.parametrize("task", ["classes, last step", "regression of steps"])
def test_a_training_with_an_optimiser_has_the_weights_of_plain_loops(task, wanted, machine, tmp_path):
    """The last mini-batch of an epoch is smaller than the others, and the velocity outlives the epoch."""
    workload, recordings = _case("delta_gru", TASKS[task] | {"training.machine_optimiser": wanted}, machine)
    trained = train(workload, recordings, state_path=tmp_path / "state.npz")
    found = learning_state.load(tmp_path / "state.npz", workload.digest()).optimiser
    stated = _stated(workload, recordings)
    np.testing.assert_array_equal(found["integers"], np.concatenate([W.ravel() for W in stated]))
    remembered = {name for name in ("kept", "mean", "square") if name in found}
    assert bool(remembered) == workload.training.machine_optimiser.remembers
    assert all(found[name].any() for name in remembered)
    plain, _ = _case("delta_gru", TASKS[task], machine)
    assert (train(plain, recordings).parameters.flat() != trained.parameters.flat()).any(), "it is another optimiser"
