"""The spoken digits in frames: each recording cut into as many parts, the mean of each; so all are of one shape."""

from __future__ import annotations

import itertools

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.number import quantise
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.workloads.datasets import digits
from deltatrain.workloads.network.network import initial_parameters
from deltatrain.workloads.network_sizes import network_sizes
from deltatrain.workloads.training.integer_parameters import quantised
from deltatrain.workloads.training.integer_recorded import integer_network
from deltatrain.workloads.training.integer_training import classify, forward
from deltatrain.workloads.workload import Workload

FRAMES, HIDDEN, BATCH, CLASSES = 8, 16, 8, 10
RATE = 1.0


class FramedDigits:
    """A small Delta LSTM, and the digits that it learns, in a machine's integers."""

    def __init__(self, machine: Architecture) -> None:
        formats, recordings = machine.engine.formats, digits.load()
        workload = Workload.named("digits", {"hidden": [HIDDEN], "theta_x": 0.1, "theta_h": 0.05})
        self.train = self._framed(recordings.train, formats), recordings.train.labels.tolist()
        self.test = self._framed(recordings.test, formats), recordings.test.labels.tolist()
        features = recordings.train.features
        network = integer_network(workload, machine.engine)
        self.shape = TrainingShape(machine, network, features, (HIDDEN,), CLASSES, (FRAMES,) * BATCH)
        sizes, rng = network_sizes(workload, features, CLASSES), np.random.default_rng(0)
        drawn = initial_parameters(sizes, rng, np.dtype(np.float64), workload.training.forget_bias)
        self.first = quantised(drawn, network.arithmetic, formats)
        self.rate = int(quantise(np.array(RATE / BATCH), formats.learning_rate))

    @staticmethod
    def _framed(part, formats):
        values, framed = np.split(part.values, np.cumsum(part.lengths)[:-1]), []
        for x in values:
            cuts = np.linspace(0, len(x), FRAMES + 1).astype(int)
            framed.append([x[a : max(b, a + 1)].mean(0) for a, b in itertools.pairwise(cuts)])
        return quantise(np.array(framed), formats.activation)

    def batches(self, epoch: int):
        """Yield samples and labels of each whole batch of an epoch."""
        x, labels = self.train
        order = np.random.default_rng([1, epoch]).permutation(len(x))
        for at in range(0, len(x) - BATCH + 1, BATCH):
            chosen = order[at : at + BATCH]
            yield list(x[chosen]), [labels[sample] for sample in chosen]

    def accuracy(self, parameters) -> float:
        """Return the share of the test recordings that are told right."""
        network = self.shape.network
        right = [
            int(np.argmax(classify(network, parameters, forward(network, parameters, x)[-1].h)[0])) == label
            for x, label in zip(*self.test, strict=True)
        ]
        return sum(right) / len(right)
