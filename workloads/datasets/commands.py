"""Spoken commands like those of Fluent Speech Commands, synthetic: 31 intents, said by voices unheard in training.

The set is synthesised on first use, which takes a minute or two, and kept in the cache folder under a digest of
everything that makes it: the recipe beside this file, the package `workloads.data.speech` and the synthesiser's wheel.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.data.fetching import Progress
from deltatrain.workloads.data.recordings import Recordings, Sequences, standardised
from deltatrain.workloads.data.speech import casting
from deltatrain.workloads.data.speech.casting import intents, unseen_voices
from deltatrain.workloads.datasets._spoken import spoken_parts, voices_heard

LICENCE = "Apache-2.0 (sentences); spoken by espeak-ng 1.52, which is GPL-3.0-or-later"
SPIKES = False
SOURCE = (
    "FSC-like, synthetic: the 31 intents of Fluent Speech Commands (Lugosch et al., Interspeech 2019, "
    "arXiv:1904.03670) in other words, synthesised with espeak-ng 1.52, with room and noise added"
)

_APART = 1  # with the recipe's seed, what draws the voices set apart


def load(progress: Progress | None = None) -> Recordings:
    """Return the spoken commands as 16 log-mel features a frame of 16.4 ms, split by voice.

    Raises
    ------
    accel.errors.NetworkError
        When the set is not in the cache folder and the synthesiser cannot be fetched.
    accel.errors.ConfigError
        When there is no synthesiser for this platform, it fails, or the cache folder cannot be written.
    """
    text = recipe_text()
    return _recordings(tomllib.loads(text.decode()), _parts(text, progress))


def voices_apart(progress: Progress | None = None) -> Recordings:
    """Return the training part alone, some of its voices set apart as the test part: to choose settings by.

    Voices that sound alike stay together, and the voices that `load` tests with are in neither part. Errors are those
    of `load`.
    """
    text = recipe_text()
    recipe = tomllib.loads(text.decode())
    part, _ = _parts(text, progress)
    of_recording = train_groups()
    groups = casting.voice_groups(recipe, np.random.default_rng(recipe["seed"]))
    seen = [group for group in groups if group[0] in of_recording]
    chosen = unseen_voices(seen, recipe["casting"]["test_share"], np.random.default_rng([recipe["seed"], _APART]))
    apart = np.isin(of_recording, list(chosen))
    return _recordings(recipe, (part.take(np.flatnonzero(~apart)), part.take(np.flatnonzero(apart))))


def recipe_text() -> bytes:
    """Return the recipe as it stands in its file."""
    return resources.files("deltatrain.workloads.datasets").joinpath("commands.toml").read_bytes()


def _recordings(recipe: dict[str, Any], parts: tuple[Sequences, Sequences]) -> Recordings:
    return standardised(Recordings("commands", LICENCE, SOURCE, len(intents(recipe)), *parts))


def _parts(text: bytes, progress: Progress | None) -> tuple[Sequences, Sequences]:
    """Return the training and the test part, not standardised, from the cache folder if they are there."""
    return spoken_parts("commands", tomllib.loads(text.decode()), text, progress)


def train_groups() -> NDArray[np.str_]:
    """Return the voice of each training recording, as the first of those that sound like it."""
    return voices_heard(tomllib.loads(recipe_text().decode()))
