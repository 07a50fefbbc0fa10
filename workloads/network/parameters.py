"""Parameters of a network, or gradients: their shapes, one flat vector of them all, the first ones drawn."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from deltatrain.workloads.arrays.layer import Layer
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.cells import Cell

ARRAYS_OF_A_LAYER = 3  # W_x, W_h, bias


class Sizes(NamedTuple):
    """The numbers that give every parameter its shape: the cell, I of layer 0, H of each layer, classes.

    Of an embedding, `words` are the rows of its look-up table, each of I numbers, and `tied` says that the table is the
    read-out's matrix; without one there are no words.
    """

    cell: Cell
    features: int
    hidden: tuple[int, ...]
    classes: int
    words: int = 0
    tied: bool = False

    @property
    def inputs(self) -> tuple[int, ...]:
        """Width of each layer's input, I_l."""
        return (self.features, *self.hidden[:-1])


class Parameters(NamedTuple):
    """All parameters, or gradients of the same shapes.

    Attributes
    ----------
    layers
        The recurrent layers, the one next to the input first.
    W_out, bias_out
        The linear readout, shapes (classes, H) and (classes,).
    embedding
        The look-up table of words, shape (words, I); None without an embedding, and where `W_out` is that table.
    """

    layers: tuple[Layer, ...]
    W_out: Array
    bias_out: Array
    embedding: Array | None = None

    def arrays(self) -> tuple[Array, ...]:
        """Return every array in a fixed order: W_x, W_h, bias of each layer, the readout's, then the table of words."""
        table = () if self.embedding is None else (self.embedding,)
        return (*(array for layer in self.layers for array in layer), self.W_out, self.bias_out, *table)

    def flat(self) -> Array:
        """Return all parameters as one vector."""
        return np.concatenate([array.ravel() for array in self.arrays()])


def shapes(sizes: Sizes) -> tuple[tuple[int, ...], ...]:
    """Return the shape of each of `Parameters.arrays`."""
    cell = sizes.cell
    found: list[tuple[int, ...]] = []
    for inputs, width in zip(sizes.inputs, sizes.hidden, strict=True):
        found += [(len(cell.TARGETS_X) * width, inputs), (len(cell.TARGETS_H) * width, width)]
        found += [(len(cell.ACCUMULATORS) * width,)]
    table = [(sizes.words, sizes.features)] if sizes.words and not sizes.tied else []
    return (*found, (sizes.classes, sizes.hidden[-1]), (sizes.classes,), *table)


@lru_cache(maxsize=16)
def _places(sizes: Sizes) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    """Return where each of `Parameters.arrays` begins and ends in one vector, and its shape."""
    found = shapes(sizes)
    ends = list(accumulate(map(math.prod, found)))
    return tuple(zip((0, *ends[:-1]), ends, found, strict=True))


def from_flat(vector: Array, sizes: Sizes) -> Parameters:
    """Return the parameters in `vector` as views of it; undoes `Parameters.flat`."""
    arrays = [vector[begin:end].reshape(shape) for begin, end, shape in _places(sizes)]
    of_layers = ARRAYS_OF_A_LAYER * len(sizes.hidden)
    firsts = range(0, of_layers, ARRAYS_OF_A_LAYER)
    layers = tuple(Layer(*arrays[first : first + ARRAYS_OF_A_LAYER]) for first in firsts)
    return Parameters(layers, *arrays[of_layers:])


def initial_parameters(
    sizes: Sizes, rng: np.random.Generator, dtype: np.dtype[np.floating], forget_bias: float = 0.0
) -> Parameters:
    """Return parameters drawn uniformly within 1/sqrt(H) of zero, H the width of the layer (as torch.nn.LSTM does).

    A table of words that is no read-out is drawn from the standard normal distribution (as torch.nn.Embedding does).

    Parameters
    ----------
    sizes
        The network.
    rng, dtype
        What the parameters are drawn with, and their number format.
    forget_bias
        What is added to the bias of every forget gate, so that a state is kept until the network learns otherwise
        (Gers et al., Neural Computation 2000; 1 after Jozefowicz et al., ICML 2015).
    """
    widths = (*np.repeat(sizes.hidden, ARRAYS_OF_A_LAYER), sizes.hidden[-1], sizes.hidden[-1])
    draws = [rng.uniform(-1, 1, shape) / np.sqrt(width) for shape, width in zip(shapes(sizes), widths, strict=False)]
    draws += [rng.standard_normal(shape) for shape in shapes(sizes)[len(widths) :]]
    drawn = from_flat(np.concatenate([draw.ravel() for draw in draws]).astype(dtype), sizes)
    forgetting = [name in sizes.cell.FORGET for name in sizes.cell.ACCUMULATORS]
    for layer in drawn.layers:
        layer.bias.reshape(len(forgetting), -1)[forgetting] += dtype.type(forget_bias)
    return drawn
