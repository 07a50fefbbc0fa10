"""The ports of a component as a simulation sees them: streams in and out, plain inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from amaranth.hdl import Const, Value
from amaranth.lib.wiring import Component, In
from numpy.typing import NDArray

__all__ = ["Port", "Ports", "StreamPort", "changed", "check_pulse"]

_STREAM_MEMBERS = {"payload", "valid", "ready"}

_Kind = TypeVar("_Kind", "Port", "StreamPort")


@dataclass(frozen=True)
class Port:
    """A plain port.

    Attributes
    ----------
    name
        The path of the member, joined with two underscores, as in Verilog: ``memory__addr``, ``requests__0``.
    width
        Its bits, at least 1.
    value
        What the component drives or reads.
    initial
        The bits that it has until somebody drives it.
    """

    name: str
    width: int
    value: Value
    initial: int

    def check(self, bits: int) -> None:
        """Raise ValueError if `bits` is no value of this port."""
        if bits < 0 or bits >> self.width:
            raise ValueError(f"{self.name} holds 0 to 2**{self.width} - 1, not {bits}")


@dataclass(frozen=True)
class StreamPort:
    """A stream of items.

    Attributes
    ----------
    name
        As in `Port`, of the stream and not of its members.
    payload, valid, ready
        Its members.
    """

    name: str
    payload: Port
    valid: Port
    ready: Port

    @property
    def payload_bytes(self) -> int:
        """Bytes of an item in an array of items."""
        return (self.payload.width + 7) // 8

    def check(self, due: int, payload: int) -> None:
        """Raise ValueError if `payload` is no item of this stream, or `due` no cycle."""
        if due < 0:
            raise ValueError(f"an item of {self.name} cannot be due in cycle {due}")
        self.payload.check(payload)

    def check_shapes(self, due: NDArray[np.integer], payloads: NDArray[np.generic]) -> None:
        """Raise ValueError if these cannot be the cycles and payloads of items."""
        if due.ndim != 1 or len(payloads) != len(due) or payloads.nbytes != len(due) * self.payload_bytes:
            raise ValueError(
                f"{self.name} takes {self.payload_bytes} bytes an item and as many items as cycles they are due in, "
                f"not payloads of shape {payloads.shape} and type {payloads.dtype} for due of shape {due.shape}"
            )

    def packed(self, due: NDArray[np.integer], payloads: NDArray[np.generic]) -> bytes:
        """Return the bytes of an array of items, `payload_bytes` each, or raise ValueError."""
        self.check_shapes(due, payloads)
        if len(due) and min(due.tolist()) < 0:  # faster than NumPy's for the few words of a burst
            raise ValueError(f"an item of {self.name} cannot be due in cycle {due.min()}")
        packed = payloads.tobytes()
        unused = 8 * self.payload_bytes - self.payload.width
        if unused and len(due) and max(packed[self.payload_bytes - 1 :: self.payload_bytes]) >> (8 - unused):
            raise ValueError(f"{self.name} holds 0 to 2**{self.payload.width} - 1, but an item of the array is above")
        return packed


@dataclass(frozen=True)
class Ports:
    """All ports of a component by name, each in the order of the component's signature.

    Attributes
    ----------
    sources, sinks
        The streams into the component, and out of it.
    inputs, outputs
        The ports that belong to no stream.
    """

    sources: dict[str, StreamPort]
    sinks: dict[str, StreamPort]
    inputs: dict[str, Port]
    outputs: dict[str, Port]

    @classmethod
    def of(cls, component: Component) -> Ports:
        """Return the ports of `component`; three members payload, valid and ready of one interface are a stream.

        Raises
        ------
        ValueError
            If a port has no bits, or is a constant (streams that are always valid or always ready).
        """
        inward: dict[str, bool] = {}
        groups: dict[tuple[str | int, ...], dict[str, Port]] = {}
        for path, member, value in component.signature.flatten(component):
            signal = _port("__".join(map(str, path)), Value.cast(value))
            inward[signal.name] = member.flow == In
            groups.setdefault(path[:-1], {})[str(path[-1])] = signal
        ports = cls({}, {}, {}, {})
        for path, members in groups.items():
            if path and set(members) == _STREAM_MEMBERS:
                stream = StreamPort("__".join(map(str, path)), **members)
                of_kind = ports.sources if inward[stream.valid.name] else ports.sinks
                of_kind[stream.name] = stream
                continue
            for signal in members.values():
                among = ports.inputs if inward[signal.name] else ports.outputs
                among[signal.name] = signal
        return ports

    def source(self, name: str) -> StreamPort:
        """Return the stream into the component called `name`, or raise ValueError."""
        return _named("a stream into the design", self.sources, name)

    def sink(self, name: str) -> StreamPort:
        """Return the stream out of the component called `name`, or raise ValueError."""
        return _named("a stream out of the design", self.sinks, name)

    def input(self, name: str) -> Port:
        """Return the plain input called `name`, or raise ValueError."""
        return _named("a plain input", self.inputs, name)

    def output(self, name: str) -> Port:
        """Return the plain output called `name`, or raise ValueError."""
        return _named("a plain output", self.outputs, name)

    def bit(self, kind: Mapping[str, Port], name: str) -> Port:
        """Return the port called `name` among `inputs` or `outputs` if it has one bit, or raise ValueError."""
        signal = self.input(name) if kind is self.inputs else self.output(name)
        if signal.width != 1:
            raise ValueError(f"{name} must have one bit, not {signal.width}")
        return signal


def check_pulse(name: str, due: int, last: int, cycle: int) -> None:
    """Raise ValueError if a pulse due in cycle `due` would be too late, or not behind the one due in cycle `last`."""
    if due < cycle:
        raise ValueError(f"a pulse of {name} cannot be due in cycle {due}: cycle {cycle} is about to be clocked")
    if due <= last:
        raise ValueError(f"a pulse of {name} cannot be due in cycle {due}: one is due in cycle {last} already")


def changed(stream: str, cycle: int) -> str:
    """Return what to say of a stream that did not keep what it was reported to offer."""
    return f"{stream} offered something in cycle {cycle} that was changed or withdrawn before the clock edge"


def _port(name: str, value: Value) -> Port:
    if isinstance(value, Const):
        raise ValueError(f"port {name} is a constant; streams must have both valid and ready")
    width = len(value)
    if width == 0:
        raise ValueError(f"port {name} has no bits")
    initial: Any = value.init
    return Port(name, width, value, int(initial) & ((1 << width) - 1))


def _named(what: str, among: Mapping[str, _Kind], name: str) -> _Kind:
    if name not in among:
        raise ValueError(f"{name!r} is not {what} (there are: {', '.join(among) or 'none'})")
    return among[name]
