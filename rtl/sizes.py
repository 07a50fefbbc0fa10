"""How large a tile's memories are."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["TileSizes"]


class TileSizes(NamedTuple):
    """Sizes of one tile's memories; words are of P values.

    Attributes
    ----------
    accumulator_words
        Words in one bank of M and of g(M), logits included.
    regions
        Accumulators that live on their own: each layer's M, and the logits.
    input_words, vector_words
        Memories of x; of h (and of its gradients, and of what a backward step hands to the one before).
    held_words
        Memory of x-hat and h-hat.
    state_words, tape_words
        States and tape of all steps.
    lists, list_entries
        Lists, and entries of all lists, that may be in use at once; a power of two of entries.
    weight_words, gradient_words
        Local W and dW; 0 where they live off-chip.
    most_classes
        Classes of the loss.
    """

    accumulator_words: int
    regions: int
    input_words: int
    vector_words: int
    held_words: int
    state_words: int
    tape_words: int
    lists: int
    list_entries: int
    weight_words: int
    gradient_words: int
    most_classes: int

    def covering(self, other: TileSizes) -> TileSizes:
        """Return the sizes of a tile that has room for whatever fits either."""
        return TileSizes(*map(max, self, other))
