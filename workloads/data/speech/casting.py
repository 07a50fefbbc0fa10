"""Who says what in a set of spoken commands: every line of it drawn from a recipe by its seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from deltatrain.workloads.data.speech.synthesis import Utterance


@dataclass(frozen=True)
class Intent:
    """One class: what is to be done to what and where, and the ways to say it."""

    action: str
    object: str
    location: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """One utterance of the set.

    Attributes
    ----------
    number
        Its place in the set; with the recipe's seed it seeds everything random about the recording.
    utterance
        What is said and how.
    intent
        The class, counted from 0 in the recipe's order.
    unseen
        Whether the voice belongs to the test part.
    """

    number: int
    utterance: Utterance
    intent: int
    unseen: bool


def intents(recipe: dict[str, Any]) -> tuple[Intent, ...]:
    """Return the intents of a recipe (the layout is that of ``workloads/datasets/commands.toml``)."""
    return tuple(
        Intent(
            table["action"],
            table["object"].format(word),
            table["location"].format(word),
            tuple(sentence.format(word) for sentence in table["sentences"]),
        )
        for table in recipe["intents"]
        for word in table.get("each", ["none"])
    )


def voice_groups(recipe: dict[str, Any], random: np.random.Generator) -> list[list[str]]:
    """Return the names of the voices, those that sound alike together: each variant in one accent, and the plain."""
    accents = recipe["voices"]["accents"]
    spoken = [[f"{random.choice(accents)}+{variant}" for variant in group] for group in recipe["voices"]["variants"]]
    return [*spoken, recipe["voices"]["plain"]]


def unseen_voices(groups: list[list[str]], share: float, random: np.random.Generator) -> frozenset[str]:
    """Return the voices of the test part: whole groups, drawn until they are `share` of all voices."""
    wanted = share * sum(map(len, groups))
    chosen: list[str] = []
    for place in random.permutation(len(groups)):
        if len(chosen) >= wanted:
            break
        chosen += groups[place]
    return frozenset(chosen)


def cast(recipe: dict[str, Any]) -> list[Line]:
    """Return all lines of a recipe, voice by voice.

    Each voice has a rate and a pitch of its own, a little different in each utterance, and says each intent
    in as many different sentences as the recipe's `rounds`.
    """
    manner = recipe["casting"]
    random = np.random.default_rng(recipe["seed"])
    groups = voice_groups(recipe, random)
    unseen = unseen_voices(groups, manner["test_share"], random)
    lines: list[Line] = []
    for voice in (voice for group in groups for voice in group):
        own_rate, own_pitch = random.uniform(*manner["rate_words_a_minute"]), random.uniform(*manner["pitch"])
        for number, intent in enumerate(intents(recipe)):
            for sentence in random.choice(len(intent.sentences), manner["rounds"], replace=False):
                rate = own_rate * (1 + manner["rate_jitter"] * random.uniform(-1, 1))
                pitch = own_pitch + manner["pitch_jitter"] * random.uniform(-1, 1)
                said = Utterance(voice, intent.sentences[sentence], round(rate), round(pitch), seed=len(lines) + 1)
                lines.append(Line(len(lines), said, number, voice in unseen))
    return lines
