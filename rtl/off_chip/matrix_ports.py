"""The ports of a tile, or of several, to matrices that live off-chip: what the fetch asks for, and the lanes' words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Mux
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Signature, connect, flipped

from deltatrain.rtl.off_chip.fetch_unit import FetchUnit

__all__ = ["connect_matrices", "matrix_members"]

_PORTS = {
    "weights": ("weights", "new_weights", "posts_weights", "weights_written"),
    "gradients": ("weight_gradients", "new_weight_gradients", "posts_gradients", "gradients_written"),
}
"""Of each kind of matrix: words, new words, posts, and how many words are written."""


def matrix_members(fetch: FetchUnit, lanes: Mapping[str, Signature]) -> dict[str, object]:
    """Return the ports by name; `lanes` has for each kind that lives off-chip a `rtl.engine.ports.MatrixWords`."""
    found: dict[str, object] = {"fetch_requests": fetch.signature.members["requests"]}
    for kind, words in lanes.items():
        fetched = getattr(fetch, kind)
        written = In(stream.Signature(fetched.written.shape()))
        members = words.members["words"], words.members["new_words"], fetched.signature.members["posts"], written
        found |= zip(_PORTS[kind], members, strict=True)
    if "looked_up" in fetch.signature.members:
        found["looked_up"] = fetch.signature.members["looked_up"]
    return found


def connect_matrices(m: Module, fetch: FetchUnit, ports: Component, lanes: Mapping[str, Any]) -> None:
    """Join fetch, the lanes of each kind that lives off-chip, and the component that has the ports."""
    connect(m, fetch.requests, flipped(ports.fetch_requests))
    for kind, of_lanes in lanes.items():
        words, new_words, posts, written = (getattr(ports, name) for name in _PORTS[kind])
        fetched = getattr(fetch, kind)
        connect(m, flipped(words), fetched.words)
        connect(m, fetched.lane_words, of_lanes.words)
        if kind == "gradients" and "made" in fetch.signature.members:
            connect(m, of_lanes.new_words, fetch.made)  # the column cache keeps them, and lets lines go out
            connect(m, fetch.new_words, flipped(new_words))
        else:
            connect(m, of_lanes.new_words, flipped(new_words))
        connect(m, fetched.posts, flipped(posts))
        m.d.comb += [written.ready.eq(1), fetched.written.eq(Mux(written.valid, written.payload, 0))]
    if "looked_up" in fetch.signature.members:
        m.d.comb += ports.looked_up.eq(fetch.looked_up)
