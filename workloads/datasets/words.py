"""English Wikipedia: 106 articles as words, the 10,000 most frequent of them; the next word is to be learned."""

from __future__ import annotations

from dataclasses import replace

from deltatrain.workloads.data import wikitext
from deltatrain.workloads.data.fetching import Progress, Wheel, member_of
from deltatrain.workloads.data.formats.text import END
from deltatrain.workloads.data.found import Tokens
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.data.vocabulary import numbered
from deltatrain.workloads.data.windows import streams_of

LICENCE = "CC BY-SA 4.0 (Wikipedia); LGPL-2.1 (the package that carries them, which is not imported)"
SPIKES = False
SOURCE = "Wikipedia, the free encyclopedia, articles 10 to 30302 of an export, shortened; from gensim 4.4.0"

VOCABULARY = 10_000
STREAMS = 20
"""Into which each part is cut, as W. Zaremba et al., arXiv:1409.2329, cut Penn Treebank."""

# of any platform: what is read in it is the same, and none of it is run
_OF = ("--python-version", "3.11", "--implementation", "cp", "--platform", "manylinux_2_28_x86_64")
_WHEEL = Wheel("gensim", "4.4.0", "91a7fa5e814e7b1bad4b2dffa8d62c1e55410d5cbdf930714c1997ffb4404db8", _OF)
_MEMBER = "gensim/test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
_EVERY = 9  # of so many articles one chooses, and one tests


def load(progress: Progress | None = None) -> Recordings:
    """Return the words in 20 streams a part: of nine articles seven train, one chooses and one tests.

    Raises
    ------
    accel.errors.NetworkError
        When the file is not in the cache folder and cannot be fetched.
    """
    recordings = streams_of(tokens(progress), STREAMS, "words", SOURCE)
    return replace(recordings, licence=LICENCE)


def tokens(progress: Progress | None = None) -> Tokens:
    """Return the words as numbers; errors as of `load`."""
    export = member_of(_WHEEL, _MEMBER, progress)
    parts: list[list[str]] = [[], [], []]
    for number, lines in enumerate(wikitext.articles(export)):
        part = parts[{_EVERY - 2: 1, _EVERY - 1: 2}.get(number % _EVERY, 0)]
        for line in lines:
            part += [*line, END]
    return numbered(parts, VOCABULARY)


def train_groups() -> None:
    """Return None: nobody is known to have said what."""
