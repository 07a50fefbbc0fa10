"""NIR: leaky integrate-and-fire neurons in continuous time, in a stack, as exporters of Euler's rule write them.

tau dv/dt = v_leak - v + r I becomes u[t] = (1 - dt / tau) u[t-1] + (r dt / tau) I with u = v - v_leak, which is the
rule that exporters invert. The file tells neither dt nor what a spike takes off the potential, so a person must. Here
all neurons have one decay and one threshold: rows of weights are scaled to it, which changes no spike.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.extras import require
from deltatrain.accel.files import read_bytes
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.workloads.arrays.hdf5 import check_hdf5
from deltatrain.workloads.arrays.layer import Layer
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.interchange.choice import Choice
from deltatrain.workloads.interchange.plausible import check_plausible
from deltatrain.workloads.interchange.stored_network import StoredNetwork

SUFFIXES = (".nir",)
WRITES = False

_THRESHOLD = LeakyNeuron().threshold
_RESETS = ("zero", "subtract")
_LINEAR, _NEURONS = ("Affine", "Linear"), ("LIF", "CubaLIF")
_SAME = 1e-6  # relative: float32 is what files hold


class _Neurons(NamedTuple):
    """A layer of neurons: the share of u that a step leaves, the gain of the current, the threshold; shapes (H,)."""

    decay: Array
    gain: Array
    threshold: Array


class _Graph(NamedTuple):
    """The nodes by name, and which follow which."""

    nodes: dict[str, Any]
    after: dict[str, list[str]]

    def kind(self, name: str) -> str:
        """Return what a node is called in NIR."""
        return type(self.nodes[name]).__name__


def read(path: Path, choice: Choice) -> StoredNetwork:
    """Return the network in the graph; a node that is not computed here is a `ConfigError` that names it."""
    require("nir", "reading NIR")
    check_hdf5(read_bytes(path), str(path))
    loaded = _loaded(path)
    if choice.reset not in _RESETS:
        raise ConfigError("NIR does not say what a spike does to the potential: say --reset zero or --reset subtract")
    dt_s, graph = _dt_s(loaded.metadata, choice), _Graph(loaded.nodes, _after(loaded))
    layers, decays, recurrent, W, b = [], [], [], None, None
    for linear, neurons in _stack(graph):
        weight, bias = _affine(linear, graph.nodes[linear])
        if neurons is None:
            W, b = weight.astype(np.float32), bias.astype(np.float32)
            continue
        found = _neurons(neurons, graph.nodes[neurons], dt_s, choice.reset, len(weight))
        back = _recurrence(graph, neurons)
        recurrent.append(back is not None)
        layers.append(_layer(weight, bias, None if back is None else _affine(back, graph.nodes[back]), found))
        decays.append(found.decay)
    if len(set(recurrent)) > 1:
        raise ConfigError("some layers have a recurrent matrix and some have none: here all are of one cell")
    neuron: dict[str, float | str] = {
        "decay": _one(np.concatenate(decays)),
        "threshold": _THRESHOLD,
        "reset": choice.reset,
    }
    notes = (f"say so in the workload: [neuron] decay = {neuron['decay']:.6g}, reset = {choice.reset!r}",)
    cell = "lif_recurrent" if recurrent[0] else "lif"
    return StoredNetwork(cell, tuple(layers), W, b, path.name, notes, neuron)


def write(network: StoredNetwork, path: Path) -> NoReturn:
    """Refuse: NIR is read alone."""
    raise ConfigError("networks are not written as .nir: write .npz")


def _loaded(path: Path) -> Any:
    import nir

    try:
        graph = nir.read(path)
    except MemoryError:
        raise
    except Exception:  # what h5py and nir raise for a damaged file is listed nowhere
        raise ConfigError(f"{path} is no graph of NIR, or it is damaged") from None
    if not isinstance(graph, nir.NIRGraph):
        raise ConfigError(f"it holds a {type(graph).__name__}, no graph")
    return graph


def _dt_s(metadata: dict[str, Any], choice: Choice) -> float:
    """Return the seconds of a step, as they are told or as the file has them."""
    dt_s = choice.dt_s if choice.dt_s is not None else metadata.get("dt")
    if dt_s is None:
        raise ConfigError("NIR does not say how long a step is: say so, as in --dt-s 1e-4 (snnTorch, spikingjelly)")
    if not isinstance(dt_s, int | float | np.number) or not 0 < dt_s < np.inf:
        raise ConfigError(f"a step must take a positive number of seconds, not {dt_s!r}")
    return float(dt_s)


def _after(graph: Any) -> dict[str, list[str]]:
    after: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for one, other in graph.edges:
        if one not in after or other not in after:
            raise ConfigError(f"the edge from {one!r} to {other!r} has no node at an end")
        after[one].append(other)
    return after


def _stack(graph: _Graph) -> Iterator[tuple[str, str | None]]:
    """Yield matrix and neurons of each layer, from the input on; None for the neurons of the read-out."""
    begins = [name for name in graph.nodes if graph.kind(name) == "Input"]
    if len(begins) != 1:
        raise ConfigError(f"it must have one Input, not {len(begins)}")
    at, layers = _next(graph, begins[0]), 0
    while at is not None:
        if graph.kind(at) not in _LINEAR:
            raise ConfigError(f"the node {at!r} ({graph.kind(at)}) is not computed here, where it stands")
        neurons = _next(graph, at)
        if neurons is None and layers:
            yield at, None
            return
        if neurons is None or graph.kind(neurons) not in _NEURONS:
            what = "nothing" if neurons is None else f"{neurons!r} ({graph.kind(neurons)})"
            raise ConfigError(f"after {at!r} must come LIF or CubaLIF neurons, not {what}")
        yield at, neurons
        at, layers = _next(graph, neurons), layers + 1
    if not layers:
        raise ConfigError("it has no neurons")


def _next(graph: _Graph, name: str) -> str | None:
    """Return the node after one, that of its own recurrence left out; None where the output is."""
    further = [other for other in graph.after[name] if other != _recurrence(graph, name)]
    if len(further) != 1:
        raise ConfigError(f"{name!r} must go on to one node, not to {', '.join(map(repr, further)) or 'none'}")
    return None if graph.kind(further[0]) == "Output" else further[0]


def _recurrence(graph: _Graph, name: str) -> str | None:
    """Return the matrix through which neurons come back to themselves, None if they do not."""
    back = [other for other in graph.after[name] if graph.after[other] == [name]]
    if graph.kind(name) not in _NEURONS or not back:
        return None
    if len(back) > 1 or graph.kind(back[0]) not in _LINEAR:
        raise ConfigError(f"{name!r} comes back to itself by {', '.join(map(repr, back))}: here by one matrix")
    return back[0]


def _affine(name: str, node: Any) -> tuple[Array, Array]:
    weight = np.asarray(node.weight, np.float64)
    if weight.ndim != 2:
        raise ConfigError(f"the weight of {name!r} must be a matrix, not of shape {weight.shape}")
    bias = np.asarray(getattr(node, "bias", np.zeros(len(weight))), np.float64).reshape(-1)
    for what, array in (("weight", weight), ("bias", bias)):
        check_plausible(f"the {what} of {name!r}", array)
    return weight, bias


def _neurons(name: str, node: Any, dt_s: float, reset: str, width: int) -> _Neurons:
    """Return a step of dt of the neurons of a node."""

    def of(field: str) -> Array:
        return np.broadcast_to(np.asarray(getattr(node, field), np.float64).reshape(-1), width)

    current = np.ones(width)
    if type(node).__name__ == "CubaLIF":
        if not np.allclose(of("tau_syn"), dt_s, rtol=_SAME, atol=0):
            raise ConfigError(f"{name!r} has currents that decay (tau_syn is not dt = {dt_s:g} s): here they do not")
        current = of("w_in")
    tau = of("tau_mem" if type(node).__name__ == "CubaLIF" else "tau")
    threshold = of("v_threshold") - of("v_leak")
    if (tau < dt_s).any() or not np.isfinite(tau).all():
        raise ConfigError(f"tau of {name!r} must be at least dt = {dt_s:g} s, not {tau.min():g} s")
    if (threshold <= 0).any():
        raise ConfigError(f"v_threshold of {name!r} must be above v_leak")
    if reset == "zero" and not np.allclose(of("v_reset"), of("v_leak"), rtol=0, atol=_SAME):
        raise ConfigError(f"v_reset of {name!r} must be its v_leak: here a spike leaves nothing of the potential")
    return _Neurons(1 - dt_s / tau, current * of("r") * dt_s / tau, threshold)


def _layer(weight: Array, bias: Array, back: tuple[Array, Array] | None, neurons: _Neurons) -> Layer:
    """Return a layer whose potentials are in units in which every threshold is ours."""
    scale = (neurons.gain * _THRESHOLD / neurons.threshold)[:, None]
    W_h, b_h = (np.zeros((0, len(weight))), 0.0) if back is None else (back[0] * scale, back[1])
    arrays = (weight * scale, W_h, (bias + b_h) * scale[:, 0])
    return Layer(*(array.astype(np.float32) for array in arrays))


def _one(decays: Array) -> float:
    if not np.allclose(decays, decays[0], rtol=_SAME, atol=_SAME):
        raise ConfigError(f"neurons decay by {decays.min():g} to {decays.max():g} a step: here all have one decay")
    return float(decays[0])
