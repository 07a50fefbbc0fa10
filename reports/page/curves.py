"""Curves over time steps and over epochs, with a key that says where each ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

from deltatrain.accel.origin import FLOAT_ACCURACY
from deltatrain.accel.quantity import quantity, share
from deltatrain.reports.page.bars import legend
from deltatrain.reports.page.markup import element, per_cent
from deltatrain.reports.page.plot import Axis, counted, curve, frame, linear, shares
from deltatrain.reports.palette import LINES

Curves = dict[str, NDArray[np.float64]]


def over_steps(streams: Mapping[str, ArrayLike]) -> Markup:
    """Return the share of deltas that fired in each stream over the time steps, shape (T,) each."""
    curves = _arrays(streams)
    words = {stream: f"{share(float(np.nanmean(values)))} on average" for stream, values in curves.items()}
    return _plot("Time step", "Share of deltas that fired", curves, words)


def over_epochs(
    streams: Mapping[str, ArrayLike], accuracy: Sequence[float], dense_epochs: int, title: str = FLOAT_ACCURACY
) -> Markup:
    """Return the share of deltas that fired, and test accuracy, called `title`, over the epochs, shape (E,) each.

    Epochs that trained the dense network, in which every delta counts as fired, are shaded.
    """
    curves = _arrays(streams) | {title: np.asarray(accuracy, dtype=float)}
    words = {stream: f"{share(float(values[-1]))} at the end" for stream, values in curves.items()}
    return _plot("Epoch", f"Share of deltas that fired; {title}", curves, words, dense_epochs, [title])


def held_over_time(held_bytes: Sequence[tuple[int, int]], clock_hz: int, cycles: int) -> Markup:
    """Return the bytes that are held from each cycle on, as steps over the time of a run of `cycles`."""
    most = max(size for _, size in held_bytes)
    x, y = linear("Time", "s", cycles / clock_hz), linear("Tapes and states in local memory", "B", float(most))
    points = [(0.0, 0.0)]
    for cycle, size in held_bytes:
        points += [(cycle / clock_hz, points[-1][1]), (cycle / clock_hz, float(size))]
    about = f"Bytes of tapes and states in local memory over the training step; at most {quantity(most, 'B')}."
    return frame(x, y, [curve(x, y, points, "line-0")], about)


def _arrays(streams: Mapping[str, ArrayLike]) -> Curves:
    return {stream: np.asarray(values, dtype=float) for stream, values in streams.items()}


def _plot(
    what: str, name: str, curves: Curves, words: Mapping[str, str], shaded: int = 0, accuracy: Sequence[str] = ()
) -> Markup:
    kinds = {stream: f"line-{index % LINES}" for index, stream in enumerate(curves)} | dict.fromkeys(
        accuracy, "accuracy"
    )
    last = max((len(values) for values in curves.values()), default=1) - 1
    x, y = counted(what, last), shares(name)
    marks = _shade(x, shaded)
    marks += [curve(x, y, list(enumerate(values.tolist())), kinds[stream]) for stream, values in curves.items()]
    key = [(kinds[stream], f"{stream}: {words[stream]}") for stream in curves]
    about = f"{name} over {what.lower()}s 0 to {last}. " + ". ".join(entry for _, entry in key)
    return Markup("").join([legend(key), frame(x, y, marks, about)])


def _shade(x: Axis, epochs: int) -> list[Markup]:
    if not epochs:
        return []
    return [element("rect", x="0%", y="0%", width=per_cent(x.place(epochs - 0.5)), height="100%", class_="shade")]
