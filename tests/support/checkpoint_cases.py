"""Random budgets, costs and networks for the tests of checkpoint policies."""

from __future__ import annotations

import numpy as np
from float_replay import FloatReplay
from hypothesis import strategies as st
from integer_replay import IntegerReplay

from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.errors import FitError
from deltatrain.accel.modes import encode
from deltatrain.accel.number import quantise
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, Costs
from deltatrain.workloads.network.network import Network, Sizes, from_flat, initial_parameters
from deltatrain.workloads.training.integer_parameters import quantised, zeros_like
from deltatrain.workloads.training.integer_training import IntegerNetwork

FORMATS = Formats(
    weight={"bits": 16, "fraction_bits": 13},
    activation={"bits": 16, "fraction_bits": 8},
    gate={"bits": 16, "fraction_bits": 14},
    state={"bits": 16, "fraction_bits": 11},
    gradient={"bits": 16, "fraction_bits": 12},
    learning_rate={"bits": 16, "fraction_bits": 15},
    memory_bits=40,
    weight_gradient_bits=32,
)
"""Those of the preset `edge`."""

CELL_NAMES = ("rnn", "gru", "lstm", "lif", "lif_recurrent")
"""Members of `accel.cells`."""


def cell_of(arithmetic):
    """Return the member of `workloads.cells` with this arithmetic."""
    return next(cell for cell in map(CELLS.load, CELLS.names()) if arithmetic == cell.ARITHMETIC)


def spikes(random, shape):
    """Return about a third of ones, the rest zeros."""
    return (random.random(shape) < 0.35).astype(np.float32)


@st.composite
def cases(draw, most_steps=60, residues=True):
    """Draw T, a budget and costs."""
    steps = draw(st.integers(1, most_steps))
    state, tape = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    local = draw(st.integers(1, 10) | st.integers(10, 60) | st.just(steps * tape))
    remote = draw(st.just(0) | st.integers(0, 100) | st.just(10**6))
    residue = draw(st.none() | st.integers(1, tape)) if residues else None
    forward, backward, undo = draw(st.integers(1, 5)), draw(st.integers(1, 9)), draw(st.integers(1, 5))
    moves = draw(st.tuples(*[st.integers(0, 20)] * 4))
    own = draw(st.just((0, 0)) | st.tuples(st.integers(0, forward), st.integers(0, backward)))
    return steps, Budget(state, tape, local, remote, residue), Costs(forward, backward, *moves, *own, undo)


def schedule_of(name, steps, budget, costs):
    """Return the schedule of a policy, None if it does not fit."""
    try:
        return POLICIES.load(name).schedule(steps, budget, costs)
    except FitError:
        return None


def network_case(cell, steps, seed, samples=3, hidden=(5, 4), readout="every"):
    """Return a float network, its parameters, a mini-batch whose longest sample has `steps` steps, and its labels."""
    rng = np.random.default_rng(seed)
    sizes = Sizes(cell_of(cell), 3, hidden, 4)
    network = Network(sizes, ((0.3, 0.05),) * len(hidden), readout, 0.1)
    parameters = initial_parameters(sizes, rng, np.dtype(np.float32))
    if not sizes.cell.STREAMS.HELD:  # neurons so few must be louder to be heard
        parameters = from_flat(6 * parameters.flat(), sizes)
    lengths = rng.integers(1, steps + 1, samples)
    lengths[rng.integers(samples)] = steps
    x = rng.standard_normal((steps, samples, 3)).astype(np.float32)
    return network, parameters, x, lengths, rng.integers(0, 4, samples)


def float_replay(cell, steps, seed, **kwargs) -> FloatReplay:
    return FloatReplay(*network_case(cell, steps, seed, **kwargs))


def integer_case(cell, steps, seed, hidden=(5, 4), inputs=3, readout="last", theta=(0.1, 0.02)):
    """Return an integer network, parameters, one sample of `steps` steps and its label."""
    rng = np.random.default_rng(seed)
    arithmetic, sizes = CELL_ARITHMETIC.load(cell), Sizes(cell_of(cell), inputs, hidden, 4)
    louder = 1 if arithmetic.KEPT else 6  # spiking neurons so few must be louder to be heard
    drawn = from_flat(louder * initial_parameters(sizes, rng, np.dtype(np.float64)).flat(), sizes)
    parameters = quantised(drawn, arithmetic, FORMATS)
    least = tuple(encode.threshold(one, FORMATS) for one in theta)
    engine = Engine(clock_hz=10**8, lanes=4, encoder_elements=4, elementwise_lanes=4, formats=FORMATS)
    network = IntegerNetwork(arithmetic, engine, (least,) * len(hidden), readout)
    walk = 0.1 * rng.normal(size=(steps, inputs)).cumsum(axis=0)
    x = np.sin(walk) if arithmetic.KEPT else spikes(rng, walk.shape)
    return network, parameters, quantise(x, FORMATS.activation), int(rng.integers(4))


def integer_replay(network, parameters, x, label):
    """Return the replay and the gradients that it adds to."""
    gradients = zeros_like(parameters)
    return IntegerReplay(network, parameters, x, label, gradients), gradients
