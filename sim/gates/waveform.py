"""The file of a waveform."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from deltatrain.accel.errors import ConfigError

__all__ = ["open_waveform"]


def open_waveform(path: Path, suffixes: Collection[str], simulator: str) -> None:
    """Create the file empty, so that one that cannot be written is refused before the simulation.

    Raises
    ------
    ConfigError
        If `simulator` does not write what the suffix of `path` stands for, or the file cannot be written.
    """
    if path.suffix not in suffixes:
        raise ConfigError(f"waveform of {simulator} must end in {' or '.join(suffixes)}, not {path}")
    try:
        path.write_bytes(b"")
    except OSError as error:
        raise ConfigError(f"waveform {path} cannot be written: {error.strerror}") from None
