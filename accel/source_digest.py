"""A digest of sources: it changes with everything that decides what a program finds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

_SUFFIXES = {".py", ".hpp", ".toml"}


def digest_of(places: Iterable[Path]) -> str:
    """Return the SHA-256 of all sources in `places`, files and folders."""
    found = hashlib.sha256()
    for place in places:
        for path in sorted(path for path in [place, *place.rglob("*")] if path.suffix in _SUFFIXES):
            found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()
