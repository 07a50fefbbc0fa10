"""`cycle` and `rtl` are one environment with the same memory process; only the tile's processes differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import pytest
import simpy

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.dram.transfers import Transfers
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import StepOnGates
from deltatrain.sim.gates.step import NumberedStep
from deltatrain.sim.machine.machine import Machine
from deltatrain.sim.machine.port_ahead import PortAhead
from deltatrain.sim.memory.clock import Clock
from deltatrain.sim.memory.port import Arrival, RemotePort

REMOTE = {f"placement.{what}": "remote" for what in ("weights", "gradients", "tape")}
LAWS = {"Unit.run", "Fetch.run"}
GATES = {"TileProcess.run"}
MEMORY = "RemoteMemory._serve"


class Recording:
    """Which processes a run made, in which environments, and what came to the memory and back.

    Attributes
    ----------
    events
        Cycle, kind, address and bytes of every request in the order in which the memory took them, and its answer: when
        all of a read arrives, when a write is taken.
    advancing
        Who let the controller's time pass: the name of a process, or "" for nobody after the last event.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.names: dict[simpy.Process, str] = {}
        self.clocks: set[Clock] = set()
        self.events: list[list[object]] = []
        self.advancing: set[str] = set()
        self._patch = patch
        self._wrap(Clock, "process", self._process)
        self._wrap(RemotePort, "read", self._read)
        self._wrap(RemotePort, "write", self._write)
        self._wrap(RemotePort, "post", self._post)
        for name in ("hand_over", "await_reads", "serve", "offer", "advance"):
            self._wrap(Transfers, name, self._advance)
        self._wrap(PortAhead, "_played", self._advance)

    @property
    def processes(self) -> set[str]:
        return set(self.names.values())

    def _wrap(self, owner: type, name: str, wrapper: Callable[..., Any]) -> None:
        inner = getattr(owner, name)
        self._patch.setattr(owner, name, lambda it, *rest, **named: wrapper(inner, it, *rest, **named))

    def _process(self, inner: Any, clock: Clock, generator: Generator[simpy.Event, None, None]) -> simpy.Process:
        process = inner(clock, generator)
        self.clocks.add(clock)
        self.names[process] = generator.__qualname__
        return process

    def _read(
        self,
        inner: Any,
        port: RemotePort,
        at: int,
        address: int,
        size_bytes: int,
        word_bytes: int,
        arrived: Any = None,
        passed: Any = None,
    ) -> None:
        event: list[object] = [at, "read", address, size_bytes, None]

        def told(arrival: Arrival) -> None:
            event[-1] = arrival
            if arrived is not None:
                arrived(arrival)

        inner(port, at, address, size_bytes, word_bytes, told, passed)  # hands over what was posted for the cycle first
        self.events.append(event)

    def _write(self, inner: Any, port: RemotePort, *request: int) -> int:
        taken: int = inner(port, *request)
        self.events.append([request[0], "store", *request[1:], taken])
        return taken

    def _post(self, inner: Any, port: RemotePort, *request: Any) -> None:
        def told(taken: int) -> None:
            self.events.append([request[0], "post", *request[1:3], taken])
            request[3](taken)

        inner(port, *request[:3], told)

    def _advance(self, inner: Any, channels: Transfers | PortAhead, *request: Any) -> Any:
        (clock,) = self.clocks
        if clock.active_process is None:
            assert clock.peek() == math.inf, "the run is over"
        self.advancing.add(self.names.get(clock.active_process, ""))
        return inner(channels, *request)


def recorded(patch: pytest.MonkeyPatch, run: Callable[[], object]) -> Recording:
    with patch.context() as inside:
        recording = Recording(inside)
        run()
    return recording


def on_gates(step: NumberedStep) -> None:
    gates = StepOnGates(step)
    simulation = AmaranthSimulation(gates.tile, stops=gates.stops, halts="finished")
    gates.run(simulation)
    simulation.close()


@pytest.mark.parametrize("device", ["ddr3_1600", "zero_latency"])
def test_laws_and_gates_meet_the_same_memory_in_the_same_cycles(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Architecture.named("tiny", REMOTE | {"remote.device": device, "dma.request_cycles": 0})
    step = random_step(machine, "gru", seed=3, hidden=(3,), lengths=(3,), thresholds=(0, 0))
    laws = recorded(monkeypatch, lambda: Machine(step.program, on_bursts=lambda *_: None).run())
    ahead = recorded(monkeypatch, lambda: cycle.count(step.program))
    gates = recorded(monkeypatch, lambda: on_gates(step))
    assert len(laws.clocks) == len(gates.clocks) == 1
    assert laws.processes == ahead.processes == {MEMORY} | LAWS
    assert gates.processes == {MEMORY} | GATES
    assert gates.events == laws.events
    assert {kind for _, kind, *_ in laws.events} == {"read", "store", "post"}
    assert None not in [event[-1] for event in laws.events], "everything was answered"


def test_nobody_but_the_memory_advances_the_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Architecture.named("tiny", REMOTE | {"remote.device": "ddr3_1600"})
    step = random_step(machine, "rnn", seed=1, hidden=(3,), lengths=(2,), thresholds=(0, 0))
    for run in (
        lambda: cycle.count(step.program),
        lambda: Machine(step.program, on_bursts=lambda *_: None).run(),
        lambda: on_gates(step),
    ):
        recording = recorded(monkeypatch, run)
        assert recording.advancing == {MEMORY, ""}
