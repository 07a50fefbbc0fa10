"""One training step that was recorded: which deltas fired in it, on which numbers, and what it looked up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.network.network import Sizes
from deltatrain.workloads.step_numbers import StepNumbers
from deltatrain.workloads.tasks import Wanted
from deltatrain.workloads.trace_checks import Masks, check_masks, check_words


@dataclass(frozen=True, eq=False)
class RecordedStep:
    """The fired masks of one training step (one mini-batch, forward; the backward pass uses the same masks).

    Attributes
    ----------
    epoch, update
        When: epoch counts from 0 over the whole training, update counts optimiser steps.
    lengths
        Steps of each sample, integer, shape (B,).
    fired_x
        For each layer the mask of its input deltas, boolean, shape (T, B, I_l), T = max(lengths).
        False beyond a sample's length.
    fired_h
        For each layer the mask of its recurrent deltas, boolean, shape (T, B, H_l): entry t tells which elements of
        h[t-1] fired into step t, so entry 0 is False everywhere, unless the step goes on from a state.
    asked_x, asked_h
        Likewise, which elements the backward pass gives a gradient to, and so which are listed: what fired, and a
        spiking network's gradient-only neurons. Empty where it is no more than what fired.
    weights
        Which weights exist in each matrix, boolean, shapes (R, C): W_x and W_h of layer 0, of layer 1, ..., read-out,
        those without entries left out, and the table of words, which a machine keeps whole. Empty if all do.
    numbers
        What the step works on. None where nobody recorded it, as for masks that are drawn; where the step is not the
        last that was recorded, because weights are large; and where there are no thresholds, as in dense pre-training
        and in spiking networks.
    words
        Of a network with an embedding, the number of the word that each step looks up, int64, shape (T, B); 0 beyond a
        sample's length. None of other networks.
    carried
        Whether step 0 goes on from the state that a window before left (`training.truncate_steps`): then something may
        fire of the h that there was.
    """

    epoch: int
    update: int
    lengths: NDArray[np.int64]
    fired_x: tuple[NDArray[np.bool_], ...]
    fired_h: tuple[NDArray[np.bool_], ...]
    asked_x: tuple[NDArray[np.bool_], ...] = ()
    asked_h: tuple[NDArray[np.bool_], ...] = ()
    weights: tuple[NDArray[np.bool_], ...] = ()
    numbers: StepNumbers | None = None
    words: NDArray[np.int64] | None = None
    carried: bool = False

    def masks(self) -> dict[str, tuple[NDArray[np.bool_], ...]]:
        """Return all masks by a short name, those that are not there left out."""
        named = {
            "x": self.fired_x,
            "h": self.fired_h,
            "asked_x": self.asked_x,
            "asked_h": self.asked_h,
            "w": self.weights,
        }
        return {name: masks for name, masks in named.items() if masks}

    def beside_masks(self) -> dict[str, NDArray[Any]]:
        """Return every other array by its name in a file: numbers, words, and whether a state was carried."""
        arrays = {} if self.numbers is None else self.numbers.arrays()
        arrays |= {} if self.words is None else {"words": self.words}
        return arrays | ({"carried": np.array(True)} if self.carried else {})

    @classmethod
    def of_arrays(cls, when: tuple[int, int], masks: Iterable[Masks], arrays: Mapping[str, Any], at: str) -> Self:
        """Return the step of (epoch, update) with these masks; its other arrays' names in `arrays` begin with `at`."""
        x, h, asked_x, asked_h, weights = masks
        numbers, words, carried = StepNumbers.among(arrays, at), arrays.get(at + "words"), at + "carried" in arrays
        return cls(*when, arrays[at + "lengths"], x, h, asked_x, asked_h, weights, numbers, words, carried)

    def check(self, sizes: Sizes, wants: Wanted) -> None:
        """Raise a `ConfigError` in one line unless all masks and numbers are of one batch of such a network.

        Parameters
        ----------
        sizes, wants
            Of the network, and what its labels are.
        """
        check_masks(self.masks(), np.asarray(self.lengths), sizes, carried=self.carried)
        check_words(self.words, np.asarray(self.lengths), sizes)
        if self.numbers is not None:
            self.numbers.check(sizes, self.lengths, wants)
