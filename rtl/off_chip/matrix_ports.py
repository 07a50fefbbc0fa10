"""The ports of a tile, or of several, to matrices that live off-chip: what the fetch asks for, and the lanes' words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Mux
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, connect, flipped

from deltatrain.rtl.off_chip.fetch_unit import FetchUnit
from deltatrain.rtl.parts.of_arrays import of_arrays

__all__ = ["connect_matrices", "matrix_members"]

_PORTS = {
    "weights": ("weights", "new_weights", "posts_weights", "weights_written"),
    "gradients": ("weight_gradients", "new_weight_gradients", "posts_gradients", "gradients_written"),
}
"""Of each kind of matrix: words, new words, posts, and how many words are written."""

_FURTHER = {"passed": "fetch_passed", "looked_up": "looked_up"}
"""Of the fetch, if it has them."""


def matrix_members(fetch: FetchUnit, lanes: Mapping[str, Any]) -> dict[str, object]:
    """Return the ports by name; `lanes` has for each kind that lives off-chip a `rtl.engine.ports.MatrixWords`.

    Where there are several arrays it has one for each, and so each has the ports.
    """
    found: dict[str, object] = {"fetch_requests": fetch.signature.members["requests"]}
    for kind, words in lanes.items():
        fetched, own = of_arrays(getattr(fetch, kind)), of_arrays(words)
        written = In(stream.Signature(fetched[0].written.shape()))
        of_lanes, of_fetch = own[0].members, fetched[0].signature.members
        members = [of_lanes["words"], of_lanes["new_words"], of_fetch["posts"], written]
        if len(own) > 1:
            members = [member.array(len(own)) for member in members]
        found |= zip(_PORTS[kind], members, strict=True)
    for name, port in _FURTHER.items():
        if name in fetch.signature.members:
            found[port] = fetch.signature.members[name]
    return found


def connect_matrices(m: Module, fetch: FetchUnit, ports: Component, lanes: Mapping[str, Any]) -> None:
    """Join fetch, the lanes of each kind that lives off-chip, and the component that has the ports."""
    connect(m, fetch.requests, flipped(ports.fetch_requests))
    for kind, lane_words in lanes.items():
        of_kind = (of_arrays(getattr(ports, name)) for name in _PORTS[kind])
        of_each = zip(of_arrays(lane_words), of_arrays(getattr(fetch, kind)), *of_kind, strict=True)
        for of_lanes, fetched, words, new_words, posts, written in of_each:
            connect(m, flipped(words), fetched.words)
            connect(m, fetched.lane_words, of_lanes.words)
            if kind == "gradients" and "made" in fetch.signature.members:
                connect(m, of_lanes.new_words, fetch.made)  # the column cache keeps them, and lets lines go out
                connect(m, fetch.new_words, flipped(new_words))
            else:
                connect(m, of_lanes.new_words, flipped(new_words))
            connect(m, fetched.posts, flipped(posts))
            m.d.comb += [written.ready.eq(1), fetched.written.eq(Mux(written.valid, written.payload, 0))]
    if "passed" in fetch.signature.members:
        connect(m, flipped(ports.fetch_passed), fetch.passed)
    if "looked_up" in fetch.signature.members:
        m.d.comb += ports.looked_up.eq(fetch.looked_up)
