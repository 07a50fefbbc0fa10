"""Spoken digits as spike trains, like the Spiking Heidelberg Digits, synthetic: zero to nine in English and German.

Said by espeak-ng, heard by the cochlea of `workloads.data.speech.cochlea`, with neither room nor noise, as that set was
recorded. It is made on first use, which takes a minute or two, and kept as `commands` is.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.data.fetching import Progress
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.data.speech.casting import Line, unseen_voices
from deltatrain.workloads.data.speech.cochlea import spike_train
from deltatrain.workloads.data.speech.recording import analysed
from deltatrain.workloads.data.speech.synthesis import SAMPLE_RATE_HZ, Utterance
from deltatrain.workloads.datasets._spoken import Parts, parts_of, split_by_voice

LICENCE = "Apache-2.0 (recipe); spoken by espeak-ng 1.52, which is GPL-3.0-or-later"
SPIKES = True  # every value is 0 or 1
SOURCE = (
    "SHD-like, synthetic: the words of the Spiking Heidelberg Digits (Cramer et al., IEEE TNNLS 2020), synthesised "
    "with espeak-ng 1.52 and turned into the spikes of 70 channels"
)


def load(progress: Progress | None = None) -> Recordings:
    """Return the spoken digits as spikes of 70 channels in bins of 10 ms, 0 or 1, split by voice; not standardised.

    Raises
    ------
    accel.errors.NetworkError
        When the set is not in the cache folder and the synthesiser cannot be fetched.
    accel.errors.ConfigError
        When there is no synthesiser for this platform, it fails, or the cache folder cannot be written.
    """
    text = recipe_text()
    recipe = tomllib.loads(text.decode())
    parts = parts_of("spikes", text, lambda: _synthesised(recipe, progress))
    return Recordings("spikes", LICENCE, SOURCE, sum(len(one["words"]) for one in recipe["languages"]), *parts)


def recipe_text() -> bytes:
    """Return the recipe as it stands in its file."""
    return resources.files("deltatrain.workloads.datasets").joinpath("spikes.toml").read_bytes()


def cast(recipe: dict[str, Any]) -> list[Line]:
    """Return all lines: each voice says each word of each language once, a little differently."""
    manner, random = recipe["casting"], np.random.default_rng(recipe["seed"])
    groups = recipe["voices"]["variants"]
    unseen = unseen_voices(groups, manner["test_share"], random)
    words = [(one["voice"], word) for one in recipe["languages"] for word in one["words"]]
    lines: list[Line] = []
    for variant in (variant for group in groups for variant in group):
        own_rate, own_pitch = random.uniform(*manner["rate_words_a_minute"]), random.uniform(*manner["pitch"])
        for number, (language, word) in enumerate(words):
            rate = own_rate * (1 + manner["rate_jitter"] * random.uniform(-1, 1))
            pitch = own_pitch + manner["pitch_jitter"] * random.uniform(-1, 1)
            said = Utterance(f"{language}+{variant}", word, round(rate), round(pitch), seed=len(lines) + 1)
            lines.append(Line(len(lines), said, number, variant in unseen))
    return lines


def _synthesised(recipe: dict[str, Any], progress: Progress | None) -> Parts:
    """Return the training and the test part."""
    lines = cast(recipe)
    trains = analysed(
        lines, lambda _, sound: spike_train(sound, SAMPLE_RATE_HZ), "synthesising spoken digits", progress
    )
    return split_by_voice(lines, trains)


def train_groups() -> NDArray[np.str_]:
    """Return the voice of each training recording, as the first of those that sound like it."""
    recipe = tomllib.loads(recipe_text().decode())
    like = {variant: group[0] for group in recipe["voices"]["variants"] for variant in group}
    return np.array([like[line.utterance.voice.partition("+")[2]] for line in cast(recipe) if not line.unseen])
