"""The pieces of work that `deltatrain bench` measures, each in a few CPU seconds of one core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramController, DramPart
from deltatrain.sim.dram.address_map import AddressMap
from deltatrain.sim.dram.replay import replay
from deltatrain.sim.dram.requests import generated
from deltatrain.sim.run import simulate, synthetic_trace
from deltatrain.sim.speed import trainer_steps
from deltatrain.sim.speed.figure import Figure
from deltatrain.sim.speed.reference import beside_reference, cpu_seconds
from deltatrain.sim.speed.trainer_steps import TrainerStep
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload

_REQUESTS = 200_000
_POINTS = 100
_SPACE: dict[str, Any] = {
    "name": "speed",
    "workload": "synthetic",
    "fixed": {"workload.training.batch": 1, "machine.cache.bytes": 0},
    "vary": {
        "machine.engine.lanes": {"low": 1, "high": 48},
        "machine.dma.bytes_per_cycle": [4, 8, 16],
        "machine.placement.weights": ["local", "remote"],
    },
    "objectives": {"seconds": "minimise"},
}
"""Machines like `edge`, for one sample of a 56 k LSTM, T = 60; some are too small and refused."""


class Measure(NamedTuple):
    """A piece of work.

    Attributes
    ----------
    what
        Its name, the same for ever: the baseline knows it by this.
    seconds
        Returns its CPU seconds; what it needs is made, loaded and compiled first.
    """

    what: str
    seconds: Callable[[], float]


class TrainerMeasure(NamedTuple):
    """A step of the trainer, which PyTorch computes beside it."""

    what: str
    step: TrainerStep
    repeats: int


def lstm_machine(weights: str, gradients: str) -> Architecture:
    """Return `edge` with 16 lanes, a port of a word a cycle, 32 KiB for columns on their way and room for the rest.

    It has no column cache, which would hold all that there is.
    """
    changes: dict[str, Any] = {"engine.lanes": 16, "engine.elementwise_lanes": 16, "local.bytes": 2**28}
    changes |= {"dma.bytes_per_cycle": 32, "cache.bytes": 0}
    changes |= {"dma.buffer_bytes": 2**15, "placement.weights": weights, "placement.gradients": gradients}
    return Architecture.named("edge", changes)


def lstm_trace(steps: int) -> Trace:
    """Return one sample of an LSTM of 512 neurons on 512 inputs, a fifth of whose deltas fires, in `steps` steps."""
    sizes = {"inputs": 512, "classes": 10, "steps": steps, "occupancy_x": 0.2, "occupancy_h": 0.2}
    changes = {"hidden": [512], "training.batch": 1, **{f"synthetic.{name}": value for name, value in sizes.items()}}
    return synthetic_trace(Workload.named("synthetic", changes))


def measured(measure: Measure | TrainerMeasure) -> Figure:
    """Return the figure of a piece of work, which needs no baseline yet."""
    if isinstance(measure, Measure):
        found = beside_reference(measure.seconds)
        return Figure(measure.what, found.seconds, "CPU s", relative=found.references)
    peers: list[float | None] = []

    def seconds() -> float:
        ours, theirs = trainer_steps.measured(measure.step, measure.repeats)
        peers.append(theirs)
        return ours

    found = beside_reference(seconds)
    peer = "" if peers[0] is None else "torch.nn.LSTM"
    return Figure(measure.what, found.seconds, "CPU s", peer, peers[0], found.references)


def _simulation(fidelity: str, weights: str, gradients: str, repeats: int) -> Callable[[], float]:
    def seconds() -> float:
        machine, trace = lstm_machine(weights, gradients), lstm_trace(100)
        simulate(machine, lstm_trace(1), fidelity=fidelity, dense=False)  # what is compiled is compiled, or loaded
        return cpu_seconds(lambda: simulate(machine, trace, fidelity=fidelity, dense=False), repeats)

    return seconds


def _requests(pattern: str) -> Callable[[], float]:
    part = DramPart.named("ddr3_1600")
    controller = DramController(bus_bits=part.usual_bus_bits)
    layout = AddressMap(part, controller)

    def served(count: int) -> None:
        replay(part, controller, generated(pattern, count, layout.burst_bytes, layout.capacity_bytes))

    def seconds() -> float:
        served(10)
        return cpu_seconds(lambda: served(_REQUESTS))

    return seconds


def _points() -> float:
    from deltatrain.sim.sweep.checks import checked_space
    from deltatrain.sim.sweep.point import Simulator
    from deltatrain.sim.sweep.searches import SEARCHES

    space = checked_space(_SPACE)
    search, simulator = SEARCHES.load("random").start(space, 1, 1), Simulator(space.base)
    designs = [design for _ in range(_POINTS) if (design := search.ask()) is not None]
    simulator.row({})  # what is loaded once is loaded
    return cpu_seconds(lambda: simulator.answer(designs))


MEASURES: tuple[Measure | TrainerMeasure, ...] = (
    Measure("analytic, LSTM 512", _simulation("analytic", "remote", "remote", 3)),
    Measure("cycle, LSTM 512, all in SRAM", _simulation("cycle", "local", "local", 3)),
    Measure("cycle, LSTM 512, weights in DRAM", _simulation("cycle", "remote", "local", 1)),
    Measure(f"DDR3, {_REQUESTS:,} requests, stream", _requests("stream")),
    Measure(f"DDR3, {_REQUESTS:,} requests, random", _requests("random")),
    Measure(f"sweep, {_POINTS} analytic points", _points),
    TrainerMeasure("trainer, LSTM 2 x 64, B = 32, all fired", TrainerStep((64, 64), 32, 40, 1.0), 20),
    TrainerMeasure("trainer, LSTM 2 x 64, B = 32, 10 % fired", TrainerStep((64, 64), 32, 40, 0.1), 20),
    TrainerMeasure("trainer, LSTM 512, B = 1, 10 % fired", TrainerStep((512,), 1, 100, 0.1), 5),
)
"""In the order in which they are measured."""
