"""The numbers of a recorded model: its weights, inputs and labels, with which a machine's gates run the same step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.interchange.torch_layers import layer_of
from deltatrain.workloads.network.network import Network, Parameters, Sizes, forward
from deltatrain.workloads.step_numbers import StepNumbers
from deltatrain.workloads.torch.layer import host_array
from deltatrain.workloads.torch.stack import layer_tensors
from deltatrain.workloads.trace import Trace

_AGREES = 1e-3
"""How far our logits may be from the model's, relative to the largest: rounding, and nothing else between them."""


class Batch(NamedTuple):
    """A batch that a model ran on: padded inputs (T, B, I), what the model returned, and labels (B,)."""

    x: Array
    output: Any
    labels: Any


def with_numbers(
    trace: Trace, model: nn.Module, modules: list[nn.RNNBase], batch: Batch, learning_rate: float
) -> Trace:
    """Return the trace with the numbers of its last step.

    Parameters
    ----------
    trace
        In closed loop.
    model, modules
        The model, and its recurrent modules from the input on.
    batch
        Of the last step.
    learning_rate
        Of the update that follows.

    Raises
    ------
    ConfigError
        When the labels are none, or the model's logits are not those of a Linear on the top layer's h.
    """
    labels, lengths, sizes = batch.labels, trace.recorded[-1].lengths, trace.sizes
    if not isinstance(labels, Tensor) or tuple(labels.shape) != lengths.shape or labels.dtype.is_floating_point:
        raise ConfigError("learning_rate needs labels: a batch must be (inputs, labels), an integer for each sample")
    layers = tuple(_layer(sizes, module, layer) for module in modules for layer in range(module.num_layers))
    head = _head(model, sizes)
    bias = torch.zeros(sizes.classes, dtype=head.weight.dtype) if head.bias is None else head.bias
    parameters = Parameters(layers, host_array(head.weight), host_array(bias))
    network = Network(sizes, trace.workload.thresholds, "last", 0.0)
    logits = forward(network, parameters, batch.x, lengths).logits
    if trace.workload.readout != "last" or not _agrees(batch.output, logits):
        raise ConfigError("learning_rate needs a model that returns a Linear of the top layer's last h, and no more")
    given = labels.detach().cpu().numpy().astype(np.int64)
    numbers = StepNumbers(parameters.flat(), batch.x, given, np.asarray(learning_rate, np.float64))
    numbers.check(sizes, lengths)
    return replace(trace, recorded=(*trace.recorded[:-1], replace(trace.recorded[-1], numbers=numbers)))


def _agrees(output: Any, logits: Array) -> bool:
    """Tell whether what a model returned is our logits but for rounding."""
    if not isinstance(output, Tensor) or tuple(output.shape) != logits.shape:
        return False
    return bool(np.abs(host_array(output) - logits).max() <= _AGREES * np.abs(logits).max())


def _layer(sizes: Sizes, module: nn.RNNBase, layer: int) -> Any:
    return layer_of(sizes.cell, *map(host_array, layer_tensors(module, layer)))


def _head(model: nn.Module, sizes: Sizes) -> nn.Linear:
    """Return the one Linear that could be the read-out."""
    wanted = (sizes.hidden[-1], sizes.classes)
    could = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and (module.in_features, module.out_features) == wanted
    }
    if len(could) != 1:
        names = ", ".join(could) or "none"
        raise ConfigError(f"learning_rate needs one Linear of {wanted[0]} inputs and {wanted[1]} outputs, not {names}")
    return next(iter(could.values()))
