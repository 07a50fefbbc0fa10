"""Log-mel filterbank features: what the front end of the delta-RNN keyword spotters computes, at another sample rate.

16 channels from 100 to 8,000 Hz, frame and stride of 16.384 ms, FFT of 1,024 points (features of the public training
code of the RENETA repository, SensorsINI/RENETA). There the sound is at 16 kHz; here the filters are laid directly
over the spectrum at the synthesiser's 22.05 kHz, which covers the same band and saves resampling. A frame is then 361
samples, 16.372 ms. The 12-bit microphone of that front end is left out: the added noise is far above its rounding.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

CHANNELS = 16
LOWEST_HZ, HIGHEST_HZ = 100.0, 8_000.0
FRAME_S = 16.384e-3
FFT_POINTS = 1_024
_FLOOR = 1e-10
"""Added before the logarithm; about the power of 16-bit rounding noise in a channel."""


def mel(hz: NDArray[np.floating] | float) -> NDArray[np.float64]:
    """Return the pitch in mel of a frequency in Hz (O'Shaughnessy 1987, as in the HTK Book, section 5.4)."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0), np.float64)


@cache
def triangles(sample_rate_hz: int) -> NDArray[np.float64]:
    """Return the weights of the filters over the bins of the spectrum, shape (FFT_POINTS // 2 + 1, CHANNELS).

    Each filter rises from the centre of the one before it to 1 at its own centre and falls to the centre of the one
    after it, linearly in mel; the centres are equally far apart in mel. So the weights of a bin between the first and
    the last centre add up to 1.
    """
    edges = np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), CHANNELS + 2)
    pitch = mel(np.fft.rfftfreq(FFT_POINTS, 1.0 / sample_rate_hz))
    distance = np.abs(pitch[:, None] - edges[None, 1:-1]) / (edges[1] - edges[0])
    return np.asarray(np.maximum(0.0, 1.0 - distance))


def log_mel(sound: NDArray[np.float64], sample_rate_hz: int) -> NDArray[np.float32]:
    """Return the logarithm of the power in each channel of each frame, less the channel's mean over the sound.

    Parameters
    ----------
    sound
        Shape (samples,); a last frame that is not full is left out.
    sample_rate_hz
        Its sample rate.

    Returns
    -------
    numpy.ndarray
        Shape (frames, CHANNELS), float32.
    """
    frame = round(FRAME_S * sample_rate_hz)
    frames = sound[: len(sound) // frame * frame].reshape(-1, frame)
    spectrum = np.fft.rfft(frames * np.hamming(frame), FFT_POINTS)
    power = (spectrum.real**2 + spectrum.imag**2) / frame
    channels = np.log(power @ triangles(sample_rate_hz) + _FLOOR)
    return np.asarray(channels - channels.mean(axis=0), np.float32)
