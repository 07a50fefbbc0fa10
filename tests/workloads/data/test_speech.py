from __future__ import annotations

import os
import platform
import tomllib
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from deltatrain.accel.errors import ConfigError, NetworkError
from deltatrain.workloads.data.fetching import fetched
from deltatrain.workloads.data.speech import synthesis
from deltatrain.workloads.data.speech.casting import cast, intents, unseen_voices
from deltatrain.workloads.data.speech.filterbank import (
    CHANNELS,
    FFT_POINTS,
    HIGHEST_HZ,
    LOWEST_HZ,
    log_mel,
    mel,
    triangles,
)
from deltatrain.workloads.data.speech.recording import features_of
from deltatrain.workloads.data.speech.room import Room, coloured_noise, convolved, impulse_response, recorded
from deltatrain.workloads.data.speech.synthesis import SAMPLE_RATE_HZ, Synthesiser, Utterance, parcel, synthesisers
from deltatrain.workloads.datasets.commands import recipe_text

RECIPE: dict[str, Any] = tomllib.loads(recipe_text().decode())
QUIET = Room((0.1, 0.1), (60, 60), (90, 90), (0, 0), (0.1, 0.2), (0.1, 0.2))


# --- filterbank


def test_a_thousand_hertz_are_a_thousand_mel() -> None:
    """The scale is defined so (O'Shaughnessy 1987), to the rounding of its two constants."""
    assert_allclose(mel(1000.0), 1000.0, atol=0.1)


def test_the_filters_equal_their_definition_bin_by_bin() -> None:
    edges = [float(mel(LOWEST_HZ)) + k * float(mel(HIGHEST_HZ) - mel(LOWEST_HZ)) / (CHANNELS + 1) for k in range(18)]
    weights = triangles(SAMPLE_RATE_HZ)
    for k in range(weights.shape[0]):
        pitch = float(mel(k * SAMPLE_RATE_HZ / FFT_POINTS))
        for c in range(CHANNELS):
            left, centre, right = edges[c : c + 3]
            rise, fall = (pitch - left) / (centre - left), (right - pitch) / (right - centre)
            assert_allclose(weights[k, c], max(0.0, min(rise, fall)), atol=1e-9)


