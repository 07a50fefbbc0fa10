"""Sound files of the kind RIFF WAVE, without compression: integers of 8 to 32 bits, floats of 32 and 64."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.found import Sound

ACCEPTED = "a WAV file of integers of 8, 16, 24 or 32 bits or floats of 32 or 64 bits"

_INTEGERS, _FLOATS, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)
"""What programs that write to a pipe put where the size of the samples belongs."""


class _Form(NamedTuple):
    """What the chunk "fmt " says."""

    code: int
    channels: int
    rate_hz: int
    bits: int


def read_wav(path: Path) -> Sound:
    """Return the sound in the file `path`, the mean of its channels.

    Raises
    ------
    ConfigError
        If the file cannot be read, or is no such sound.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise ConfigError(f"{path} begins with {content[:12]!r}; accepted is {ACCEPTED}")
    form, data = None, None
    for name, claimed, body in _chunks(content):
        if name == b"fmt " and len(body) >= 16:
            form = _form(body)
        elif name == b"data":
            if claimed > len(body) and claimed not in _UNKNOWN_SIZES:
                raise ConfigError(f"{path} is cut: {claimed} bytes of samples are announced, and {len(body)} are there")
            data = body
            break
    if form is None or data is None:
        raise ConfigError(f"{path} has no {'format' if form is None else 'samples'}; accepted is {ACCEPTED}")
    return Sound(_samples(form, data, path), form.rate_hz)


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield name, announced size and bytes of each chunk."""
    at = 12
    while at + 8 <= len(content):
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        whole = len(content) if name == b"data" and size in _UNKNOWN_SIZES else at + 8 + size
        yield name, size, content[at + 8 : whole]
        at += 8 + size + size % 2


def _form(body: bytes) -> _Form:
    code, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    if code == _EXTENSIBLE and len(body) >= 26:
        code = int.from_bytes(body[24:26], "little")
    return _Form(code, channels, rate_hz, bits)


def _samples(form: _Form, data: bytes, path: Path) -> NDArray[np.float64]:
    """Return the mean of the channels, shape (n,)."""
    known = {(_INTEGERS, 8), (_INTEGERS, 16), (_INTEGERS, 24), (_INTEGERS, 32), (_FLOATS, 32), (_FLOATS, 64)}
    if (form.code, form.bits) not in known or not form.channels or not form.rate_hz:
        raise ConfigError(
            f"{path} has format {form.code} with {form.bits} bits, {form.channels} channels at {form.rate_hz} Hz; "
            f"accepted is {ACCEPTED}"
        )
    width = form.bits // 8
    whole = data[: len(data) // (width * form.channels) * width * form.channels]
    if not whole:
        raise ConfigError(f"{path} has no samples; at least one is needed")
    if form.code == _FLOATS:
        values = np.frombuffer(whole, f"<f{width}").astype(np.float64)
    elif form.bits == 8:
        values = (np.frombuffer(whole, np.uint8).astype(np.float64) - 128) / 128
    else:
        values = _signed(whole, width) / 2.0 ** (form.bits - 1)
    return np.asarray(values.reshape(-1, form.channels).mean(axis=1))


def _signed(data: bytes, width: int) -> NDArray[np.float64]:
    """Return little-endian integers of `width` bytes: widened to 32 bits at the low end, then shifted back."""
    wide = np.zeros((len(data) // width, 4), np.uint8)
    wide[:, 4 - width :] = np.frombuffer(data, np.uint8).reshape(-1, width)
    return (wide.view("<i4")[:, 0] >> 8 * (4 - width)).astype(np.float64)
