"""Words as numbers: the most frequent words of a text's training part, and the beginning of a text by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.data.formats.text import UNKNOWN
from deltatrain.workloads.data.found import Tokens


def numbered(parts: Sequence[Sequence[str]], vocabulary: int) -> Tokens:
    """Return words as numbers, by how often they train: of training, validation and test; rare ones are "<unk>"."""
    most = [word for word, _ in Counter(parts[0]).most_common() if word != UNKNOWN]
    known = (UNKNOWN, *most[: vocabulary - 1])
    number = {word: place for place, word in enumerate(known)}

    def numbers(words: Sequence[str]) -> NDArray[np.int64]:
        return np.array([number.get(word, 0) for word in words], np.int64)

    return Tokens(known, *map(numbers, parts))


def beginning(text: Tokens, words: int, vocabulary: int) -> Tokens:
    """Return the first `words` of a text's training part and an eighth as many of the others, numbered anew.

    So many different words are known; those that the text does not know stay unknown.
    """
    most = words, words // 8, words // 8
    parts = [[text.vocabulary[word] for word in part[:n]] for part, n in zip(text.parts().values(), most, strict=True)]
    return numbered(parts, vocabulary)
