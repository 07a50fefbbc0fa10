"""A training in which a checkpoint policy decides what is kept is the one that keeps everything, bit for bit.

Weights move as in a training, so one bit that a policy lost in an update would be in all losses that follow.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from checkpoint_cases import FORMATS, integer_replay
from checkpoint_execution import Replay, execute
from float_replay import FloatReplay
from spike_patterns import CLEAR, spike_patterns

from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.engine import Engine
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.modes import encode, update
from deltatrain.accel.number import quantise
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.datasets import DATASETS
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, Costs
from deltatrain.workloads.network.network import Sizes, from_flat, initial_parameters
from deltatrain.workloads.optimisers import adamw
from deltatrain.workloads.training.integer_parameters import quantised
from deltatrain.workloads.training.integer_training import IntegerNetwork
from deltatrain.workloads.training.training import network_of, sizes_of
from deltatrain.workloads.training.updates import clipped
from deltatrain.workloads.workload import Workload

COSTS = Costs(3, 5, 2, 2, 4, 4, 0, 0, 2)
ALL, UPDATES = 10**9, 3
RUN_AGAIN = {"segment", "segment_dram", "double", "revolve", "hrevolve", "disk_revolve"}  # "optimal" if it pays
FLOAT_POLICIES = [name for name in POLICIES.names() if name != "reversible"]  # floats are not run backwards


def _recordings(name: str) -> Recordings:
    if name == "patterns":
        return spike_patterns(CLEAR, (20, 30))
    try:
        return DATASETS.load(name).load()
    except ConfigError as error:
        pytest.skip(str(error))


def _run(name: str, replay: Replay, steps: int, backwards: bool = False) -> int:
    """Run one mini-batch or sample with room for a few states and tapes; return the steps that were run forward."""
    first = replay.first_state()
    _, tape = replay.forward(0, first)
    state_bytes, tape_bytes = replay.state_bytes(first), 2 * replay.tape_bytes(tape)  # later lists are longer
    residue_bytes = replay.tape_bytes(replay.residue(tape)) if backwards else None
    room = ALL if name == "store_all" else round(steps**0.5) * (state_bytes + tape_bytes)
    budget = Budget(state_bytes, tape_bytes, room, ALL, residue_bytes)
    return execute(POLICIES.load(name).schedule(steps, budget, COSTS), replay).forward_steps


def _first_weights(sizes: Sizes, dtype: np.dtype[np.floating]) -> Array:
    drawn = initial_parameters(sizes, np.random.default_rng(1), dtype).flat()
    return drawn if sizes.cell.STREAMS.HELD else 4 * drawn  # spiking neurons so few must be louder to be heard


def _losses(name: str, workload: Workload, recordings: Recordings) -> Iterator[float]:
    """Yield the losses of a training in which policy `name` decides what is kept."""
    sizes, part, training = sizes_of(workload, recordings), recordings.train, workload.training
    network = network_of(workload, sizes, training.epochs - 1)
    vector = _first_weights(sizes, workload.dtype)
    memory = adamw.start(vector)
    for number in range(UPDATES):
        chosen = np.arange(4 * number, 4 * number + 4)
        replay = FloatReplay(network, from_flat(vector, sizes), *part.padded(chosen), part.labels[chosen])
        forward_steps = _run(name, replay, replay.steps)
        assert forward_steps > replay.steps or name not in RUN_AGAIN
        gradient = clipped(replay.gradients().flat(), training.clip_norm)
        assert gradient[: sizes.features * sizes.hidden[0]].any()  # of W_x of the first layer, through all
        vector, memory = adamw.update(vector, gradient, memory, 0.1, training.momentum, training.weight_decay)
        yield replay.loss


@pytest.mark.parametrize(
    ("data", "preset", "cell"),
    [
        ("digits", "digits", "delta_lstm"),
        ("patterns", "spikes", "lif"),
        ("patterns", "spikes", "lif_recurrent"),
        pytest.param("spikes", "spikes", "lif", marks=pytest.mark.long),  # synthesised first, which takes minutes
        pytest.param("spikes", "spikes", "lif_recurrent", marks=pytest.mark.long),
    ],
)
def test_every_policy_follows_the_same_loss_bit_for_bit(data: str, preset: str, cell: str) -> None:
    workload = Workload.named(preset, {"cell": cell, "hidden": [16, 12], "theta_x": 0})
    recordings = _recordings(data)
    wanted = list(_losses("store_all", workload, recordings))
    assert len(set(wanted)) == UPDATES
    for name in FLOAT_POLICIES:
        assert list(_losses(name, workload, recordings)) == wanted, name


def _integer_weights(name: str, workload: Workload, recordings: Recordings) -> list[Array]:
    """Return all weights after each update of a training in the machine's integers, one sample an update."""
    sizes, part = sizes_of(workload, recordings), recordings.train
    arithmetic = CELL_ARITHMETIC.load(sizes.cell.ARITHMETIC)
    engine = Engine(clock_hz=10**8, lanes=4, encoder_elements=4, elementwise_lanes=4, formats=FORMATS)
    least = [tuple(encode.threshold(theta, FORMATS) for theta in pair) for pair in workload.thresholds]
    network = IntegerNetwork(arithmetic, engine, tuple(least), workload.readout)
    drawn = from_flat(_first_weights(sizes, np.dtype(np.float64)), sizes)
    parameters, found = quantised(drawn, arithmetic, FORMATS), []
    for sample in range(UPDATES):
        padded, lengths = part.padded(np.array([sample]))
        x = quantise(padded[: lengths[0], 0], FORMATS.activation)
        replay, gradients = integer_replay(network, parameters, x, int(part.labels[sample]))
        _run(name, replay, len(x), backwards=name == "reversible")
        for W, dW in zip(parameters.matrices(), gradients.matrices(), strict=True):
            W[...], _ = update.result(W, dW, 1 << 8, FORMATS)
        found.append(np.concatenate([W.ravel() for W in parameters.matrices()]))
    return found


@pytest.mark.parametrize(("data", "cell"), [("digits", "delta_lstm"), ("patterns", "lif_recurrent")])
def test_integers_follow_the_same_weights_bit_for_bit_and_backwards_too(data: str, cell: str) -> None:
    preset = "spikes" if data == "patterns" else data
    workload, recordings = Workload.named(preset, {"cell": cell, "hidden": [8], "theta_x": 0}), _recordings(data)
    wanted = _integer_weights("store_all", workload, recordings)
    first = slice(8 * recordings.train.features)  # W_x
    assert not np.array_equal(wanted[0][first], wanted[-1][first])
    for name in POLICIES.names():
        if name == "reversible" and data == "patterns":
            with pytest.raises(ValueError, match="what it forgets is gone"):  # by the reset
                _integer_weights(name, workload, recordings)
        else:
            found = _integer_weights(name, workload, recordings)
            assert all(np.array_equal(ours, theirs) for ours, theirs in zip(found, wanted, strict=True)), name
