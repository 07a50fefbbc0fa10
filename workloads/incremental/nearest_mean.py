"""Classes decided by the nearest mean of the recordings kept, in what the network sees at their last step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.packing import Array, last_rows
from deltatrain.workloads.data.recordings import Sequences
from deltatrain.workloads.network.network import Network, Parameters, forward, outputs
from deltatrain.workloads.training.batches import EVALUATION_BATCH, evaluation_batches


def features_of(network: Network, parameters: Parameters, sequences: Sequences) -> Array:
    """Return the last layer's h after each sequence, of Euclidean norm 1, shape (N, H)."""
    found = np.empty((len(sequences), network.sizes.hidden[-1]), parameters.W_out.dtype)
    for samples in evaluation_batches(sequences.lengths, EVALUATION_BATCH):
        x, lengths = sequences.padded(samples)
        ran = forward(network, parameters, x, lengths)
        found[samples] = outputs(network, ran.tapes[-1], ran.packing)[last_rows(ran.packing)]
    return normalised(found)


def class_means(features: Array, labels: NDArray[np.int64], classes: int) -> Array:
    """Return the mean of the features (N, D) of each class, of norm 1 again, shape (classes, D)."""
    return normalised(np.array([features[labels == one].mean(axis=0) for one in range(classes)]))


def nearest(features: Array, means: Array) -> NDArray[np.int64]:
    """Return the class whose mean, (classes, D), is nearest to each of the features (N, D), shape (N,)."""
    squares = (means * means).sum(axis=1) - 2 * features @ means.T  # and the square of the feature, alike for all
    best: NDArray[np.int64] = squares.argmin(axis=1)
    return best


def normalised(vectors: Array) -> Array:
    """Return vectors (N, D) with norm 1; one of zeros stays."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Array = vectors / np.where(norms > 0, norms, 1)
    return scaled
