"""Which deltas a user's own model fires: its nn.RNN, nn.GRU and nn.LSTM layers, run or watched, become a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from deltatrain.accel.errors import ConfigError, wrong_kind
from deltatrain.workloads.arrays.layer import LayerTape
from deltatrain.workloads.arrays.packing import Array, Packing, unpack
from deltatrain.workloads.given_masks import GivenMasks, Told, each_layer, masks_of_activations
from deltatrain.workloads.torch.layer import host_array
from deltatrain.workloads.torch.modules import DeltaModule
from deltatrain.workloads.torch.numbers import Batch, with_numbers
from deltatrain.workloads.torch.stack import (
    CELL_OF_MODE,
    Thresholds,
    layer_tensors,
    refuse_module,
    refuse_state,
    rows_of,
    run,
)
from deltatrain.workloads.trace import Trace

Theta = float | Sequence[float]


_KIND_OF_MODE: dict[str, Callable[..., nn.RNNBase]] = {"RNN_TANH": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
_FORWARDS = (nn.RNN.forward, nn.GRU.forward, nn.LSTM.forward, DeltaModule.forward)


class Call(NamedTuple):
    """One call of a recurrent module.

    Attributes
    ----------
    name
        Of the module in the model.
    thresholds
        (theta_x, theta_h) of each of its layers.
    packing
        Where the steps lie.
    x, h
        Its input and the output of each of its layers, packed, (N, I) and (N, H).
    tapes
        Of each layer in closed loop; none in open loop.
    """

    name: str
    thresholds: Thresholds
    packing: Packing
    x: Array
    h: tuple[Array, ...]
    tapes: tuple[LayerTape, ...]


def record(
    model: nn.Module,
    loader: Iterable[Any],
    theta_x: Theta | None = None,
    theta_h: Theta | None = None,
    *,
    loop: Literal["closed", "open"] = "closed",
    batches: int = 1,
    classes: int | None = None,
    readout: Literal["last", "every"] | None = None,
    call: Callable[[nn.Module, Any], Any] | None = None,
    name: str | None = None,
    learning_rate: float | None = None,
) -> Trace:
    """Return the trace of what a model's recurrent layers fire on the batches of a loader.

    Parameters
    ----------
    model
        Any module with nn.RNN (tanh), nn.GRU or nn.LSTM in it, or deltatrain's own; their layers, in the order in which
        they are called, are one stack. It runs as it is, in eval mode, and is left as it was.
    loader
        Batches, as for training.
    theta_x, theta_h
        Thresholds of the input and the recurrent stream: one number for all layers, or one for each, in the order
        in which the model has them. None takes those of `DeltaModule` layers.
    loop
        "closed": the recurrent layers run as delta layers with these thresholds and the model's weights, and everything
        else of the model runs on what they give; this is the delta network itself. "open": the model runs without
        thresholds, which are put on its activations afterwards; a delta network would have run otherwise.
    batches
        How many of the loader's batches are recorded, each as a training step.
    classes, readout
        Outputs of the read-out, and whether it reads the last or every step. None takes them of what the model returns:
        (B, classes) or, of every step, (T, B, classes) or (B, T, classes).
    call
        Calls the model with a batch; None gives it the batch, or the first thing in it if it is a list or a tuple.
    name
        Of the trace; None takes the model's class.
    learning_rate
        Of the update that follows the last batch, which must be inputs and labels. With it the trace has the numbers of
        that step, and gates run it (fidelity "rtl"); None records who fires alone. Closed loop only.

    Raises
    ------
    ConfigError
        In one line that names the module and what of it is not computed here, or what must be told.
    """
    if learning_rate is not None and loop != "closed":
        raise ConfigError("learning_rate goes with loop='closed': in open loop no delta network runs")
    found = _recurrent(model)
    thresholds = _thresholds(found, theta_x, theta_h, loop)
    stacks, batch, output = [], None, None
    for batch in islice(loader, batches):
        calls, output = _watched(model, found, thresholds, loop, call or _call, batch)
        stacks.append(_stacked(calls, found))
    if not stacks:
        raise ConfigError("the loader gives no batch")
    own_x, own_h = zip(*(pair for one in stacks[0] for pair in one.thresholds), strict=True)
    cell = CELL_OF_MODE[next(iter(found.values())).mode]
    told = Told(name or type(model).__name__, cell, own_x, own_h, *_told(output, classes, readout))
    steps = [_closed_masks(stack) if loop == "closed" else _open_masks(stack, told) for stack in stacks]
    trace = Trace.of_recording(steps, told, loop, f"PyTorch {type(model).__name__}: {', '.join(found)}")
    if learning_rate is None:
        return trace
    labels = batch[1] if isinstance(batch, list | tuple) and len(batch) > 1 else None
    last = Batch(unpack(stacks[-1][0].x, stacks[-1][0].packing), output, labels)
    return with_numbers(trace, model, [found[one.name] for one in stacks[-1]], last, learning_rate)


def _recurrent(model: nn.Module) -> dict[str, nn.RNNBase]:
    """Return the recurrent modules of a model by name, in the order in which it has them."""
    if not isinstance(model, nn.Module):
        raise wrong_kind("the model", "a torch.nn.Module", model)
    modules = dict(model.named_modules())
    found = {name or type(one).__name__: one for name, one in modules.items() if isinstance(one, nn.RNNBase)}
    cells = [name for name, module in modules.items() if isinstance(module, nn.RNNCellBase)]
    if cells:
        raise ConfigError(f"{cells[0]} is a cell that is called step by step: put an nn.RNN, nn.GRU or nn.LSTM there")
    if not found:
        raise ConfigError(f"{type(model).__name__} has no nn.RNN, nn.GRU or nn.LSTM")
    for name, module in found.items():
        refuse_module(module, name)
        if type(module).forward not in _FORWARDS:
            raise ConfigError(f"{name} is a {type(module).__name__} with a forward of its own, which is not known here")
    if len({module.mode for module in found.values()}) > 1:
        kinds = ", ".join(f"{name} is {module.mode}" for name, module in found.items())
        raise ConfigError(f"all recurrent layers must be of one kind: {kinds}")
    return found


def _thresholds(
    found: dict[str, nn.RNNBase], theta_x: Theta | None, theta_h: Theta | None, loop: str
) -> dict[str, Thresholds]:
    """Return (theta_x, theta_h) of each layer of each module."""
    if loop not in ("closed", "open"):
        raise ConfigError(f"loop must be 'closed' or 'open', not {loop!r}")
    own = {name: module.thresholds for name, module in found.items() if isinstance(module, DeltaModule)}
    if loop == "open" and own:
        raise ConfigError(f"{next(iter(own))} is a delta network itself, so it is recorded in closed loop")
    if theta_x is None and theta_h is None and len(own) == len(found):
        return dict(own)
    if theta_x is None or theta_h is None:
        raise ConfigError("theta_x and theta_h must both be given: layers of torch.nn have no thresholds of their own")
    every = iter(each_layer(theta_x, theta_h, sum(module.num_layers for module in found.values())))
    return {name: tuple(islice(every, module.num_layers)) for name, module in found.items()}


def _watched(
    model: nn.Module,
    found: dict[str, nn.RNNBase],
    thresholds: dict[str, Thresholds],
    loop: str,
    call: Callable[[nn.Module, Any], Any],
    batch: Any,
) -> tuple[list[Call], Any]:
    """Return every call of a recurrent module while the model runs on a batch, and what the model returned."""
    calls: list[Call] = []
    kind = _closed if loop == "closed" else _open
    forwards = {module: kind(module, name, thresholds[name], calls) for name, module in found.items()}
    with _instead(forwards), _evaluating(model), torch.no_grad():
        output = call(model, batch)
    return calls, output


def _closed(module: nn.RNNBase, name: str, thresholds: Thresholds, calls: list[Call]) -> Callable[..., Any]:
    """Return a forward that runs the module as delta layers, and keeps what they did."""

    def forward(given: Any, hx: Any = None) -> Any:
        tapes: list[LayerTape] = []
        output = run(module, given, hx, thresholds, tapes)
        rows = rows_of(given, module.batch_first)
        h = tuple(tape.values[-1, rows.packing.samples :] for tape in tapes)  # h is the last of every cell's values
        calls.append(Call(name, thresholds, rows.packing, host_array(rows.values), h, tuple(tapes)))
        return output

    return forward


def _open(module: nn.RNNBase, name: str, thresholds: Thresholds, calls: list[Call]) -> Callable[..., Any]:
    """Return a forward that runs the module as it is, and keeps the h of each layer, which it hides itself."""

    def forward(given: Any, hx: Any = None) -> Any:
        refuse_state(hx, name)
        rows, below, h = rows_of(given, module.batch_first), given, []
        for layer in range(module.num_layers):
            below, _ = _single(module, layer)(below)
            h.append(host_array(rows_of(below, module.batch_first).values))
        calls.append(Call(name, thresholds, rows.packing, host_array(rows.values), tuple(h), ()))
        return type(module).forward(module, given, hx)

    return forward


def _single(module: nn.RNNBase, layer: int) -> nn.RNNBase:
    """Return one layer of a module as a module of its own; several in one are one fused kernel."""
    W_ih, W_hh, b_ih, b_hh = layer_tensors(module, layer)
    kind = _KIND_OF_MODE[module.mode]
    single = kind(W_ih.shape[1], module.hidden_size, batch_first=module.batch_first).to(W_ih)
    single.load_state_dict({"weight_ih_l0": W_ih, "weight_hh_l0": W_hh, "bias_ih_l0": b_ih, "bias_hh_l0": b_hh})
    return single


def _stacked(calls: list[Call], found: dict[str, nn.RNNBase]) -> list[Call]:
    """Return the calls of one batch, once they are known to be one stack of layers."""
    for name in found:
        times = sum(call.name == name for call in calls)
        if times != 1:
            raise ConfigError(f"{name} is called {times} times in one call of the model: only once is recorded")
    for below, above in pairwise(calls):
        if above.x.shape != below.h[-1].shape or not np.array_equal(above.x, below.h[-1]):
            raise ConfigError(f"{above.name} does not take what {below.name} gives as it is: only a stack is simulated")
    return calls


def _closed_masks(stack: list[Call]) -> GivenMasks:
    packing, tapes = stack[0].packing, [tape for call in stack for tape in call.tapes]
    fired_x = tuple(unpack(tape.fired_x, packing) for tape in tapes)
    fired_h = tuple(unpack(tape.fired_h, packing) for tape in tapes)
    return GivenMasks(_lengths(packing), fired_x, fired_h)


def _open_masks(stack: list[Call], told: Told) -> GivenMasks:
    packing = stack[0].packing
    x, *h = (unpack(rows, packing) for rows in (stack[0].x, *(h for call in stack for h in call.h)))
    return masks_of_activations(x, h, _lengths(packing), told)


def _lengths(packing: Packing) -> Array:
    """Return the steps of each sample, in the caller's order, (B,)."""
    lengths = np.empty_like(packing.lengths)
    lengths[packing.order] = packing.lengths
    return lengths


def _told(output: Any, classes: int | None, readout: str | None) -> tuple[str, int]:
    """Return the read-out and its number of classes, from what the model returned where they are not told."""
    if classes is not None and readout is not None:
        return readout, classes
    if not isinstance(output, Tensor) or output.dim() not in (2, 3):
        raise ConfigError("classes and readout must be given: the model returns no tensor of logits to tell them by")
    return readout or ("last" if output.dim() == 2 else "every"), output.shape[-1] if classes is None else classes


def _call(model: nn.Module, batch: Any) -> Any:
    return model(batch[0] if isinstance(batch, list | tuple) and not isinstance(batch, PackedSequence) else batch)


@contextmanager
def _instead(forwards: dict[nn.RNNBase, Callable[..., Any]]) -> Iterator[None]:
    """Have modules run other functions in place of their own forward."""
    try:
        for module, forward in forwards.items():
            module.forward = forward
        yield
    finally:
        for module in forwards:
            vars(module).pop("forward", None)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Have every part of a model in eval mode, and afterwards as it was."""
    before = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in before.items():
            module.training = training
