"""The simulator beside other ways to the same numbers: naive ones, and simulators that a user has."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import speed_peers
from host_speed import Figures
from naive_controller import naive_channels
from naive_machine import NaiveMachine
from programs import recorded_step

from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.dram import DramController, DramPart
from deltatrain.accel.program import Program
from deltatrain.sim.dram.address_map import AddressMap
from deltatrain.sim.dram.replay import replay
from deltatrain.sim.dram.requests import generated
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.speed.measures import lstm_machine
from deltatrain.sim.speed.reference import cpu_seconds
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.shape import Shape

PART = DramPart.named("ddr4_2400")
CONTROLLER = DramController(bus_bits=PART.usual_bus_bits)
LAYOUT = AddressMap(PART, CONTROLLER)
REQUESTS, FEW_REQUESTS = 200_000, 500
LSTM_STEPS = 4


def program(width: int, steps: int, weights: str) -> Program:
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (width,), (width,), 10)
    return lower(lstm_machine(weights, weights), shape, recorded_step(shape, np.array([steps]), 0.2, 0), "last")


@pytest.mark.parametrize("weights", ["local", "remote"])
def test_cycle_beside_the_naive_machine(weights: str, figures: Figures) -> None:
    small = program(32, 10, weights)
    cycle.count(small)

    def seconds() -> tuple[float, float]:
        ours = cpu_seconds(lambda: cycle.count(small))
        naive = NaiveMachine(small)
        return ours, cpu_seconds(naive.run, 1)

    figures.at_most_peer(0.5, f"LSTM 32, T = 10, weights {weights}", "naive machine", seconds)


def replayed(pattern: str, count: int) -> int:
    return replay(PART, CONTROLLER, generated(pattern, count, LAYOUT.burst_bytes, LAYOUT.capacity_bytes)).cycles


def test_a_request_beside_a_controller_that_looks_at_its_whole_queue_in_each_cycle(figures: Figures) -> None:
    replayed("random", 10)

    def seconds() -> tuple[float, float]:
        few = next(generated("random", FEW_REQUESTS, LAYOUT.burst_bytes, LAYOUT.capacity_bytes))
        channels = naive_channels(PART, CONTROLLER, LAYOUT, few)
        naive = cpu_seconds(lambda: [channel.run() for channel in channels], 1)
        return cpu_seconds(lambda: replayed("random", REQUESTS)) / REQUESTS, naive / FEW_REQUESTS

    figures.at_most_peer(0.05, "ddr4_2400, one random request", "naive controller", seconds)


@pytest.mark.parametrize("pattern", ["stream", "random"])
def test_requests_beside_dramsim3(pattern: str, tmp_path: Path, figures: Figures) -> None:
    cycles = replayed(pattern, REQUESTS)

    def seconds() -> tuple[float, float]:
        requests = generated(pattern, REQUESTS, LAYOUT.burst_bytes, LAYOUT.capacity_bytes)
        theirs = speed_peers.dramsim3_seconds(requests, cycles, tmp_path)
        return cpu_seconds(lambda: replayed(pattern, REQUESTS)), theirs

    try:
        figures.at_most_peer(1, f"ddr4_2400, {REQUESTS:,} requests of DRAMsim3, {pattern}", "DRAMsim3", seconds)
    except speed_peers.NotHereError as missing:
        pytest.skip(str(missing))


def test_a_million_multiply_accumulates_beside_scalesim(tmp_path: Path, figures: Figures) -> None:
    lstm = program(512, 100, "local")

    def seconds() -> tuple[float, float]:
        products = [(1, 4 * 512, 512)] * LSTM_STEPS
        theirs = speed_peers.scalesim_seconds(products, tmp_path)
        start = time.process_time()
        macs = cycle.count(lstm).macs
        return 1e6 * (time.process_time() - start) / macs, theirs / (4 * 512 * 512 * LSTM_STEPS / 1e6)

    try:
        figures.at_most_peer(0.1, "a million multiply-accumulates simulated", "SCALE-Sim", seconds)
    except speed_peers.NotHereError as missing:
        pytest.skip(str(missing))
