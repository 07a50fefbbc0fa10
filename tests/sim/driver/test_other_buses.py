"""PYNQ's and LiteX's buses, on objects that behave as theirs do, in front of the model of the machine."""

from __future__ import annotations

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.driver.driver import Driver
from deltatrain.sim.driver.etherbone_bus import EtherboneBus
from deltatrain.sim.driver.model_bus import ModelBus
from deltatrain.sim.driver.program_image import program_image
from deltatrain.sim.driver.pynq_bus import PynqBus
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.sim.gates.random_step import random_step

MEMORY = 0x1000


class Mmio:
    def __init__(self, model: ModelBus) -> None:
        self.read, self.write = model.read32, model.write32


class Buffer:
    """The processor's cache of a buffer: what is not flushed, or invalidated, is not seen."""

    def __init__(self, model: ModelBus, address: int, size: int) -> None:
        self.device_address, self._model, self._cached = address, model, np.full(size, 0xA5, np.uint8)

    def __len__(self) -> int:
        return len(self._cached)

    def __getitem__(self, at: slice):
        return self._cached[at]

    def __setitem__(self, at: slice, values) -> None:
        self._cached[at] = values

    def flush(self) -> None:
        self._model.write_bytes(self.device_address, self._cached.tobytes())

    def invalidate(self) -> None:
        self._cached[:] = np.frombuffer(self._model.read_bytes(self.device_address, len(self)), np.uint8)


class Client:
    """A system's bus of words: registers at 0xF0000000, memory at 0x40000000."""

    def __init__(self, model: ModelBus) -> None:
        self._model = model

    def read(self, address: int, length: int):
        assert address % 4 == 0
        if address >= 0xF000_0000:
            return [self._model.read32(address - 0xF000_0000 + 4 * word) for word in range(length)]
        return np.frombuffer(self._model.read_bytes(address - 0x4000_0000, 4 * length), "<u4").tolist()

    def write(self, address: int, words) -> None:
        assert address % 4 == 0
        if address >= 0xF000_0000:
            for number, word in enumerate(words):
                self._model.write32(address - 0xF000_0000 + 4 * number, word)
        else:
            self._model.write_bytes(address - 0x4000_0000, np.array(words, "<u4").tobytes())


@pytest.mark.parametrize("kind", ["pynq", "etherbone"])
def test_a_step_over_each_bus_is_the_golden_step(kind: str):
    step = random_step(Architecture.named("tiny"), "lstm", seed=21, features=5)
    image = program_image(TrainingShape.of(step))
    model = ModelBus(image, memory_bytes=MEMORY + image.memory_bytes + 64)
    if kind == "pynq":
        bus = PynqBus(Mmio(model), Buffer(model, MEMORY, image.memory_bytes))
    else:
        bus = EtherboneBus(Client(model), registers=0xF000_0000, memory=0x4000_0000)
    driver = Driver(bus, image, memory=MEMORY)
    driver.load_weights(image.named(step.parameters))
    driver.train_batch(step.samples, step.labels, step.learning_rate)
    for name, values in driver.read_weights().items():
        np.testing.assert_array_equal(values, step.matrices[name], err_msg=name)


def test_pynq_refuses_what_is_outside_of_its_buffer():
    model = ModelBus(
        program_image(TrainingShape.of(random_step(Architecture.named("tiny"), "lstm", seed=1))), memory_bytes=4096
    )
    bus = PynqBus(Mmio(model), Buffer(model, 1024, 64))
    with pytest.raises(ValueError, match="bytes 0x43f to 0x441 are outside of the buffer"):
        bus.write_bytes(1024 + 63, b"12")
