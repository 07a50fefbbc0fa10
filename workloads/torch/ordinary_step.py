"""A training step of the ordinary network of torch.nn that has a workload's sizes: what one has without deltas.

Every column is worked through, as cuDNN and oneDNN do; values are random, and the time does not depend on them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.host_memory import check_room

_RECURRENT: dict[str, Callable[..., nn.RNNBase]] = {"delta_rnn": nn.RNN, "delta_gru": nn.GRU, "delta_lstm": nn.LSTM}
_DENSE = "delta_dense"
CELLS = (*_RECURRENT, _DENSE)
"""The cells that torch.nn has."""

_VALUES_A_NEURON = 12  # of a step, that PyTorch keeps for the backward pass: four gates, states, their gradients
_WARM_UPS = 3
_MOST = 200
_ENOUGH_S = 1.0


class Sizes(NamedTuple):
    """What is computed.

    Attributes
    ----------
    cell
        One of `CELLS`.
    features, hidden, outputs
        Width of an input, of each layer, and of the read-out.
    lengths
        Steps of each sample, shape (B,).
    every
        Whether the read-out reads every step, not just a sample's last one.
    numbers
        Whether the outputs are numbers, with the mean squared error as their loss, not classes.
    learns
        Whether it is a whole training step, not its forward pass alone.
    words
        How many words the table has in which each step looks up its input; 0 where inputs are values.
    """

    cell: str
    features: int
    hidden: tuple[int, ...]
    outputs: int
    lengths: NDArray[np.int64]
    every: bool = False
    numbers: bool = False
    learns: bool = True
    words: int = 0


class Timed(NamedTuple):
    """What some steps took.

    Attributes
    ----------
    seconds
        Wall time of the fastest.
    steps
        How many there were.
    waited
        Share of the wall time of all in which this process did not run, or its GPU did.
    """

    seconds: float
    steps: int
    waited: float


class OrdinaryStep:
    """Forward, backward and an update by SGD, again and again on one batch; called for one step.

    Parameters
    ----------
    sizes
        Of network and batch.
    device
        As PyTorch calls it, such as "cpu" or "cuda".

    Raises
    ------
    ConfigError
        If torch.nn has no such cell.
    MemoryError
        If this computer has no room for the batch.
    """

    def __init__(self, sizes: Sizes, device: str = "cpu") -> None:
        refuse_cell(sizes.cell)
        rows = int(np.sum(sizes.lengths))
        padded = len(sizes.lengths) * int(np.max(sizes.lengths))
        table = 2 * sizes.words * sizes.features  # and its gradient
        wanted = 4 * (table + padded * sizes.features + rows * _VALUES_A_NEURON * sum(sizes.hidden))
        check_room(wanted, "the step in PyTorch")
        torch.manual_seed(0)
        self._sizes, self._device = sizes, device
        self._layers = nn.ModuleList(_layers(sizes)).to(device)
        self._readout = nn.Linear(sizes.hidden[-1], sizes.outputs).to(device)
        self._table = nn.Embedding(sizes.words, sizes.features).to(device) if sizes.words else None
        of_table = self._table.parameters() if self._table else ()
        parameters = [*of_table, *self._layers.parameters(), *self._readout.parameters()]
        self._optimiser = torch.optim.SGD(parameters, lr=1e-3)
        self._x = _batch(sizes, device)
        read = rows if sizes.every else len(sizes.lengths)
        self._wanted = torch.randn(read, sizes.outputs) if sizes.numbers else torch.randint(sizes.outputs, (read,))
        self._wanted = self._wanted.to(device)

    def __call__(self) -> None:
        """Compute one step, to its end."""
        if not self._sizes.learns:
            with torch.no_grad():
                self.outputs()
        else:
            self.gradients()
            self._optimiser.step()
        _wait(self._device)

    def gradients(self) -> None:
        """Compute the loss and its gradients, and update nothing."""
        self._optimiser.zero_grad()
        loss = nn.functional.mse_loss if self._sizes.numbers else nn.functional.cross_entropy
        loss(self.outputs(), self._wanted).backward()

    def timed(self) -> Timed:
        """Return the wall time of the fastest step in a second, or of one that takes longer; others warm up before."""
        self._times(_WARM_UPS)
        before = time.process_time()
        times = self._times(_MOST)
        ran = time.process_time() - before
        return Timed(min(times), len(times), max(0.0, 1 - ran / sum(times)))

    def _times(self, most: int) -> list[float]:
        """Return the seconds of steps, until they take a second or there are `most`."""
        times: list[float] = []
        while sum(times) < _ENOUGH_S and len(times) < most:
            start = time.perf_counter()
            self()
            times.append(time.perf_counter() - start)
        return times

    def outputs(self) -> Tensor:
        """Return what the network says, a row for each step that is read, shape (rows, outputs)."""
        x = self._x if self._table is None else _looked_up(self._table, self._x)
        last: Tensor | None = None
        for layer in self._layers:
            if isinstance(layer, nn.RNNBase):
                x, state = layer(x)
                last = (state[0] if isinstance(layer, nn.LSTM) else state)[-1]
            else:
                x = torch.relu(layer(x))
        if last is not None and not self._sizes.every:
            return self._logits(last)
        values = _rows(x)
        return self._logits(values if self._sizes.every else values[-len(self._sizes.lengths) :])

    def _logits(self, h: Tensor) -> Tensor:
        logits: Tensor = self._readout(h)
        return logits


def refuse_cell(cell: str) -> None:
    """Raise a `ConfigError` if torch.nn has no such cell."""
    if cell not in CELLS:
        raise ConfigError(f"torch.nn has no cell like {cell}: it has those of {', '.join(CELLS)}")


def library() -> str:
    """Return which PyTorch this is."""
    return f"PyTorch {torch.__version__.partition('+')[0]}"


def threads(device: str) -> int:
    """Return how many threads of the processor compute on a device."""
    return torch.get_num_threads() if device == "cpu" else 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Have PyTorch compute with one thread while the block runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def devices() -> dict[str, str]:
    """Return what PyTorch can compute on here, as it calls it, and the name of each that has one."""
    found = {"cpu": ""}
    if torch.cuda.is_available():
        found["cuda"] = torch.cuda.get_device_name()
    if torch.backends.mps.is_available():
        found["mps"] = "Apple GPU"
    return found


def _layers(sizes: Sizes) -> list[nn.Module]:
    """Return the layers; those of one width are one module, as PyTorch is fastest."""
    if sizes.cell == _DENSE:
        return [nn.Linear(width, wider) for width, wider in pairwise((sizes.features, *sizes.hidden))]
    kind = _RECURRENT[sizes.cell]
    if len(set(sizes.hidden)) == 1:
        return [kind(sizes.features, sizes.hidden[0], len(sizes.hidden))]
    return [kind(width, wider) for width, wider in pairwise((sizes.features, *sizes.hidden))]


def _batch(sizes: Sizes, device: str) -> Tensor | PackedSequence:
    """Return random inputs, values or words: of a dense network rows, else steps first, packed where lengths differ."""
    steps: tuple[int, ...] = (int(np.sum(sizes.lengths)),)
    if sizes.cell != _DENSE:
        steps = int(np.max(sizes.lengths)), len(sizes.lengths)
    if sizes.words:
        x = torch.randint(sizes.words, steps, device=device)
    else:
        x = torch.randn(*steps, sizes.features, device=device)
    if sizes.cell == _DENSE:
        return x
    if np.ptp(sizes.lengths) == 0:
        return x
    return pack_padded_sequence(x, torch.from_numpy(np.asarray(sizes.lengths)), enforce_sorted=False)


def _looked_up(table: nn.Module, words: Tensor | PackedSequence) -> Tensor | PackedSequence:
    """Return the rows of a table, a word's in its place."""
    if not isinstance(words, PackedSequence):
        rows: Tensor = table(words)
        return rows
    return PackedSequence(table(words.data), words.batch_sizes, words.sorted_indices, words.unsorted_indices)


def _rows(x: Tensor | PackedSequence) -> Tensor:
    values = x.data if isinstance(x, PackedSequence) else x
    return values.reshape(-1, values.shape[-1])


def _wait(device: str) -> None:
    """Return when what was handed to a GPU is done."""
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()
