"""The code that this process runs: what other code found is not comparable with what it finds."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from deltatrain import accel, rtl, sim, workloads
from deltatrain.accel.source_digest import digest_of
from deltatrain.accel.version import VERSION


class Code(NamedTuple):
    """Which code it is.

    Attributes
    ----------
    version
        Of deltatrain.
    digest
        16 hexadecimal digits of the SHA-256 of all that decides what a simulation finds.
    """

    version: str
    digest: str

    def __str__(self) -> str:
        return f"{self.version} (code {self.digest})"


CODE = Code(VERSION, digest_of(Path(room.__path__[0]) for room in (accel, rtl, sim, workloads))[:16])
"""As it was when this module was loaded: what is edited later is not what this process runs."""
