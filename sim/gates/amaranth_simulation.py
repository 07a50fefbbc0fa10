"""Gates in Amaranth's own simulator: needs nothing but Amaranth, and is a thousand times slower than compiled ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.hdl import ClockDomain, Module
from amaranth.lib.wiring import Component
from amaranth.sim import Simulator
from numpy.typing import NDArray

from deltatrain.sim.gates.ports import Port, Ports, StreamPort, changed, check_pulse
from deltatrain.sim.gates.simulation import Simulation
from deltatrain.sim.gates.waveform import open_waveform

__all__ = ["AmaranthSimulation"]

CYCLE_S = 2e-9
"""One cycle in waveforms; cycle c ends with the rising edge at (2 c + 1) ns, in those of the compiled gates too."""


class AmaranthSimulation(Simulation):
    """A `Simulation` in Amaranth's simulator.

    Parameters
    ----------
    component
        The gates.
    stops
        Streams out of the component that stop `run` when they offer something.
    halts
        One-bit output that stops `run` in a cycle in which it is high.
    waveform
        Where to write what every signal did, a `.vcd` file; half to a third as fast.

    Raises
    ------
    ConfigError
        If the waveform cannot be written.
    ValueError
        If a port is not as described in `sim.gates.ports.Ports.of`, or a name is not that of a port of its kind.

    Notes
    -----
    Only a testbench of the simulator may drive and read signals. This one waits, without letting time pass, until the
    host wants something done (`_ask`), does it, and waits again.
    """

    def __init__(
        self, component: Component, *, stops: Sequence[str] = (), halts: str | None = None, waveform: Path | None = None
    ) -> None:
        self._ports = ports = Ports.of(component)
        self._stopping = [ports.sink(name).name for name in stops]
        self._halt = None if halts is None else ports.bit(ports.outputs, halts)
        self._restartable = waveform is None
        if waveform is not None:
            open_waveform(waveform, (".vcd",), "Amaranth's simulator")
        design = Module()
        design.domains.sync = ClockDomain(reset_less=True)  # also where nothing is clocked
        design.submodules.design = component
        self._simulator = Simulator(design)
        self._simulator.add_clock(CYCLE_S)
        self._simulator.add_testbench(self._serve)
        self._open = ExitStack()
        if waveform is not None:
            self._open.enter_context(self._simulator.write_vcd(str(waveform)))
        self._begin()

    @property
    def cycle(self) -> int:
        """The cycle that is about to be clocked."""
        return self._cycle

    def offer(self, port: str, due: int, payload: int) -> None:
        """Offer an item to a stream into the design."""
        self._ports.source(port).check(due, payload)
        self._sources[port].items.append((due, payload))

    def offer_array(self, port: str, due: NDArray[np.integer], payloads: NDArray[np.generic]) -> None:
        """Offer many items to a stream into the design."""
        stream = self._ports.source(port)
        packed, size = stream.packed(due, payloads), stream.payload_bytes
        for k, cycle in enumerate(due.tolist()):
            self._sources[port].items.append((cycle, int.from_bytes(packed[k * size : (k + 1) * size], "little")))

    def pulse(self, port: str, due: int) -> None:
        """Let a one-bit input be high in cycle `due`."""
        target = self._inputs[self._ports.bit(self._ports.inputs, port).name]
        check_pulse(port, due, target.last_pulse, self._cycle)
        target.pulses.append(due)
        target.last_pulse = due

    def set(self, port: str, value: int) -> None:
        """Drive a plain input from now on."""
        self._ports.input(port).check(value)
        self._inputs[port].level = value

    def value(self, port: str) -> int:
        """Return a plain output now."""
        return self._ask(partial(self._read, self._ports.output(port)))

    def run(self, until: int) -> bool:
        """Clock until `cycle` is `until`; return True if stopped before that."""
        if until < self._cycle:
            raise ValueError(f"cannot run until cycle {until}: cycle {self._cycle} is about to be clocked")
        return bool(self._ask(partial(self._run, until)))

    def taken(self, port: str) -> list[tuple[int, int]]:
        """Return what a stream out of the design gave since last asked."""
        sink = self._sinks[self._ports.sink(port).name]
        items, sink.items = sink.items, []
        return items

    def taken_array(self, port: str) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return what a stream out of the design gave since last asked, as arrays."""
        items, size = self.taken(port), self._ports.sink(port).payload_bytes
        rows = b"".join(payload.to_bytes(size, "little") for _, payload in items)
        cycles = np.array([cycle for cycle, _ in items], dtype=np.int64)
        return cycles, np.frombuffer(rows, dtype=np.uint8).reshape(len(items), size)

    def restart(self) -> None:
        """Go back to the first cycle and the first state."""
        if not self._restartable:
            raise ValueError("a simulation that writes a waveform cannot be restarted")
        self._simulator.reset()
        self._begin()

    def close(self) -> None:
        """Finish the waveform."""
        self._open.close()

    def _begin(self) -> None:
        """Let nothing have happened, and the testbench wait for the first request."""
        ports = self._ports
        self._sources = {name: _Source(port) for name, port in ports.sources.items()}
        self._sinks = {name: _Sink(port) for name, port in ports.sinks.items()}
        self._inputs = {name: _Input(port, port.initial, port.initial) for name, port in ports.inputs.items()}
        self._stops = [self._sinks[name] for name in self._stopping]
        self._halted = False
        self._cycle = 0
        self._request: Callable[[Any], Awaitable[int]] | None = None
        self._answer: int | RuntimeError = 0
        self._simulator.advance()

    def _ask(self, request: Callable[[Any], Awaitable[int]]) -> int:
        """Let the testbench do `request`."""
        self._request = request
        while self._request is not None:
            self._simulator.advance()
        if isinstance(self._answer, RuntimeError):
            raise self._answer
        return self._answer

    async def _serve(self, ctx: Any) -> None:
        for source in self._sources.values():
            ctx.set(source.port.payload.value, 0)
        for sink in self._sinks.values():
            ctx.set(sink.port.ready.value, 1)
        while True:
            while self._request is None:
                await ctx.delay(0)
            try:
                self._answer = await self._request(ctx)
            except RuntimeError as error:
                self._answer = error
            self._request = None

    async def _read(self, port: Port, ctx: Any) -> int:
        self._drive(ctx)
        return _bits(ctx, port)

    async def _run(self, until: int, ctx: Any) -> int:
        while self._cycle < until:
            self._drive(ctx)
            if self._stopped(ctx):
                return True
            self._take(ctx)
            await ctx.tick()
            self._cycle += 1
        return False

    def _drive(self, ctx: Any) -> None:
        """Drive everything that is due."""
        for source in self._sources.values():
            source.drive(ctx, self._cycle)
        for port in self._inputs.values():
            port.drive(ctx, self._cycle)

    def _stopped(self, ctx: Any) -> bool:
        """Return whether there is something to report that was not reported in this cycle."""
        stopped = sum(sink.report(ctx, self._cycle) for sink in self._stops) > 0  # every one of them
        if self._halt is not None and not self._halted and ctx.get(self._halt.value):
            self._halted = stopped = True
        return stopped

    def _take(self, ctx: Any) -> None:
        """Do what the coming clock edge does to the queues."""
        for sink in self._sinks.values():
            sink.take(ctx, self._cycle)
        for source in self._sources.values():
            if source.offering and ctx.get(source.port.ready.value):
                source.items.popleft()
                source.offering = False
        self._halted = False


