"""The look-up table of words that a network may begin with."""

from __future__ import annotations

import operator

from pydantic import Field

from deltatrain.accel.description import Description, PositiveInt

NEXT_WORD = "next_word"
"""The task whose inputs are words."""


class Embedding(Description):
    """A look-up table of words, from which the first layer reads.

    Attributes
    ----------
    width
        Numbers of a word, which the first layer reads in place of one-hot words.
    tied
        Whether the table is the read-out's matrix too; then the last layer must be as wide.
    """

    width: PositiveInt
    tied: bool = Field(default=False, exclude_if=operator.not_)

    def misfit(self, task: str, last_width: int, *, spikes: bool, from_file: bool) -> str | None:
        """Return why a workload cannot have it; None if it can.

        Parameters
        ----------
        task, last_width
            Of the workload: its task, the width of its last layer.
        spikes
            Whether its cell spikes.
        from_file
            Whether its first weights are those of a file.
        """
        if task != NEXT_WORD:
            return f"embedding is of task {NEXT_WORD!r}, not of {task!r}: other inputs are no words"
        if spikes:
            return "embedding must be left out of a network of spikes"
        if self.tied and self.width != last_width:
            return f"embedding.width must be {last_width}, as wide as the last layer, for tied, not {self.width}"
        return "initial_weights must be left out with an embedding: files of networks have none" if from_file else None
