"""How a tool makes a library of one component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Recipe"]


@dataclass(frozen=True)
class Recipe:
    """What to write into a folder and what to run there; the library is ``gates.so`` then.

    Attributes
    ----------
    text
        The gates in the tool's language.
    file
        The name of the file that `text` goes to.
    macros
        What the C++ files must know: CLOCK, the member that is the clock, if any; WAVEFORM if one is to be written.
    commands
        The commands, one after the other; the C++ file to compile is ``design.cpp``.
    runtime
        Files that the commands make if they are not there, and the same ones for every design.
    """

    text: str
    file: str
    macros: Mapping[str, str]
    commands: Sequence[Sequence[str]]
    runtime: Sequence[str] = ()
