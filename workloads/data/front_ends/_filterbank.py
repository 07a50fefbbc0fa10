"""Triangular filters over the spectrum of frames, as the public training code of RENETA has them.

SensorsINI/RENETA, `DeltaRNN_IL/utils/feature/logfilterbank.py`: no pre-emphasis, Hamming window, magnitude over the
points of the transform, filters between whole bins with a peak of 1 that are equally far apart in mel (HTK), decibels.
There an exact zero becomes 2.2e-16; here silence ends at `floor_db`, so that it stays the same from frame to frame.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from deltatrain.accel.description import NonNegativeFloat, PositiveFloat, PositiveInt
from deltatrain.workloads.data.found import Item, Kind, Sound
from deltatrain.workloads.data.front_ends import FrontEnd
from deltatrain.workloads.data.speech.filterbank import mel

_HIGHEST_HZ = 8_000.0


class Filterbank(FrontEnd):
    """Loudness of frequency bands in frames of a sound.

    Attributes
    ----------
    channels
        Filters.
    frame_s, stride_s
        Length of a frame, and from one to the next; the stride is a frame if left out. A last frame that is not full is
        dropped, unless it is the only one.
    lowest_hz, highest_hz
        Where the first filter begins and the last one ends; that is 8 kHz, or half the sample rate if it is lower, if
        left out.
    fft_points
        Of the transform; a frame is filled up with zeros.
    floor_db
        Silence: decibels below which a filter's output is not told apart.
    """

    ACCEPTS: ClassVar[tuple[Kind, ...]] = ("sound",)

    channels: PositiveInt = 16
    frame_s: PositiveFloat = 16.384e-3
    stride_s: PositiveFloat | None = None
    lowest_hz: NonNegativeFloat = 100.0
    highest_hz: PositiveFloat | None = None
    fft_points: PositiveInt = 1_024
    floor_db: Annotated[float, Field(le=0, allow_inf_nan=False)] = -120.0

    def decibels(self, item: Item) -> NDArray[np.float64]:
        """Return the output of each filter in each frame, shape (frames, channels)."""
        assert isinstance(item, Sound)
        frame, stride = round(self.frame_s * item.rate_hz), round((self.stride_s or self.frame_s) * item.rate_hz)
        if min(frame, stride) < 1:
            raise ValueError(f"a frame or stride has no sample at {item.rate_hz} Hz: frame_s or stride_s is too short")
        if frame > self.fft_points:
            raise ValueError(f"a frame has {frame} samples: fft_points must be at least that, not {self.fft_points}")
        sound = np.pad(item.samples, (0, max(0, frame - len(item.samples))))
        frames = np.lib.stride_tricks.sliding_window_view(sound, frame)[::stride]
        magnitude = np.abs(np.fft.rfft(frames * np.hamming(frame), self.fft_points)) / self.fft_points
        level = magnitude @ triangles(self.edges(item.rate_hz), self.fft_points // 2 + 1)
        return np.asarray(20 * np.log10(np.maximum(level, 10 ** (self.floor_db / 20))))

    def edges(self, rate_hz: int) -> tuple[int, ...]:
        """Return the bins at which filters begin, peak and end, shape (channels + 2,)."""
        highest = min(_HIGHEST_HZ, rate_hz / 2) if self.highest_hz is None else self.highest_hz
        if not self.lowest_hz < highest <= rate_hz / 2:
            raise ValueError(
                f"filters from {self.lowest_hz:g} to {highest:g} Hz: they must rise, up to half of its {rate_hz} Hz"
            )
        mels = np.linspace(mel(self.lowest_hz), mel(highest), self.channels + 2)
        bins = tuple(int(b) for b in (self.fft_points + 1) * 700 * (10 ** (mels / 2595) - 1) / rate_hz)
        if min(after - before for before, after in pairwise(bins)) < 1:
            raise ValueError(f"{self.channels} channels are too many, or fft_points {self.fft_points} too few, to part")
        return bins


@cache
def triangles(edges: tuple[int, ...], bins: int) -> NDArray[np.float64]:
    """Return the weight of each bin of the spectrum in each filter, shape (bins, channels)."""
    bin_ = np.arange(bins)[:, None]
    first, peak, last = (np.array(edges[n : len(edges) - 2 + n])[None] for n in range(3))
    return np.asarray(np.maximum(0.0, np.minimum((bin_ - first) / (peak - first), (last - bin_) / (last - peak))))
