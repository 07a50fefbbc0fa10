"""The wires of the exchange between tiles: a bit costs by the millimetres that it travels.

No table of the house has a price of wires, as none was found with a source that says what its wires are. A table of
one's own has a row ``[wire]`` with ``pj_per_bit_mm``; the distance between tiles is ``tiles.pitch_mm``.
"""

from __future__ import annotations

from deltatrain.accel.energy.prices import WIRE, Prices
from deltatrain.accel.tiles import Tiles

WIRES = "exchange wires"
"""The component of a run's energy."""


def priced(tiles: Tiles, price: Prices) -> bool:
    """Tell whether there is an exchange whose wires have a length and a price."""
    return tiles.count > 1 and tiles.pitch_mm is not None and price.has(*WIRE)


def wires_pj(tiles: Tiles, exchange_bytes: int, price: Prices) -> float:
    """Return the energy of bytes that go to every tile, or come from every tile, in picojoules (`Tiles.links`).

    Switches, buffers and the adders on the way are not in it.
    """
    assert tiles.pitch_mm is not None
    return 8 * exchange_bytes * tiles.links * tiles.pitch_mm * price(*WIRE)


def missing(tiles: Tiles, price: Prices) -> list[str]:
    """Return what of the exchange has no price."""
    if tiles.count == 1:
        return []
    return ["switches and adders of the exchange" if priced(tiles, price) else "exchange between tiles"]
