"""Sets that a synthesiser speaks by a recipe: two parts split by voice, kept in the cache folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.cache_folder import cache_folder
from deltatrain.workloads.data.fetching import Progress
from deltatrain.workloads.data.recordings import Sequences
from deltatrain.workloads.data.speech import casting
from deltatrain.workloads.data.speech.keeping import keep, made_by, read
from deltatrain.workloads.data.speech.recording import features_of

Parts = tuple[Sequences, Sequences]
"""The training part and the test part."""


def spoken_parts(name: str, recipe: dict[str, Any], text: bytes, progress: Progress | None) -> Parts:
    """Return the training and the test part, not standardised, from the cache folder if they are there.

    Parameters
    ----------
    name, text
        What the file there is called, and what `recipe` was read from.
    recipe
        The layout is that of ``commands.toml``.
    progress
        Told of the synthesis.
    """
    return parts_of(name, text, lambda: _synthesised(recipe, progress))


def parts_of(name: str, text: bytes, synthesised: Callable[[], Parts]) -> Parts:
    """Return the parts that are in the cache folder, or else synthesised, and kept there; `text` is their recipe."""
    kept = cache_folder() / f"{name}-{made_by(text)}.npz"
    parts = read(kept)
    if parts is None:
        parts = synthesised()
        keep(kept, parts)
    return parts


def voices_heard(recipe: dict[str, Any]) -> NDArray[np.str_]:
    """Return the voice of each training recording, as the first of those that sound like it."""
    groups = casting.voice_groups(recipe, np.random.default_rng(recipe["seed"]))
    like = {voice: group[0] for group in groups for voice in group}
    return np.array([like[line.utterance.voice] for line in casting.cast(recipe) if not line.unseen])


def split_by_voice(lines: list[casting.Line], features: list[NDArray[Any]]) -> Parts:
    """Return the training part, of the voices that it may hear, and the test part, of those kept for it."""
    everything = Sequences(
        np.concatenate(features),
        np.array([len(steps) for steps in features], np.int64),
        np.array([line.intent for line in lines], np.int64),
    )
    unseen = np.array([line.unseen for line in lines])
    return everything.take(np.flatnonzero(~unseen)), everything.take(np.flatnonzero(unseen))


def _synthesised(recipe: dict[str, Any], progress: Progress | None) -> Parts:
    """Return the training and the test part, not standardised."""
    lines = casting.cast(recipe)
    return split_by_voice(lines, features_of(lines, recipe, progress))
