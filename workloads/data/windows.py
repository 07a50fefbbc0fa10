"""A text as sequences: its stream of words is cut into windows, each word is one-hot, and its label is the next word.

A network begins each window with no state, and no gradient crosses a border: it is truncated backpropagation through
time whose state is reset. The first words of a window are thus guessed from few words before them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.found import Tokens
from deltatrain.workloads.data.recordings import Recordings, Sequences

MOST_ONE_HOT_BYTES = 2**31
"""What the one-hot words of all parts may take."""


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
        If the vocabulary or a part has fewer than two words, or one-hot words would take more than
        `MOST_ONE_HOT_BYTES`.
    """
    width = len(words.vocabulary)
    if width < 2:
        raise ConfigError(f"{source}: the only word is {words.vocabulary[0]!r}; two or more are needed")
    for part, numbers in words.parts().items():
        if len(numbers) < 2:
            raise ConfigError(f"{source}: the {part} part has {len(numbers)} word; at least two are needed")
    steps = sum(len(numbers) - 1 for numbers in words.parts().values())
    one_hot_bytes = steps * width * np.dtype(np.float32).itemsize
    if one_hot_bytes > MOST_ONE_HOT_BYTES:
        raise ConfigError(
            f"{source}: {steps:,} words, one-hot in a vocabulary of {width:,}, would take {one_hot_bytes:,} bytes; "
            f"accepted are at most {MOST_ONE_HOT_BYTES:,}: fewer words, or a smaller vocabulary"
        )
    train, validation, test = (_windows(numbers, width, window_steps) for numbers in words.parts().values())
    return Recordings(name, "its owner's", source, width, train, test, validation, words.vocabulary)


def _windows(numbers: NDArray[np.int64], width: int, window_steps: int) -> Sequences:
    steps = len(numbers) - 1
    values = np.zeros((steps, width), np.float32)
    values[np.arange(steps), numbers[:-1]] = 1
    lengths = np.diff(np.append(np.arange(0, steps, window_steps), steps)).astype(np.int64)
    return Sequences(values, lengths, numbers[1:], stepwise=True)
