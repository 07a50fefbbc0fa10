"""Gates compiled to a library, which keeps the queues of all ports, so that Python is woken at stops only."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from amaranth.lib.wiring import Component
from numpy.typing import NDArray

from deltatrain.sim.gates.compiled.library import library
from deltatrain.sim.gates.compiled.tools import find_tool
from deltatrain.sim.gates.ports import Port, Ports, changed, check_pulse
from deltatrain.sim.gates.simulation import Simulation
from deltatrain.sim.gates.waveform import open_waveform

__all__ = ["CompiledSimulation"]

_ITEM = struct.Struct("<QQ")  # harness.hpp, Item of at most 64 bits
_STOPPED, _CHANGED = 1, 2  # harness.hpp, Simulation::run; 2 + k says that sink k changed


class CompiledSimulation(Simulation):
    """A `Simulation` of compiled gates.

    Parameters
    ----------
    component
        The gates; they are elaborated once.
    stops
        Streams out of the component that stop `run` when they offer something.
    halts
        One-bit output that stops `run` in a cycle in which it is high.
    waveform
        Where to write what every signal did: a ``.vcd`` file, or ``.fst`` with Verilator.
    tool
        "verilator" or "cxxrtl"; None for the first of them that this machine has.

    Raises
    ------
    ConfigError
        If tools are missing or fail, or the waveform is of a kind that the tool does not write.
    ValueError
        If a port is not as described in `sim.gates.ports.Ports.of`, or a name is not that of a port of its kind.
    """

    def __init__(
        self,
        component: Component,
        *,
        stops: Sequence[str] = (),
        halts: str | None = None,
        waveform: Path | None = None,
        tool: str | None = None,
    ) -> None:
        self._ports = ports = Ports.of(component)
        stopping = [ports.sink(name).name for name in stops]
        halt = -1 if halts is None else list(ports.outputs).index(ports.bit(ports.outputs, halts).name)
        chosen = find_tool(tool)
        if waveform is not None:
            open_waveform(waveform, chosen.WAVEFORMS, chosen.NAME)
        self._library = _opened(library(component, ports, chosen, waveform.suffix if waveform else None))
        self._sources, self._sinks, self._inputs, self._outputs = (
            {name: number for number, name in enumerate(kind)}
            for kind in (ports.sources, ports.sinks, ports.inputs, ports.outputs)
        )
        mask = sum(1 << self._sinks[name] for name in set(stopping))
        self._restartable = waveform is None
        self._opening = (mask, halt, os.fsencode(waveform or ""))
        self._values: dict[str, ctypes.Array[ctypes.c_char]] = {}  # where the library writes plain outputs
        self._gates: ctypes.c_void_p
        self._counters: memoryview
        self._open()

    @property
    def cycle(self) -> int:
        """The cycle that is about to be clocked."""
        return self._counters[0]

    def offer(self, port: str, due: int, payload: int) -> None:
        """Offer an item to a stream into the design."""
        stream = self._ports.source(port)
        if due < 0 or payload < 0 or payload >> stream.payload.width:
            stream.check(due, payload)  # says what is wrong with them
        bits = payload.to_bytes(stream.payload_bytes, "little")
        self._library.gates_offer_one(self._gates, self._sources[port], due, bits)

    def offer_array(self, port: str, due: NDArray[np.integer], payloads: NDArray[np.generic]) -> None:
        """Offer many items to a stream into the design."""
        stream = self._ports.source(port)
        stream.check_shapes(due, payloads)
        due = due.astype(np.int64, copy=False)
        packed = payloads.tobytes()
        if not self._library.gates_offer(self._gates, self._sources[port], len(due), due.tobytes(), packed):
            stream.packed(due, payloads)  # says what is wrong with them

    def pulse(self, port: str, due: int) -> None:
        """Let a one-bit input be high in cycle `due`."""
        self._ports.bit(self._ports.inputs, port)
        check_pulse(port, due, self._last_pulse[port], self.cycle)
        self._last_pulse[port] = due
        self._library.gates_pulse(self._gates, self._inputs[port], due)

    def set(self, port: str, value: int) -> None:
        """Drive a plain input from now on."""
        signal = self._ports.input(port)
        signal.check(value)
        self._library.gates_set(self._gates, self._inputs[port], value.to_bytes(_padded_bytes(signal), "little"))

    def value(self, port: str) -> int:
        """Return a plain output now."""
        bits = self._values.get(port)
        if bits is None:
            bits = self._values[port] = ctypes.create_string_buffer(_padded_bytes(self._ports.output(port)))
        self._library.gates_value(self._gates, self._outputs[port], bits)
        return int.from_bytes(bits.raw, "little")

    def run(self, until: int) -> bool:
        """Clock until `cycle` is `until`; return True if stopped before that."""
        if until < self._counters[0]:
            raise ValueError(f"cannot run until cycle {until}: cycle {self.cycle} is about to be clocked")
        ended = self._library.gates_run(self._gates, until)
        if ended >= _CHANGED:
            raise RuntimeError(changed(list(self._sinks)[ended - _CHANGED], self.cycle))
        return bool(ended == _STOPPED)

    def taken(self, port: str) -> list[tuple[int, int]]:
        """Return what a stream out of the design gave since last asked."""
        number = self._sinks.get(port)
        if number is not None and not self._counters[1 + number]:
            return []  # mostly, and asked at every stop
        rows = self._handed_out(port)
        size = _padded_bytes(self._ports.sinks[port].payload)
        if size == 8:
            return list(_ITEM.iter_unpack(rows))
        starts = range(0, len(rows), 8 + size)
        return [
            (int.from_bytes(rows[k : k + 8], "little"), int.from_bytes(rows[k + 8 : k + 8 + size], "little"))
            for k in starts
        ]

    def taken_array(self, port: str) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return what a stream out of the design gave since last asked, as arrays."""
        stream = self._ports.sink(port)
        size = 8 + _padded_bytes(stream.payload)
        rows = np.frombuffer(self._handed_out(port), dtype=np.uint8).reshape(-1, size)
        cycles = rows[:, :8].copy().view(np.int64).ravel()
        return cycles, np.ascontiguousarray(rows[:, 8 : 8 + stream.payload_bytes])

    def restart(self) -> None:
        """Go back to the first cycle and the first state."""
        if not self._restartable:
            raise ValueError("a simulation that writes a waveform cannot be restarted")
        self.close()
        self._open()

    def close(self) -> None:
        """Free the gates and finish the waveform."""
        if self._gates.value is not None:
            self._counters.release()
            self._library.gates_close(self._gates)
            self._gates = ctypes.c_void_p(None)

    def _open(self) -> None:
        """Make new gates, in their first state."""
        self._gates = ctypes.c_void_p(self._library.gates_open(*self._opening))
        counters = (ctypes.c_uint64 * (1 + len(self._sinks))).from_address(self._library.gates_counters(self._gates))
        self._counters = memoryview(counters).cast("B").cast("Q")  # a plain memory view reads fastest
        self._last_pulse = dict.fromkeys(self._inputs, -1)
        for port in self._ports.inputs.values():
            self.set(port.name, port.initial)

    def _handed_out(self, port: str) -> bytes:
        """Return the items of a sink, cycle and padded payload, and forget them in the library."""
        number = self._sinks.get(port)
        if number is None:
            number = self._sinks[self._ports.sink(port).name]  # says that there is no such sink
        count = self._counters[1 + number]
        if not count:
            return b""
        size = 8 + _padded_bytes(self._ports.sinks[port].payload)
        return ctypes.string_at(self._library.gates_taken(self._gates, number), count * size)