def test_a_rising_tone_moves_through_the_channels() -> None:
    seconds = np.arange(SAMPLE_RATE_HZ * 2) / SAMPLE_RATE_HZ
    hertz = 150 * (7_000 / 150) ** (seconds / 2)
    sound = 0.3 * np.sin(2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE_HZ)
    features = log_mel(sound, SAMPLE_RATE_HZ)
    frame = round(16.384e-3 * SAMPLE_RATE_HZ)
    assert features.shape == (len(sound) // frame, CHANNELS) and features.dtype == np.float32
    edges = np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), CHANNELS + 2)
    middle = mel(hertz[frame // 2 :: frame][: len(features)])
    nearest = np.abs(middle[:, None] - edges[None, 1:-1]).argmin(axis=1)
    for channel in range(2, CHANNELS):  # in the lowest, the tone's own width is more than a filter's
        loudest = features[:, channel].argmax()
        assert abs(int(nearest[loudest]) - channel) <= 1


@given(st.floats(0.01, 100), st.integers(0, 99))
def test_features_do_not_depend_on_loudness(gain: float, seed: int) -> None:
    sound = np.random.default_rng(seed).standard_normal(3_000)
    assert_allclose(log_mel(gain * sound, SAMPLE_RATE_HZ), log_mel(sound, SAMPLE_RATE_HZ), atol=1e-3)
    assert_allclose(log_mel(sound, SAMPLE_RATE_HZ).mean(axis=0), 0, atol=1e-5)


# --- room


@given(st.floats(0.02, 0.4), st.floats(-5, 30), st.integers(0, 99))
def test_an_impulse_response_has_the_energies_and_decay_asked_for(seconds: float, direct: float, seed: int) -> None:
    response = impulse_response(seconds, direct, SAMPLE_RATE_HZ, np.random.default_rng(seed))
    assert response[0] == 1
    assert_allclose(10 * np.log10(1 / np.sum(response[1:] ** 2)), direct, atol=1e-6)
    assert len(response) == 1 + round(seconds * SAMPLE_RATE_HZ)


def test_an_echo_falls_by_sixty_decibels_in_its_time() -> None:
    """Schroeder's backward integration; the slope of the first 30 dB, as ISO 3382 reads it, of a long response."""
    response = impulse_response(0.5, 0.0, 200_000, np.random.default_rng(0))[1:]
    left = 10 * np.log10(np.cumsum(response[::-1] ** 2)[::-1] / np.sum(response**2))
    part = np.flatnonzero((left < -5) & (left > -35))
    slope_db_per_s = np.polyfit(part / 200_000, left[part], 1)[0]
    assert_allclose(-60 / slope_db_per_s, 0.5, rtol=0.03)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_convolution_equals_the_direct_sum(a: int, b: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x, y = random.standard_normal(a), random.standard_normal(b)
    assert_allclose(convolved(x, y), np.convolve(x, y), atol=1e-9)


@settings(max_examples=20)
@given(st.floats(0, 2), st.integers(0, 99))
def test_noise_has_unit_power_and_its_slope(slope: float, seed: int) -> None:
    noise = coloured_noise(40_000, slope, np.random.default_rng(seed))
    assert_allclose(np.mean(noise**2), 1)
    power = np.abs(np.fft.rfft(noise))[1:20_000] ** 2
    fitted = np.polyfit(np.log(np.arange(1, 20_000)), np.log(power), 1)[0]
    assert abs(-fitted - slope) < 0.1


@settings(max_examples=20)
@given(st.floats(5, 40), st.integers(0, 99))
def test_the_recording_has_the_signal_to_noise_ratio_asked_for(ratio: float, seed: int) -> None:
    voice = np.random.default_rng(seed + 1).standard_normal(20_000)
    room = Room((0.001, 0.001), (60, 60), (ratio, ratio), (0, 0), (0.5, 0.5), (0, 0))
    sound = recorded(voice, SAMPLE_RATE_HZ, room, np.random.default_rng(seed))
    silence = sound[: SAMPLE_RATE_HZ // 2]
    assert len(sound) == len(silence) + len(voice)
    assert abs(10 * np.log10(np.mean(voice**2) / np.mean(silence**2)) - ratio) < 0.3


def test_a_quiet_dry_room_leaves_the_voice_as_it_was() -> None:
    voice = np.random.default_rng(5).standard_normal(5_000)
    sound = recorded(voice, SAMPLE_RATE_HZ, QUIET, np.random.default_rng(6))
    before = max(range(len(sound) - 5_000), key=lambda start: sound[start : start + 5_000] @ voice)
    assert_allclose(sound[before : before + 5_000], voice, atol=0.02)


# --- casting


def test_the_intents_are_those_of_fluent_speech_commands() -> None:
    rooms = ("kitchen", "bedroom", "washroom")
    expected = {
        ("change language", language, "none") for language in ("none", "Chinese", "English", "German", "Korean")
    }
    expected |= {(do, "lights", place) for do in ("activate", "deactivate") for place in ("none", *rooms)}
    expected |= {(do, "heat", place) for do in ("increase", "decrease") for place in ("none", *rooms)}
    expected |= {(do, what, "none") for do in ("activate", "deactivate") for what in ("lamp", "music")}
    expected |= {(do, "volume", "none") for do in ("increase", "decrease")}
    expected |= {("bring", what, "none") for what in ("newspaper", "juice", "socks", "shoes")}
    found = [(intent.action, intent.object, intent.location) for intent in intents(RECIPE)]
    assert len(found) == 31
    assert set(found) == expected


def test_no_sentence_means_two_things() -> None:
    count = Counter(sentence.lower() for intent in intents(RECIPE) for sentence in intent.sentences)
    assert max(count.values()) == 1


def test_each_voice_says_each_intent_in_different_words() -> None:
    lines = cast(RECIPE)
    assert [line.number for line in lines] == list(range(len(lines)))
    said = Counter((line.utterance.voice, line.intent) for line in lines)
    assert set(said.values()) == {RECIPE["casting"]["rounds"]}
    words = {(line.utterance.voice, line.intent, line.utterance.text) for line in lines}
    assert len(words) == len(lines)
    for line in lines:
        assert line.utterance.text in intents(RECIPE)[line.intent].sentences


def test_voices_that_sound_alike_are_on_one_side() -> None:
    side = {line.utterance.voice.split("+")[-1]: line.unseen for line in cast(RECIPE)}
    plain = RECIPE["voices"]["plain"]
    assert len(side) == len(plain) + sum(map(len, RECIPE["voices"]["variants"]))
    for group in (*RECIPE["voices"]["variants"], plain):
        assert len({side[voice] for voice in group}) == 1


@given(st.lists(st.integers(1, 4), min_size=1, max_size=20), st.floats(0, 1), st.integers(0, 99))
def test_the_unseen_voices_are_whole_groups_of_the_share_asked_for(sizes: list[int], share: float, seed: int) -> None:
    groups = [[f"{group}.{voice}" for voice in range(size)] for group, size in enumerate(sizes)]
    unseen = unseen_voices(groups, share, np.random.default_rng(seed))
    assert share * sum(sizes) <= len(unseen) + 1e-9
    assert len(unseen) <= share * sum(sizes) + max(sizes)  # equal when a tiny share is lost in rounding
    assert all(len(unseen & set(group)) in (0, len(group)) for group in groups)


# --- synthesis: these need espeak-ng's wheel


@pytest.fixture(scope="session")
def wheel() -> Path:
    try:
        return fetched(parcel())
    except (NetworkError, ConfigError) as error:
        pytest.skip(str(error))


def test_every_voice_of_the_recipe_is_in_the_wheel(wheel: Path) -> None:
    """The library says nothing about an unknown variant and speaks without it."""
    with zipfile.ZipFile(wheel) as archive:
        there = {Path(name).name for name in archive.namelist() if "/voices/!v/" in name}
    for group in RECIPE["voices"]["variants"]:
        assert set(group) <= there


def test_features_depend_on_the_line_and_not_on_what_was_said_before(wheel: Path) -> None:
    lines = cast(RECIPE)[::400]
    forwards, backwards = features_of(lines, RECIPE), features_of(lines[::-1], RECIPE)[::-1]
    assert len({line.utterance.voice for line in lines}) > 5
    for one, other in zip(forwards, backwards, strict=True):
        assert_array_equal(one, other)
        assert len(one) > 20 and np.isfinite(one).all()


def test_breathy_voices_are_the_same_each_time(wheel: Path) -> None:
    with synthesisers(1) as (voice,):
        said = Utterance("en-us+whisper", "bring me the newspaper", 175, 50, seed=3)
        first = voice.say(said)
        voice.say(Utterance("en+f3", "something else", 150, 40, seed=4))
        assert_array_equal(voice.say(said), first)
        other = voice.say(Utterance("en-us+whisper", "bring me the newspaper", 175, 50, seed=4))
        assert len(other) != len(first) or (other != first).any()
    assert np.abs(first).max() > 0.05


def test_rate_shortens_the_utterance(wheel: Path) -> None:
    with synthesisers(1) as (voice,):
        slow, fast = (voice.say(Utterance("en", "lights on", rate, 50, seed=1)) for rate in (120, 200))
    assert len(fast) < len(slow)


def test_an_unknown_voice_is_told_and_the_next_line_is_spoken(wheel: Path) -> None:
    with synthesisers(1) as (voice,):
        with pytest.raises(ConfigError, match="voice 'nowhere' could not say 'hello'"):
            voice.say(Utterance("nowhere", "hello", 175, 50, seed=1))
        assert len(voice.say(Utterance("en", "hello", 175, 50, seed=1))) > 0


def test_no_process_and_no_file_is_left(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt), synthesisers(2) as voices:
        processes = [voice._process for voice in voices]
        assert all(process.poll() is None for process in processes)
        raise KeyboardInterrupt
    assert all(process.poll() is not None for process in processes)
    assert list(tmp_path.iterdir()) == []


def test_a_dead_speech_process_is_told(wheel: Path) -> None:
    with synthesisers(1) as (voice,):
        voice._process.kill()
        voice._process.wait()
        with pytest.raises(ConfigError, match="the speech process ended before its time"):
            voice.say(Utterance("en", "hello", 175, 50, seed=1))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no speech process without fork")
def test_a_library_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    (tmp_path / "library.so").write_bytes(b"not a library")
    with pytest.raises(ConfigError, match="espeak-ng cannot be loaded on this machine"):
        Synthesiser(tmp_path, "library.so")


def test_a_platform_without_the_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Plan9")
    monkeypatch.setattr(platform, "machine", lambda: "vax")
    with pytest.raises(ConfigError, match=r"is there for Linux x86_64, Darwin arm64, not for Plan9 vax"):
        synthesis.parcel()
