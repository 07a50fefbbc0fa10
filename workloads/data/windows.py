"""A text as sequences of words, each with the next word as its label: short windows, or a few long streams.

A network begins each sequence without state. So the first words of a window are guessed from few words before them:
windows are truncated backpropagation through time whose state is reset. Of streams it is training that makes windows,
whose state it may carry on (`workloads.training.streams`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.found import Tokens
from deltatrain.workloads.data.recordings import Recordings, Sequences


def windows_of(words: Tokens, window_steps: int, name: str, source: str) -> Recordings:
    """Return windows of a text's parts, one after the other; the last one of a part may be shorter.

    Parameters
    ----------
    words
        The text. Every word of a part is an input but its last, and is to be guessed but its first.
    window_steps
        Words that a window reads.
    name
        Of the data set.
    source
        Where it was found, named in errors.

    Raises
    ------
    ConfigError
        If the vocabulary or a part has fewer than two words.
    """

    def lengths(steps: int) -> NDArray[np.int64]:
        return np.diff(np.append(np.arange(0, steps, window_steps), steps))

    return _cut(words, lengths, name, source)


def streams_of(words: Tokens, streams: int, name: str, source: str) -> Recordings:
    """Return each part of a text cut into `streams` sequences of one length, or the first ones a word longer.

    Parameters and errors as of `windows_of`; a part must have a word to guess for each stream.
    """
    for part, numbers in words.parts().items():
        if len(numbers) <= streams:
            raise ConfigError(
                f"{source}: dataset.streams must be at most {len(numbers) - 1}, as the {part} part has "
                f"{len(numbers)} words, not {streams}"
            )
    return _cut(words, lambda steps: steps // streams + (np.arange(streams) < steps % streams), name, source)


def _cut(words: Tokens, lengths: Callable[[int], NDArray[np.int64]], name: str, source: str) -> Recordings:
    vocabulary = len(words.vocabulary)
    if vocabulary < 2:
        raise ConfigError(f"{source}: the only word is {words.vocabulary[0]!r}; two or more are needed")
    parts = []
    for part, numbers in words.parts().items():
        if len(numbers) < 2:
            raise ConfigError(f"{source}: the {part} part has {len(numbers)} word; at least two are needed")
        of_part = lengths(len(numbers) - 1).astype(np.int64)
        parts.append(Sequences(numbers[:-1], of_part, numbers[1:], stepwise=True, vocabulary=vocabulary))
    train, validation, test = parts
    return Recordings(name, "its owner's", source, vocabulary, train, test, validation, words.vocabulary)