def _padded_bytes(port: Port) -> int:
    """Return the bytes of the 64-bit integers that hold the bits of `port`."""
    return (port.width + 63) // 64 * 8


def _opened(path: Path) -> SimpleNamespace:
    """Return the functions of the library, with their types; they stand at the end of harness.hpp."""
    # Only runs, which may be long, release Python's lock: releasing it costs as much as one of the other calls.
    brief, long = ctypes.PyDLL(str(path)), ctypes.CDLL(str(path))
    opened = SimpleNamespace()
    handle, number, cycle, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64, ctypes.c_size_t
    address, text = ctypes.c_void_p, ctypes.c_char_p
    for name, result, arguments in (
        ("open", handle, (cycle, number, text)),
        ("close", None, (handle,)),
        ("counters", address, (handle,)),
        ("run", number, (handle, cycle)),
        ("offer", number, (handle, number, size, text, text)),
        ("offer_one", number, (handle, number, cycle, text)),
        ("pulse", None, (handle, number, cycle)),
        ("set", None, (handle, number, text)),
        ("value", None, (handle, number, text)),
        ("taken", address, (handle, number)),
    ):
        function = getattr(long if name == "run" else brief, f"gates_{name}")
        function.restype, function.argtypes = result, arguments
        setattr(opened, f"gates_{name}", function)
    return opened
