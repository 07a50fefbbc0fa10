"""The training step beside PyTorch forward and backward on the same shapes, CPU seconds on one thread."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from host_speed import Figures, cpu_seconds

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.modes.encode import threshold
from deltatrain.accel.number import quantise
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.network import Sizes, initial_parameters
from deltatrain.workloads.training import integer_batch
from deltatrain.workloads.training.integer_parameters import quantised
from deltatrain.workloads.training.integer_training import IntegerNetwork, training_step

ROOT = Path(__file__).parents[2]

# in a process of its own, because the number of BLAS threads is fixed when NumPy is loaded
_MEASURE = """
import json, sys, time
import numpy as np
import torch
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.training.host_memory import reuse_freed_memory
from deltatrain.workloads.network.network import Network, Sizes, forward, initial_parameters, training_step

samples, share, hidden = int(sys.argv[1]), float(sys.argv[2]), tuple(map(int, sys.argv[3:]))
steps, repeats = (100, 15) if max(hidden) > 64 else (40, 40)
torch.set_num_threads(1)
reuse_freed_memory()
rng = np.random.default_rng(0)
sizes = Sizes(CELLS.load("delta_lstm"), 13, hidden, 10)
parameters = initial_parameters(sizes, rng, np.dtype(np.float32))
x = np.cumsum(0.3 * rng.standard_normal((steps, samples, 13)), axis=0).astype(np.float32)
lengths, labels = np.full(samples, steps), rng.integers(0, 10, samples)
thetas = [[0.0, 0.0] for _ in hidden]

def network():
    return Network(sizes, tuple(map(tuple, thetas)), "last", 0.0)

def fired(layer, stream):
    return forward(network(), parameters, x, lengths).tapes[layer][1 + 2 * stream].mean()

if share < 1:
    for layer, stream in np.ndindex(len(hidden), 2):
        low, high = 0.0, 4.0
        for _ in range(20):  # the threshold at which the wanted share fires
            thetas[layer][stream] = (low + high) / 2
            more = fired(layer, stream) > share
            low, high = (thetas[layer][stream], high) if more else (low, thetas[layer][stream])
        thetas[layer][stream] = high
chosen = network()
lstm, readout = torch.nn.LSTM(13, hidden[0], len(hidden)), torch.nn.Linear(hidden[-1], 10)
their_x, their_labels = torch.from_numpy(x), torch.from_numpy(labels)

def ours():
    training_step(chosen, parameters, x, lengths, labels)

def theirs():
    lstm.zero_grad()
    readout.zero_grad()
    out, _ = lstm(their_x)
    torch.nn.functional.cross_entropy(readout(out[-1]), their_labels).backward()

def seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start

for _ in range(60):  # until steps are compiled
    ours()
for _ in range(3):
    theirs()
times = [(seconds(ours), seconds(theirs)) for _ in range(repeats)]  # side by side: both meet the same neighbours
print(json.dumps([min(column) for column in zip(*times)]))
"""


_MEASURE_SPIKES = """
import json, sys, time
import numpy as np
import torch
from torch_spikes import TorchNetwork
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.training.host_memory import reuse_freed_memory
from deltatrain.workloads.network.network import Network, Sizes, initial_parameters, training_step

torch.set_num_threads(1)
reuse_freed_memory()
rng = np.random.default_rng(0)
sizes = Sizes(CELLS.load(sys.argv[1]), 70, (256,), 20)
parameters = initial_parameters(sizes, rng, np.dtype(np.float32))
network = Network(sizes, ((0.0, 0.0),), "every", 0.0)
x = (rng.random((40, 32, 70)) < 0.25).astype(np.float32)
lengths, labels = np.full(32, 40), rng.integers(0, 20, 32)
other = TorchNetwork(torch, parameters.arrays())

def ours():
    training_step(network, parameters, x, lengths, labels)

def theirs():
    for tensor in other.tensors:
        tensor.grad = None
    other.loss(x, lengths, labels).backward()

def seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start

for function in (ours, theirs) * 3:
    function()
times = [(seconds(ours), seconds(theirs)) for _ in range(15)]
print(json.dumps([min(column) for column in zip(*times)]))
"""


@pytest.mark.parametrize(("share", "most"), [("0.1", 1), ("1", 1.3)])
def test_a_training_step_beside_torch(share: str, most: float, figures: Figures) -> None:
    """Two LSTM layers of 64 units; thresholds of zero where all fire."""
    _hold(most, _MEASURE, ["32", share, "64", "64"], figures)


def test_a_training_step_of_wide_layers_of_which_a_tenth_fires_takes_less_than_in_torch(figures: Figures) -> None:
    _hold(0.5, _MEASURE, ["1", "0.1", "512"], figures)


@pytest.mark.parametrize("cell", ["lif", "lif_recurrent"])
def test_a_training_step_of_spikes_takes_no_longer_than_in_torch(cell: str, figures: Figures) -> None:
    _hold(1, _MEASURE_SPIKES, [cell], figures)


def test_integer_updates_of_all_samples_side_by_side_take_a_quarter_of_one_after_another(figures: Figures) -> None:
    rng = np.random.default_rng(0)
    sizes = Sizes(CELLS.load("delta_lstm"), 13, (64, 64), 10)
    arithmetic, engine = CELL_ARITHMETIC.load("lstm"), Architecture.named("edge").engine
    least = threshold(0.2, engine.formats)
    network = IntegerNetwork(arithmetic, engine, ((least, least),) * 2, "last")
    parameters = quantised(initial_parameters(sizes, rng, np.dtype(np.float64)), arithmetic, engine.formats)
    x = quantise(np.cumsum(rng.normal(scale=0.3, size=(16, 20, 13)), axis=1), engine.formats.activation)
    step = (network, parameters, list(x), rng.integers(0, 10, len(x)).tolist(), 1)
    integer_batch.updated(*step)  # compiles

    def ratio() -> float:
        together, apart = cpu_seconds(lambda: integer_batch.updated(*step)), cpu_seconds(lambda: training_step(*step))
        figures.tell("an integer step of 16 samples side by side", 1e3 * together, "CPU ms")
        figures.tell("the same, one after another", 1e3 * apart, "CPU ms")
        return together / apart

    figures.at_most(0.25, "integer steps side by side, beside one after another", ratio)


def _hold(most: float, script: str, arguments: list[str], figures: Figures) -> None:
    """Hold our CPU seconds to at most `most` times those of torch."""

    def ratio() -> float:
        ours, theirs = _measured(script, arguments)
        figures.tell("a training step", 1e3 * ours, "CPU ms")
        figures.tell("a training step of torch", 1e3 * theirs, "CPU ms")
        return ours / theirs

    figures.at_most(most, "a training step, beside torch", ratio)


def _measured(script: str, arguments: list[str]) -> list[float]:
    """Return our CPU seconds and those of torch."""
    pytest.importorskip("torch", reason="PyTorch is what the speed is compared with: pip install '.[torch]'")
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests" / "support")}
    environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    found: list[float] = json.loads(done.stdout)
    return found
