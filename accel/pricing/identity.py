"""Which prices this version has: joules that other prices found are not comparable with its own."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

_PLACES = ("energy", "pricing", "devices", "dram_parts")
"""Folders of `accel`: tables of energies and areas, how they are applied, and the memories whose currents count."""


@cache
def prices_digest() -> str:
    """Return 16 hexadecimal digits that change with every price, and with how prices are applied."""
    digest = hashlib.sha256()
    for place in _PLACES:
        files = resources.files(f"deltatrain.accel.{place}").iterdir()
        for file in sorted(files, key=lambda file: file.name):
            if file.name.endswith((".py", ".toml")):
                digest.update(f"{place}/{file.name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
