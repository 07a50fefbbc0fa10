"""Labelled sound files, read when they are asked for, all of one sample rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.found import Found, Sound
from deltatrain.workloads.data.wav import read_wav


def sounds(
    files: list[Path],
    labels: NDArray[np.int64],
    class_names: tuple[str, ...],
    *,
    groups: NDArray[np.str_] | None = None,
    parts: NDArray[np.int64] | None = None,
) -> Found:
    """Return the sounds of WAV files; the other arguments are those of `Found`.

    Reading one whose sample rate is not that of the first is a `ConfigError`.
    """
    rate_hz = read_wav(files[0]).rate_hz

    def read(number: int) -> Sound:
        sound = read_wav(files[number])
        if sound.rate_hz != rate_hz:
            raise ConfigError(
                f"{files[number]} has {sound.rate_hz} Hz, and {files[0]} {rate_hz} Hz; one rate is accepted"
            )
        return sound

    return Found("sound", read, labels, class_names, [str(file) for file in files], groups, parts, files)
