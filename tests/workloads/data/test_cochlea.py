"""The cochlea against its equations, sample by sample, and against what an ear does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from deltatrain.workloads.data.speech import cochlea
from deltatrain.workloads.data.speech.cochlea import CHANNELS, centres_hz, filtered, released, spike_train

RATE_HZ = 22_050


def _tone(hz: float, seconds: float = 0.3) -> np.ndarray:
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return 0.3 * np.sin(2 * np.pi * hz * time) * np.minimum(1, time / 0.02)


def test_centres_rise_from_the_lowest_to_the_highest_by_equal_shares_of_a_bandwidth() -> None:
    centres = centres_hz()
    assert_allclose(centres[[0, -1]], [cochlea.LOWEST_HZ, cochlea.HIGHEST_HZ], rtol=1e-9)
    shares = np.diff(centres) / cochlea.bandwidth_hz((centres[1:] + centres[:-1]) / 2)
    assert np.ptp(shares) < 0.01 * shares.mean()


@pytest.mark.parametrize("channel", [5, 30, 60])
def test_a_filter_is_four_one_pole_filters_around_its_centre(channel: int) -> None:
    """Demodulated, filtered sample by sample and modulated again; the two differ by how a pole is made digital."""
    hz = float(centres_hz()[channel])
    sound = _tone(hz, 0.1)
    turn = np.exp(2j * np.pi * hz * np.arange(len(sound)) / RATE_HZ)
    kept = np.exp(-2 * np.pi * 1.019 * float(cochlea.bandwidth_hz(np.array(hz))) / RATE_HZ)
    slow = sound / turn
    for _ in range(4):
        state, out = 0j, np.empty_like(slow)
        for number, value in enumerate(slow):
            state = kept * state + (1 - kept) * value
            out[number] = state
        slow = out
    found = filtered(sound, RATE_HZ)[channel]
    wanted = 2 * (slow * turn).real  # half of a real sound is at negative frequencies
    assert np.sqrt(np.mean((found - wanted) ** 2)) < 0.08 * np.sqrt(np.mean(wanted**2))


@pytest.mark.parametrize("channel", [8, 35, 62])
def test_a_tone_moves_its_own_channel_most(channel: int) -> None:
    loudness = (filtered(_tone(float(centres_hz()[channel])), RATE_HZ) ** 2).mean(axis=1)
    assert abs(int(loudness.argmax()) - channel) <= 1
    assert loudness[(channel + 35) % CHANNELS] < 1e-3 * loudness[channel]


def test_a_hair_cell_in_silence_stays_as_it_is_and_a_loud_one_tires() -> None:
    still = released(np.zeros((3, 8_000), np.float32), RATE_HZ)
    assert_allclose(still, 1, rtol=1e-6)
    loud = np.tile(np.float32(1_000) * np.sin(np.arange(8_000) / 4).astype(np.float32), (2, 1))
    drive = released(loud, RATE_HZ)[:, 0]
    assert drive.max() > 10
    assert drive[-100:].mean() < 0.5 * drive.max()


def test_hair_cells_follow_their_equations_solved_in_small_steps() -> None:
    """Meddis' differential equations, Euler's method at 16 times the sample rate."""
    motion = 400 * np.sin(np.arange(2_000) / 30) * (np.arange(2_000) > 300)
    found = released(motion[None].astype(np.float32), RATE_HZ)[:, 0]
    step = 1 / (16 * RATE_HZ)
    k = 1_000 * 10 / 3_010
    silent = c = k * 5.05 / (5.05 * (2_500 + 6_580) + k * 2_500)
    q, w = c * (2_500 + 6_580) / k, c * 6_580 / 66.31
    wanted = []
    for number, value in enumerate(motion):
        opened = max(value + 10, 0)
        k = 1_000 * opened / (opened + 3_000)
        for _ in range(16):
            dq, dc, dw = 5.05 * max(1 - q, 0) - k * q + 66.31 * w, k * q - (2_500 + 6_580) * c, 6_580 * c - 66.31 * w
            q, c, w = q + step * dq, c + step * dc, w + step * dw
        if number % 8 == 7:
            wanted.append(c / silent)
    assert np.abs(found - np.array(wanted)).max() < 0.08 * max(wanted)


def test_silence_before_a_tone_is_silent_and_loudness_does_not_matter() -> None:
    sound = np.concatenate([np.zeros(RATE_HZ // 5), _tone(1_000)])
    spikes = spike_train(sound, RATE_HZ)
    assert spikes.shape == (49, CHANNELS)  # the last is not full
    assert spikes.dtype == np.float32
    assert not spikes[:19].any()
    nearest = int(np.abs(centres_hz() - 1_000).argmin())
    assert spikes[25:, nearest].all()
    np.testing.assert_array_equal(spike_train(0.1 * sound, RATE_HZ), spikes)
