"""The local SRAM priced bank by bank: what one access, its leakage and its area cost, by the size of a bank.

A memory of B banks is priced as B memories, each a B-th of its size: an access works one of them, and all of them leak
and take area. Between two sizes of a table a power law holds. A bank larger than the largest size is made of several
memories of that size, of which an access works one. A bank smaller than the smallest size is priced as that. Wires
between the banks are not priced, nor is a second port, because the memories in the tables have one.
"""

from __future__ import annotations

from deltatrain.accel.energy.prices import Prices
from deltatrain.accel.memory import Local

ACCESS_BYTES = 8
"""The tables' memories are read and written 64 bits at a time."""

_ROW = "local"


def access_pj(local: Local, prices: Prices, way: str) -> float:
    """Return the energy of one 64-bit access, `way` being ``read`` or ``write``."""
    return prices.of_size(_ROW, f"{way}_pj", local.bank_bytes)


def leakage_w(local: Local, prices: Prices) -> float | None:
    """Return the leakage of all banks; None if the table does not tell."""
    found = _of_all_banks(local, prices, "leakage_mw")
    return None if found is None else found * 1e-3


def area_mm2(local: Local, prices: Prices) -> float | None:
    """Return the area of all banks; None if the table does not tell."""
    return _of_all_banks(local, prices, "mm2")


def _of_all_banks(local: Local, prices: Prices, quantity: str) -> float | None:
    if not prices.has(_ROW, quantity):
        return None
    macros = local.banks * max(1.0, local.bank_bytes / prices.largest_bytes(_ROW))
    return macros * prices.of_size(_ROW, quantity, local.bank_bytes)
