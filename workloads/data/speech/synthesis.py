"""Speech from espeak-ng, whose library and voices travel in the wheel of espeakng-loader.

The library is called, in processes of its own (`espeak_server`), and no part of it is copied; it is GPL-3.
"""

from __future__ import annotations

import json
import os
import platform
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import ConfigError, HostError
from deltatrain.accel.files import scratch_folder
from deltatrain.workloads.data.fetching import Progress, Wheel, fetched

SAMPLE_RATE_HZ = 22_050
"""Of all of espeak-ng's own voices; the greeting of the server is checked against it."""

# One wheel a platform; these are all there are of version 0.2.4, hashed from the files themselves.
_WHEELS = {
    ("Linux", "x86_64"): (
        "libespeak-ng.so",
        Wheel("espeakng-loader", "0.2.4", "08721baf27d13d461f6be6eed9a65277e70d68234ff484fd8b9897b222cdcb6d"),
    ),
    ("Darwin", "arm64"): (
        "libespeak-ng.dylib",
        Wheel("espeakng-loader", "0.2.4", "d27cdca31112226e7299d8562e889d3e38a1e48055c9ee381b45d669072ee59f"),
    ),
}
_LANGUAGES = ("phon", "intonations", "en_dict", "de_dict", "lang/gmw/en", "lang/gmw/de", "voices/!v/")
"""Which of the library's data English and German speech need, by the beginning of the path under espeak-ng-data."""


@dataclass(frozen=True)
class Utterance:
    """What is said, and how.

    Attributes
    ----------
    voice
        espeak-ng's name of accent and voice variant, for example ``en-us+f3``.
    text
        The words.
    rate
        Words a minute, 80 to 450.
    pitch
        0 to 100; 50 is the voice's own.
    seed
        Of the random parts of breathy voices.
    """

    voice: str
    text: str
    rate: int
    pitch: int
    seed: int


def parcel() -> Wheel:
    """Return the wheel for this platform; a platform without one is a `ConfigError`."""
    return _for_this_platform()[1]


class Synthesiser:
    """A running speech process; made by `synthesisers`, which also ends it."""

    def __init__(self, folder: Path, library: str) -> None:
        server = Path(__file__).with_name("espeak_server.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(server), f"./{library}"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            greeting = self._number()
            if greeting != SAMPLE_RATE_HZ:
                raise ConfigError(f"espeak-ng must speak at {SAMPLE_RATE_HZ} Hz, not {greeting}")
        except BaseException:
            self.close()
            raise

    def say(self, utterance: Utterance) -> NDArray[np.float64]:
        """Return the sound of an utterance, shape (samples,), from -1 to 1, at `SAMPLE_RATE_HZ`.

        The same utterance gives the same samples, bit for bit, whatever was said before.

        Raises
        ------
        ConfigError
            When the voice does not exist or the library fails.
        """
        stream = _pipe(self._process.stdin)
        try:
            stream.write(json.dumps(asdict(utterance), allow_nan=False).encode() + b"\n")
            stream.flush()
        except BrokenPipeError:
            raise HostError("the speech process ended before its time") from None
        size_bytes = self._number()
        if size_bytes < 0:
            raise ConfigError(f"voice {utterance.voice!r} could not say {utterance.text!r}")
        return np.frombuffer(self._read(size_bytes), "<i2").astype(np.float64) / 2**15

    def close(self) -> None:
        """End the process and wait for its end."""
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):  # a request that a dead process never read
                _pipe(stream).close()
        self._process.wait()

    def _number(self) -> int:
        return int(struct.unpack("<i", self._read(4))[0])

    def _read(self, size_bytes: int) -> bytes:
        message = _pipe(self._process.stdout).read(size_bytes)
        if len(message) < size_bytes:
            raise HostError("the speech process ended before its time: espeak-ng cannot be loaded on this machine")
        return message


@contextmanager
def synthesisers(count: int, progress: Progress | None = None) -> Iterator[list[Synthesiser]]:
    """Start `count` speech processes, and end them on leaving.

    Raises
    ------
    NetworkError
        When the library is not in the cache folder and cannot be fetched.
    ConfigError
        When there is no library for this platform or it cannot be run.
    """
    library, wheel = _for_this_platform()
    running: list[Synthesiser] = []
    with zipfile.ZipFile(fetched(wheel, progress)) as archive, scratch_folder("deltatrain-voices-") as scratch:
        inside = scratch / "espeakng_loader"
        archive.extractall(scratch, [name for name in archive.namelist() if _needed(name, library)])
        try:
            while len(running) < count:
                running.append(Synthesiser(inside, library))
            yield running
        finally:
            for synthesiser in running:
                synthesiser.close()


def _for_this_platform() -> tuple[str, Wheel]:
    here = (platform.system(), platform.machine())
    if here not in _WHEELS or not hasattr(os, "fork"):
        known = ", ".join(" ".join(pair) for pair in _WHEELS)
        raise ConfigError(f"espeak-ng, which speaks the data set, is there for {known}, not for {' '.join(here)}")
    return _WHEELS[here]


def _needed(member: str, library: str) -> bool:
    path = member.removeprefix("espeakng_loader/")
    return path == library or path.removeprefix("espeak-ng-data/").startswith(_LANGUAGES)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # both ends are asked for in __init__
    return stream
