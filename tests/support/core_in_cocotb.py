"""What cocotb runs in a Verilog simulator: a core between the AXI models of cocotbext-axi, trained by the driver."""

from __future__ import annotations

import logging
import os
import random
from itertools import repeat

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles
from cocotbext.axi import (
    AddressSpace,
    AxiBus,
    AxiLiteBus,
    AxiLiteMaster,
    AxiSlave,
    AxiStreamBus,
    AxiStreamSink,
    MemoryRegion,
)
from components import unelaborated
from core_on_bus import check_matrices, driver_on, image_of, train
from two_lanes import a_step

from deltatrain.accel.bus.registers import REGISTERS
from deltatrain.sim.driver.errors import BusError
from deltatrain.sim.driver.program_image import program_image
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.sim.gates.run import tile_for
from deltatrain.workloads.training.integer_training import classify, forward

SEED = int(os.environ.get("CORE_SEED", "1"))


class CocotbBus:
    """Registers through an AXI4-Lite manager, packets from a sink, memory by the back door of the model."""

    def __init__(self, dut, memory):
        self._memory = memory
        self._registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, dut.aresetn, False)
        self._results = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, dut.aresetn, False)

    def read32(self, address):
        return resume(self._registers.read_dword)(address)

    def write32(self, address, value):
        resume(self._registers.write_dword)(address, value)

    def read_bytes(self, address, count):
        self._memory.mem.seek(address)
        return self._memory.mem.read(count)

    def read_packet(self):
        return bytes(resume(self._results.recv)().tdata)

    def write_bytes(self, address, data):
        self._memory.mem.seek(address)
        self._memory.mem.write(data)


class LateMemory(MemoryRegion):
    """Answers after a random time; an address of `bad` is answered with an error."""

    def __init__(self, size, clock, rng):
        super().__init__(size)
        self._clock, self._rng, self.bad = clock, rng, range(0)

    async def _read(self, address, length, **kwargs):
        await self._wait(address)
        return await super()._read(address, length, **kwargs)

    async def _write(self, address, data, **kwargs):
        await self._wait(address)
        return await super()._write(address, data, **kwargs)

    async def _wait(self, address):
        if address in self.bad:
            raise ValueError("no memory is here")
        if self._rng.random() < 0.05:
            await ClockCycles(self._clock, self._rng.randrange(1, 20))


def pauses(rng):
    """Yield at random whether a channel pauses, a few cycles at a time."""
    while True:
        yield from repeat(rng.random() < 0.3, rng.randrange(1, 4))


def the_programs(step):
    """Return the program of a step, and that of its first sample forward alone, for the same core."""
    with unelaborated():
        image = image_of(step)
        tile = tile_for(step, image.sizes)
        return image, program_image(TrainingShape.of(step).forward(len(step.samples[0])), tile)


async def started(dut, image):
    """Start clock and models; return the bus of a driver and the memory."""
    logging.getLogger("cocotb").setLevel(logging.WARNING)
    rng = random.Random(SEED)
    cocotb.start_soon(Clock(dut.aclk, 10, "ns").start())
    dut.aresetn.value = 0
    memory = LateMemory(-(-image.memory_bytes // 4096) * 4096, dut.aclk, rng)
    space = AddressSpace()
    space.register_region(memory, 0)
    slave = AxiSlave(AxiBus.from_prefix(dut, "m_axi"), dut.aclk, dut.aresetn, space, False)
    bus = CocotbBus(dut, memory)
    for channel in (
        slave.write_if.aw_channel,
        slave.write_if.w_channel,
        slave.write_if.b_channel,
        slave.read_if.ar_channel,
        slave.read_if.r_channel,
        bus._registers.read_if.r_channel,
        bus._registers.write_if.b_channel,
        bus._results,
    ):
        channel.set_pause_generator(pauses(rng))
    await ClockCycles(dut.aclk, 3)
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 3)
    return bus, memory


async def reset(dut):
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 2)
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 2)


@cocotb.test()
async def a_step_after_an_error_and_a_reset_in_flight(dut):
    step = a_step(SEED)
    image, alone = the_programs(step)
    bus, memory = await started(dut, image)

    @bridge
    def fails():
        driver = driver_on(bus, image)
        region = image.regions["weights"]
        memory.bad = range(region.offset, region.offset + region.size_bytes)
        driver.set_thresholds(((0, 0),))
        try:
            train(driver, step)
        except BusError:
            assert driver.read("status", "read_error")
        else:
            raise AssertionError("an error of the memory must end the run")
        memory.bad = range(0)
        driver.write("control", start=1)

    @bridge
    def trains():
        driver = driver_on(bus, image)
        assert driver.read("status") == REGISTERS["status"].reset
        driver.write("interrupt_enable", finished=1)
        train(driver, step)
        assert dut.irq.value
        check_matrices(driver, step)
        infers, network, parameters = driver_on(bus, alone), step.network, step.golden.updated
        for sample in (step.samples[0], -step.samples[0]):
            expected = classify(network, parameters, forward(network, parameters, sample)[-1].h)
            np.testing.assert_array_equal(infers.infer(sample), expected)

    await fails()
    await ClockCycles(dut.aclk, 100 + SEED % 400)
    assert not dut.irq.value
    await reset(dut)
    await trains()
