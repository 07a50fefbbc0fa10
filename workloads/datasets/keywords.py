"""Single spoken words like those of Google Speech Commands, synthetic: 35 of them, by voices unheard in training.

The set is synthesised on first use, which takes a minute or two, with the voices and the rooms of `commands`, and kept
in the cache folder as that one is.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.data.fetching import Progress
from deltatrain.workloads.data.recordings import Recordings, standardised
from deltatrain.workloads.datasets import commands
from deltatrain.workloads.datasets._spoken import spoken_parts, voices_heard

LICENCE = commands.LICENCE
SPIKES = False
SOURCE = (
    "GSC-like, synthetic: the 35 words of Google Speech Commands, version 2 (P. Warden, arXiv:1804.03209), synthesised "
    "with espeak-ng 1.52, with room and noise added"
)


def load(progress: Progress | None = None) -> Recordings:
    """Return the words as 16 log-mel features a frame of 16.4 ms, split by voice; a class is a word, in their order.

    Raises
    ------
    accel.errors.NetworkError
        When the set is not in the cache folder and the synthesiser cannot be fetched.
    accel.errors.ConfigError
        When there is no synthesiser for this platform, it fails, or the cache folder cannot be written.
    """
    own = tomllib.loads(recipe_text().decode())
    parts = spoken_parts("keywords", _recipe(own), commands.recipe_text() + recipe_text(), progress)
    names = tuple(own["words"])
    return standardised(Recordings("keywords", LICENCE, SOURCE, len(names), *parts, class_names=names))


def recipe_text() -> bytes:
    """Return what differs from the commands, as it stands in its file."""
    return resources.files("deltatrain.workloads.datasets").joinpath("keywords.toml").read_bytes()


def train_groups() -> NDArray[np.str_]:
    """Return the voice of each training recording, as the first of those that sound like it."""
    return voices_heard(_recipe(tomllib.loads(recipe_text().decode())))


def _recipe(own: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe of the commands with each word as an intent of its own."""
    recipe = tomllib.loads(commands.recipe_text().decode())
    rounds = own["rounds"]
    spoken = {"action": "{}", "object": "{}", "location": "none", "each": own["words"], "sentences": ["{}"] * rounds}
    return recipe | {"seed": own["seed"], "casting": recipe["casting"] | {"rounds": rounds}, "intents": [spoken]}