@dataclass
class _Source:
    """The items that wait for a stream into the design; the first of them may be offered."""

    port: StreamPort
    items: deque[tuple[int, int]] = field(default_factory=deque)
    offering: bool = False
    valid: bool = False

    def drive(self, ctx: Any, cycle: int) -> None:
        if not self.offering and self.items and self.items[0][0] <= cycle:
            ctx.set(self.port.payload.value, self.items[0][1])
            self.offering = True
        if self.valid != self.offering:
            self.valid = self.offering
            ctx.set(self.port.valid.value, self.valid)


@dataclass
class _Sink:
    """What a stream out of the design gave; `reported` while its last item is one of this cycle, not yet taken."""

    port: StreamPort
    items: list[tuple[int, int]] = field(default_factory=list)
    reported: tuple[int, int] | None = None

    def report(self, ctx: Any, cycle: int) -> bool:
        """Keep what is offered; return False if it is nothing, or was reported in this cycle."""
        if self.reported or not ctx.get(self.port.valid.value):
            return False
        self.reported = (cycle, _bits(ctx, self.port.payload))
        self.items.append(self.reported)
        return True

    def take(self, ctx: Any, cycle: int) -> None:
        """Keep what is offered, or check that it is still what was reported."""
        reported, self.reported = self.reported, None
        if reported is None:
            self.report(ctx, cycle)
            self.reported = None
        elif not ctx.get(self.port.valid.value) or _bits(ctx, self.port.payload) != reported[1]:
            self.reported = reported
            raise RuntimeError(changed(self.port.name, cycle))


@dataclass
class _Input:
    """A plain input: what it is by itself, the pulses that wait, and what it is driven with."""

    port: Port
    level: int
    driven: int
    pulses: deque[int] = field(default_factory=deque)
    last_pulse: int = -1

    def drive(self, ctx: Any, cycle: int) -> None:
        while self.pulses and self.pulses[0] < cycle:
            self.pulses.popleft()
        bits = self.level | (bool(self.pulses) and self.pulses[0] == cycle)
        if bits != self.driven:
            self.driven = bits
            ctx.set(self.port.value, bits)


def _bits(ctx: Any, port: Port) -> int:
    """Return the bits of `port` as an unsigned integer; Amaranth's are signed if the port's shape is."""
    return int(ctx.get(port.value)) & ((1 << port.width) - 1)
