from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from recording_files import tone, wav_bytes

from deltatrain.workloads.data.wav import read_wav


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("extensible", [False, True])
def test_integers_are_read_as_the_standard_library_has_them(
    tmp_path: Path, bits: int, channels: int, extensible: bool
) -> None:
    sound = np.stack([tone(440.0, 0.01, n) for n in range(channels)], axis=1)
    content = wav_bytes(sound, bits=bits, extensible=extensible)
    (tmp_path / "a.wav").write_bytes(content)
    found = read_wav(tmp_path / "a.wav")
    assert found.rate_hz == 16_000
    assert_allclose(found.samples, sound.mean(axis=1), atol=1.1 / 2 ** (bits - 1))
    with wave.open(io.BytesIO(wav_bytes(sound, bits=bits))) as file:
        data = file.readframes(file.getnframes())
    width = bits // 8
    whole = [int.from_bytes(data[n : n + width], "little", signed=bits > 8) for n in range(0, len(data), width)]
    values = np.array(whole, np.float64) - (128 if bits == 8 else 0)
    assert_array_equal(found.samples, (values / 2 ** (bits - 1)).reshape(-1, channels).mean(axis=1))


@pytest.mark.parametrize("bits", [32, 64])
def test_floats_are_read_as_they_are(tmp_path: Path, bits: int) -> None:
    sound = tone(440.0, 0.01)
    (tmp_path / "a.wav").write_bytes(wav_bytes(sound, bits=bits, code=3))
    assert_array_equal(read_wav(tmp_path / "a.wav").samples, sound.astype(f"f{bits // 8}"))


def test_a_file_of_a_pipe_has_no_size(tmp_path: Path) -> None:
    content = wav_bytes(tone(440.0, 0.01))
    at = content.index(b"data") + 4
    (tmp_path / "a.wav").write_bytes(content[:at] + b"\xff\xff\xff\xff" + content[at + 4 :])
    (tmp_path / "b.wav").write_bytes(content)
    assert_array_equal(read_wav(tmp_path / "a.wav").samples, read_wav(tmp_path / "b.wav").samples)
