"""The NumPy training step beside PyTorch forward and backward on the same shapes, CPU seconds on one thread."""

from __future__ import annotations

import numpy as np
import pytest
from host_speed import Figures
from threadpoolctl import threadpool_limits
from torch_spikes import TorchNetwork

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.modes.encode import threshold
from deltatrain.accel.number import quantise
from deltatrain.sim.speed import trainer_steps
from deltatrain.sim.speed.reference import cpu_seconds, side_by_side
from deltatrain.sim.speed.trainer_steps import TrainerStep, one_torch_thread
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.network import Network, Sizes, initial_parameters, training_step
from deltatrain.workloads.training import integer_batch
from deltatrain.workloads.training.host_memory import reuse_freed_memory
from deltatrain.workloads.training.integer_parameters import quantised
from deltatrain.workloads.training.integer_training import IntegerNetwork
from deltatrain.workloads.training.integer_training import training_step as integer_step

torch = pytest.importorskip("torch", reason="PyTorch is what the speed is compared with: pip install '.[torch]'")


@pytest.mark.parametrize(
    ("what", "step", "repeats", "most"),
    [
        ("LSTM 2 x 64, T = 40, B = 32, 10 % fired", TrainerStep((64, 64), 32, 40, 0.1), 40, 1),
        ("LSTM 2 x 64, T = 40, B = 32, all fired", TrainerStep((64, 64), 32, 40, 1.0), 40, 1.3),
        ("LSTM 512, T = 100, B = 1, 10 % fired", TrainerStep((512,), 1, 100, 0.1), 15, 0.5),
    ],
)
def test_a_training_step_beside_torch(
    what: str, step: TrainerStep, repeats: int, most: float, figures: Figures
) -> None:
    def seconds() -> tuple[float, float]:
        ours, theirs = trainer_steps.measured(step, repeats)
        assert theirs is not None
        return ours, theirs

    figures.at_most_peer(most, f"a training step, {what}", "torch.nn.LSTM", seconds)


@pytest.mark.parametrize("cell", ["lif", "lif_recurrent"])
def test_a_training_step_of_spikes_takes_no_longer_than_in_torch(cell: str, figures: Figures) -> None:
    reuse_freed_memory()
    rng = np.random.default_rng(0)
    sizes = Sizes(CELLS.load(cell), 70, (256,), 20)
    parameters = initial_parameters(sizes, rng, np.dtype(np.float32))
    network = Network(sizes, ((0.0, 0.0),), "every", 0.0)
    x = (rng.random((40, 32, 70)) < 0.25).astype(np.float32)
    lengths, labels = np.full(32, 40), rng.integers(0, 20, 32)
    other = TorchNetwork(torch, parameters.arrays())

    def ours() -> None:
        training_step(network, parameters, x, lengths, labels)

    def theirs() -> None:
        for tensor in other.tensors:
            tensor.grad = None
        other.loss(x, lengths, labels).backward()

    def seconds() -> tuple[float, float]:
        with threadpool_limits(limits=1, user_api="blas"), one_torch_thread():
            return side_by_side(ours, theirs, 15)

    figures.at_most_peer(1, f"a training step, {cell} 256, T = 40, B = 32", "torch", seconds)


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
        together, apart = cpu_seconds(lambda: integer_batch.updated(*step)), cpu_seconds(lambda: integer_step(*step))
        figures.tell("an integer step of 16 samples side by side", 1e3 * together, "CPU ms")
        figures.tell("the same, one after another", 1e3 * apart, "CPU ms")
        return together / apart

    figures.at_most(0.25, "integer steps side by side, beside one after another", ratio)
