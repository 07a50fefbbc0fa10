"""What a function is compiled from: the file that it is in, and all of the package that this file imports."""

from __future__ import annotations

import re
import zlib
from functools import cache
from pathlib import Path

_PACKAGE = __name__.partition(".")[0]
_IMPORTS = re.compile(rf"^\s*from ({_PACKAGE}[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)
_ROOT = Path(__file__).parents[__name__.count(".")]


@cache
def sources_number(path: Path) -> int:
    """Return a checksum of a file and of all that it imports of this package, directly or not; of their bytes alone."""
    found: dict[Path, bytes] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file in found or not file.is_file():
            continue
        found[file] = file.read_bytes()
        for package, names in _IMPORTS.findall(found[file].decode()):
            modules = (package, *(f"{package}.{name}" for name in re.findall(r"\w+", names)))
            waiting += [_ROOT.joinpath(*module.split(".")).with_suffix(".py") for module in modules]
    return zlib.crc32(b"\0".join(found[file] for file in sorted(found)))
