"""What the registers say that do not change: which machine this is, its formats and its sizes."""

from __future__ import annotations

from hashlib import sha256

from deltatrain.accel.bus.program_format import FORMAT_VERSION
from deltatrain.accel.bus.registers import CAPACITIES, FORMATS, LAYOUT_VERSION, REGISTERS
from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.sizes import TileSizes

__all__ = ["facts", "identity"]

_IDENTITY_BYTES = 8


def identity(made_from: str) -> int:
    """Return by what a host knows the tile that its programs are for: 64 bits of a digest of `Tile.made_from`."""
    return int.from_bytes(sha256(made_from.encode()).digest()[:_IDENTITY_BYTES], "little")


def facts(
    *,
    made_from: str,
    engine: Engine,
    sizes: TileSizes,
    data_bytes: int,
    burst_beats: int,
    has_counters: bool = True,
    has_streams: tuple[bool, bool] = (False, False),
) -> dict[str, int]:
    """Return the value of each register whose reset is None, by name.

    Parameters
    ----------
    made_from, engine, sizes
        Of the tile.
    data_bytes, burst_beats
        Bytes of a beat on the bus of the memory, and most beats of a burst.
    has_counters
        Whether the tile counts busy and stalled cycles.
    has_streams
        Whether there is a stream for inputs, and one for results.
    """
    is_tile = identity(made_from)
    formats = {name: getattr(engine.formats, name) for name in FORMATS}
    features = {
        "weights_local": int(sizes.weight_words > 0),
        "gradients_local": int(sizes.gradient_words > 0),
        "tape_local": int(not sizes.tape_is_remote),
        "counters": int(has_counters),
        "stream_in": int(has_streams[0]),
        "stream_out": int(has_streams[1]),
        "data_bytes": data_bytes,
        "burst_beats": burst_beats,
    }
    fields = {
        "identity_low": {"identity": is_tile & 0xFFFF_FFFF},
        "identity_high": {"identity": is_tile >> 32},
        "version": {"layout": LAYOUT_VERSION, "commands": FORMAT_VERSION},
        "lanes": {"lanes": engine.lanes},
        "bits": {name: number.bits for name, number in formats.items()},
        "fractions": {name: number.fraction_bits for name, number in formats.items()},
        "features": features,
        **{f"capacity_{name}": {name: getattr(sizes, name)} for name in CAPACITIES},
    }
    return {name: REGISTERS[name].packed(**values) for name, values in fields.items()}
