"""Front ends beside statements of them written from their definitions, a value at a time."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from recording_files import tone

from deltatrain.workloads.data.delta_code import delta_coded
from deltatrain.workloads.data.found import Sound
from deltatrain.workloads.data.front_ends import FRONT_ENDS
from deltatrain.workloads.data.front_ends.cochlea import Cochlea
from deltatrain.workloads.data.front_ends.log_mel import LogMel
from deltatrain.workloads.data.front_ends.mfcc import Mfcc
from deltatrain.workloads.data.front_ends.raw import Raw
from deltatrain.workloads.data.recordings import Sequences
from deltatrain.workloads.data.speech import cochlea

PUBLISHED_BINS = (6, 14, 23, 33, 45, 58, 74, 92, 112, 136, 163, 195, 231, 273, 320, 376, 439, 512)
"""Of the public training code of RENETA: 16 channels, 100 to 8,000 Hz, 1,024 points, 16 kHz."""


def test_filters_lie_between_the_published_bins() -> None:
    assert LogMel().edges(16_000) == PUBLISHED_BINS


def test_a_second_has_the_published_number_of_frames() -> None:
    assert LogMel().features(Sound(tone(440.0, 1.0), 16_000)).shape == (61, 16)


def naive_decibels(frame: np.ndarray, points: int, edges: tuple[int, ...]) -> list[float]:
    n = len(frame)
    windowed = [x * (0.54 - 0.46 * math.cos(2 * math.pi * t / (n - 1))) for t, x in enumerate(frame)]
    magnitudes = [
        abs(sum(x * cmath.exp(-2j * math.pi * k * t / points) for t, x in enumerate(windowed))) / points
        for k in range(points // 2 + 1)
    ]
    levels = []
    for first, peak, last in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
        rising = sum(magnitudes[k] * (k - first) / (peak - first) for k in range(first, peak))
        falling = sum(magnitudes[k] * (last - k) / (last - peak) for k in range(peak, last))
        levels.append(20 * math.log10(max(rising + falling, 1e-6)))
    return levels


def test_log_mel_is_its_definition() -> None:
    front_end = LogMel(channels=5, frame_s=0.008, stride_s=0.005, fft_points=128)
    sound = tone(700.0, 0.02)
    found = front_end.features(Sound(sound, 16_000))
    edges = front_end.edges(16_000)
    expected = [naive_decibels(sound[at : at + 128], 128, edges) for at in range(0, len(sound) - 127, 80)]
    assert_allclose(found, expected, atol=1e-4)


def test_mfcc_are_the_cosine_transform_of_log_mel() -> None:
    sound, fields = Sound(tone(700.0, 0.1), 16_000), {"channels": 12}
    levels = LogMel(**fields).features(sound)
    found = Mfcc(coefficients=5, **fields).features(sound)
    for k in range(5):
        scale = math.sqrt((1 if k == 0 else 2) / 12)
        expected = [scale * sum(row[n] * math.cos(math.pi * k * (2 * n + 1) / 24) for n in range(12)) for row in levels]
        assert_allclose(found[:, k], expected, rtol=1e-4, atol=1e-3)


def test_silence_is_the_same_in_every_frame() -> None:
    found = LogMel().features(Sound(np.zeros(5_000), 16_000))
    assert_array_equal(found, -120.0)


def test_a_sound_shorter_than_a_frame_is_one_frame() -> None:
    assert LogMel().features(Sound(tone(440.0, 0.005), 16_000)).shape == (1, 16)


def test_a_lower_sample_rate_has_filters_up_to_its_half() -> None:
    assert LogMel().features(Sound(tone(440.0, 0.3, rate_hz=8_000), 8_000)).shape[1] == 16
    with pytest.raises(ValueError, match="up to half of its 8000 Hz"):
        LogMel(highest_hz=8_000.0).features(Sound(tone(440.0), 8_000))


def test_raw_sound_is_cut_into_rows() -> None:
    sound = tone(440.0, 0.01)
    assert_array_equal(Raw(samples=50).features(Sound(sound, 16_000)), sound[:150].reshape(3, 50).astype(np.float32))


def test_the_cochlea_is_that_of_the_synthetic_spikes() -> None:
    sound = tone(440.0, 0.3)
    found = Cochlea().features(Sound(sound, 16_000))
    assert_array_equal(found, cochlea.spike_train(sound, 16_000))
    assert set(np.unique(found)) == {0, 1}


def test_front_ends_have_defaults_and_know_their_names() -> None:
    for name in FRONT_ENDS.names():
        assert FRONT_ENDS.load(name).FIELDS().name == name


@given(st.lists(st.integers(1, 7), min_size=1, max_size=5), st.floats(0.1, 2), st.integers(0, 99))
def test_delta_code_is_what_a_modulator_sends(lengths: list[int], step: float, seed: int) -> None:
    values = np.random.default_rng(seed).normal(0, 1, (sum(lengths), 2)).astype(np.float32)
    part = Sequences(values, np.array(lengths, np.int64), np.zeros(len(lengths), np.int64))
    coded, row = delta_coded(part, step), 0
    for length in lengths:
        reference = [float(value) for value in values[row]]
        for time in range(length):
            for feature in range(2):
                whole = math.trunc((float(values[row + time, feature]) - reference[feature]) / step)
                reference[feature] += whole * step
                assert coded.values[row + time, feature] == (whole > 0)
                assert coded.values[row + time, 2 + feature] == (whole < 0)
        row += length
