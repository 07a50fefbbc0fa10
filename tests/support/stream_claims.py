"""What is claimed of streams: they are stable under stall, and items come out once, whole and in order."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from amaranth.hdl import Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out
from proving import Claims

__all__ = ["claim_passage", "is_stable", "surround"]


def surround(claims: Claims, component: Component, *, driven: Container[str] = ()) -> None:
    """Let all inputs of `component` be free but those of the members `driven`, and its streams keep to their rule.

    The rule: what is offered stays offered, and the same, until it is taken. It is assumed of streams that come in, and
    claimed of those that go out.
    """
    streams: dict[tuple[Any, ...], dict[Any, Value]] = {}
    outgoing = set()
    for path, member, value in component.signature.flatten(component):
        if member.flow == In and path[0] not in driven:
            claims.drive(value, "__".join(map(str, path)))
        streams.setdefault(path[:-1], {})[path[-1]] = Value.cast(value)
        if path[-1] == "valid" and member.flow == Out:
            outgoing.add(path[:-1])
    for path, port in streams.items():
        if port.keys() == {"payload", "valid", "ready"}:
            stable = is_stable(claims, **port)
            if path in outgoing:
                claims.claim(f"{'.'.join(map(str, path))} is stable under stall", stable)
            elif path[0] not in driven:
                claims.assume(stable)


def claim_passage(claims: Claims, *, comes: Any, item: Any, goes: Any, gone: Any, most: int) -> Signal:
    """Claim that items go as they came: none twice, none lost between others, none changed, at most `most` inside.

    One item, any, is picked and followed. An item may go in the very cycle in which it comes.

    Parameters
    ----------
    comes, item
        Whether one comes in this cycle, and which.
    goes, gone
        Whether one goes, and which.
    most
        How many may be inside at most.

    Returns
    -------
    Signal
        How many are inside at the beginning of the cycle.
    """
    m, bits = claims.m, Value.cast(item).shape()
    inside, ahead = Signal(range(most + 2)), Signal(range(most + 2))
    watched, here, left, picks = Signal(bits), Signal(), Signal(), claims.any(1, "picks")
    enters = comes & picks & ~here & ~left
    leaves = goes & Mux(here, ahead == 0, enters & (inside == 0))
    m.d.sync += [
        inside.eq(inside + Value.cast(comes) - Value.cast(goes)),
        here.eq((here | enters) & ~leaves),
        left.eq(left | leaves),
        ahead.eq(Mux(here, ahead, inside) - Value.cast(goes)),
    ]
    with m.If(enters):
        m.d.sync += watched.eq(Value.cast(item))
    claims.claim("nothing goes that did not come", ~Value.cast(goes) | (inside != 0) | comes)
    claims.claim("no more are inside than there are places", inside <= most)
    same = Value.cast(gone) == Mux(here, watched, Value.cast(item)).as_unsigned()
    claims.claim("items go in the order in which they came, unchanged", ~leaves | same)
    return inside


def is_stable(claims: Claims, payload: Value, valid: Value, ready: Value) -> Value:
    """Return whether what was offered and not taken is still offered, and the same."""
    stalled = claims.before(valid & ~ready)
    return ~stalled | (valid & (payload == claims.before(payload)))
