"""From sound to spike trains: gammatone filters, hair cells, and neurons that add up what these release.

The chain is the one by which the Spiking Heidelberg Digits were made (Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS
2020), of simpler parts: filters of R. D. Patterson et al. (1992), with the bandwidths of Glasberg and Moore (1990), in
the place of a travelling wave; the hair cell of Meddis (JASA 79, 1986) as in Meddis, Hewitt and Shackleton (JASA 87,
1990); one leaky integrate-and-fire neuron a channel, whose constants are ours.

There are 70 channels where that set has 700: neighbours of 700 overlap in nine tenths of their bandwidth, say nearly
the same, and take ten times as long to make and to train with. A step is a bin of 10 ms, in which a channel spikes or
does not.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

CHANNELS = 70
LOWEST_HZ, HIGHEST_HZ = 80.0, 8_000.0
BIN_S = 0.01

LOUDNESS = 1_000.0
"""Root mean square of a sound in the hair cell's units, in which 1 is 30 dB (Meddis et al. 1990): 90 dB."""

# Meddis, Hewitt and Shackleton 1990, table II, a medium rate of spontaneous firing; rates a second.
_A, _B, _G = 10.0, 3_000.0, 1_000.0
_Y, _L, _R, _X = 5.05, 2_500.0, 6_580.0, 66.31

_DECIMATION = 8
"""Samples in which the hair cell's stores move once: 0.36 ms at 22.05 kHz, short beside their fastest, 1 / (l + r) of
0.11 ms being solved exactly, and 1 / k of 1 ms at least."""

_LEAK_S = 2e-3  # of the neuron, ours
_REFRACTORY_S = 2e-3  # ours
_THRESHOLD = 5.0  # times what spontaneous release keeps it at, ours: silence is silent


def bandwidth_hz(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the equivalent rectangular bandwidth at a frequency (Glasberg and Moore 1990)."""
    return 24.7 * (4.37e-3 * hz + 1)


@cache
def centres_hz() -> NDArray[np.float64]:
    """Return the channels' centres, equally far apart in numbers of bandwidths (Glasberg and Moore 1990)."""
    lowest, highest = (float(21.4 * np.log10(4.37e-3 * hz + 1)) for hz in (LOWEST_HZ, HIGHEST_HZ))
    number = np.linspace(lowest, highest, CHANNELS)
    return np.asarray((10 ** (number / 21.4) - 1) / 4.37e-3)


def filtered(sound: NDArray[np.float64], sample_rate_hz: int) -> NDArray[np.float32]:
    """Return the sound in each channel, shape (CHANNELS, samples).

    A gammatone of order 4 is four one-pole low passes around its centre: complex demodulation, done as a product in
    the frequency domain, where a sound twice as long as it is keeps its end from its beginning.
    """
    points = 1 << int(2 * len(sound) - 1).bit_length()
    spectrum = np.fft.rfft(sound, points).astype(np.complex64)
    hz = np.fft.rfftfreq(points, 1 / sample_rate_hz)
    centre = centres_hz()[:, None]
    response = (1 / (1 + 1j * (hz - centre) / (1.019 * bandwidth_hz(centre))) ** 4).astype(np.complex64)
    return np.asarray(np.fft.irfft(spectrum * response, points)[:, : len(sound)], np.float32)


def released(motion: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float64]:
    """Return what hair cells moved so have in their clefts every `_DECIMATION` samples, in units of what silence has.

    Parameters
    ----------
    motion
        In the hair cell's units, shape (channels, samples).
    sample_rate_hz
        Its sample rate.

    Returns
    -------
    numpy.ndarray
        Shape (samples // _DECIMATION, channels).
    """
    whole = motion[:, : motion.shape[1] // _DECIMATION * _DECIMATION]
    open_ = np.maximum(whole + np.float32(_A), 0)
    permeability = _G * (open_ / (open_ + np.float32(_B))).reshape(len(motion), -1, _DECIMATION).mean(axis=2)
    step_s = _DECIMATION / sample_rate_hz
    k = _G * _A / (_A + _B)
    silent = k * _Y / (_Y * (_L + _R) + k * _L)
    c = np.full(len(motion), silent)
    q, w = c * (_L + _R) / k, c * _R / _X
    kept = np.exp(-(_L + _R) * step_s)
    clefts = np.empty((permeability.shape[1], len(motion)))
    for now, cleft in zip(np.ascontiguousarray(permeability.T), clefts, strict=True):
        ejected, returned = now * q, _X * w
        q += step_s * (_Y * np.maximum(1 - q, 0) - ejected + returned)
        w += step_s * (_R * c - returned)
        rest = ejected / (_L + _R)  # where c goes to while q stays
        c = rest + (c - rest) * kept
        cleft[:] = c
    return clefts / silent


def spike_train(sound: NDArray[np.float64], sample_rate_hz: int) -> NDArray[np.float32]:
    """Return which channels spike in each bin of `BIN_S`, ones and zeros, shape (bins, CHANNELS).

    Parameters
    ----------
    sound
        Shape (samples,), of any loudness but silence; a last bin that is not full is left out.
    sample_rate_hz
        Its sample rate.
    """
    loud = sound * (LOUDNESS / np.sqrt(np.mean(sound**2)))
    drive = released(filtered(loud, sample_rate_hz), sample_rate_hz)
    step_s = _DECIMATION / sample_rate_hz
    kept, resting = np.exp(-step_s / _LEAK_S), round(_REFRACTORY_S / step_s)
    bins = int(len(drive) * step_s / BIN_S)
    spikes = np.zeros((max(bins, 1), CHANNELS), np.float32)
    v, rest = np.zeros(CHANNELS), np.zeros(CHANNELS, np.int64)
    for number, now in enumerate(drive):
        v = kept * v + (1 - kept) * now
        spiking = (v > _THRESHOLD) & (rest <= 0)
        rest = np.where(spiking, resting, rest - 1)
        v[spiking] = 0
        at = int(number * step_s / BIN_S)
        if at < len(spikes):
            np.maximum(spikes[at], spiking, out=spikes[at])
    return spikes
