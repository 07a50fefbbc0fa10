"""What a microphone in a room hears of a clean voice: reverberation, noise and the silence around the words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Room:
    """The ranges from which each recording's circumstances are drawn, uniformly.

    Attributes
    ----------
    reverberation_s
        Time in which the echo falls by 60 dB, seconds.
    direct_db
        Energy of the direct sound over that of the echo, dB.
    signal_to_noise_db
        Power of the reverberant speech over that of the noise, dB.
    noise_slope
        The noise's power falls with frequency to the power of minus this: 0 is white, 1 pink, 2 brown.
    before_s, after_s
        Silence before and after the words, seconds.
    """

    reverberation_s: tuple[float, float]
    direct_db: tuple[float, float]
    signal_to_noise_db: tuple[float, float]
    noise_slope: tuple[float, float]
    before_s: tuple[float, float]
    after_s: tuple[float, float]


def recorded(
    voice: NDArray[np.float64], sample_rate_hz: int, room: Room, random: np.random.Generator
) -> NDArray[np.float64]:
    """Return what is recorded when `voice`, shape (samples,), sounds in a room; it is longer by the silence around."""
    response = impulse_response(
        random.uniform(*room.reverberation_s), random.uniform(*room.direct_db), sample_rate_hz, random
    )
    before, after = (round(random.uniform(*s) * sample_rate_hz) for s in (room.before_s, room.after_s))
    speech = convolved(voice, response)[: len(voice) + after]
    power = np.mean(speech**2) / 10 ** (random.uniform(*room.signal_to_noise_db) / 10)
    sound: NDArray[np.float64] = np.sqrt(power) * coloured_noise(
        before + len(voice) + after, random.uniform(*room.noise_slope), random
    )
    sound[before : before + len(speech)] += speech
    return sound


def impulse_response(
    reverberation_s: float, direct_db: float, sample_rate_hz: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Return a unit pulse followed by noise that decays by 60 dB in `reverberation_s`, which is also its length.

    The statistical model of a room (J.-D. Polack 1988; M. R. Schroeder 1965 for the decay): Gaussian noise under an
    exponential envelope, here with `direct_db` between the energy of the pulse and that of all the rest.
    """
    samples = max(1, round(reverberation_s * sample_rate_hz))
    decay = 10.0 ** (-3.0 * np.arange(1, samples + 1) / samples)  # 60 dB of power is a factor of 1,000 in amplitude
    echo = random.standard_normal(samples) * decay
    echo *= 10 ** (-direct_db / 20) / np.sqrt(np.sum(echo**2))
    return np.concatenate([[1.0], echo])


def coloured_noise(samples: int, slope: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Return Gaussian noise of mean power 1 whose spectrum falls with frequency to the power of -`slope`."""
    spectrum = np.fft.rfft(random.standard_normal(samples))
    bins = np.arange(len(spectrum))
    spectrum *= np.where(bins > 0, np.maximum(bins, 1) ** (-slope / 2.0), 0.0)
    noise = np.fft.irfft(spectrum, samples)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)))


def convolved(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the convolution of two signals, shape (len(a) + len(b) - 1,)."""
    samples = len(a) + len(b) - 1
    points = 1 << (samples - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(a, points) * np.fft.rfft(b, points), points)[:samples]
