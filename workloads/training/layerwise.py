"""What training does to each layer by itself: a learning rate of its own, and dropout of what goes on to the next."""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.network.parameters import ARRAYS_OF_A_LAYER, Sizes, shapes
from deltatrain.workloads.tables import Training


def rate_factors(training: Training, sizes: Sizes, dtype: np.dtype[np.floating]) -> Array | None:
    """Return what the learning rate of each parameter is multiplied with, shape (n,); None where nothing is said.

    A table of words has that of the first layer.
    """
    if training.layer_rates is None:
        return None
    counts = [int(np.prod(shape)) for shape in shapes(sizes)]
    owners = np.minimum(np.arange(len(counts)) // ARRAYS_OF_A_LAYER, len(sizes.hidden))
    owners[ARRAYS_OF_A_LAYER * len(sizes.hidden) + 2 :] = 0
    return np.repeat(np.array(training.layer_rates, dtype)[owners], counts)


def kept_outputs(
    training: Training, sizes: Sizes, samples: int, dtype: np.dtype[np.floating], rng: np.random.Generator
) -> tuple[Array, ...]:
    """Return the factor of each h that goes on to a next layer, (samples, H) for each such layer.

    It is 0 for what is dropped, in all steps of a sample, and 1 / (1 - dropout) elsewhere. With an embedding, the last
    layer's h, which the read-out reads, has a factor too, and behind it come those of looked up rows, (samples, I).
    """
    share, widths = 1 - training.dropout, (*sizes.hidden, sizes.features) if sizes.words else sizes.hidden[:-1]
    return tuple((rng.random((samples, width)) < share).astype(dtype) / dtype.type(share) for width in widths)
