"""Networks in and out: the file of another tool becomes one of ours, and what is ours or was trained here goes back."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from deltatrain.accel.errors import ConfigError, wrong_kind
from deltatrain.accel.files import AnyPath
from deltatrain.sim.output_folder import OutputFolder
from deltatrain.workloads.interchange.choice import Choice
from deltatrain.workloads.interchange.formats import format_of, read_network
from deltatrain.workloads.interchange.stored_network import StoredNetwork
from deltatrain.workloads.network.network import from_flat, shapes
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.training import learning_state
from deltatrain.workloads.training_summary import sizes_of


def import_network(
    path: AnyPath,
    out: AnyPath | None = None,
    *,
    layers: Sequence[str] = (),
    head: str | None = None,
    dt_s: float | None = None,
    reset: str | None = None,
) -> StoredNetwork:
    """Return the network in the file of another tool, and write it to `out` for a workload's `initial_weights`.

    Parameters
    ----------
    path
        A file of a member of ``workloads.interchange.formats``, told by how its name ends.
    out
        Where our own file of it goes, ending in ``.npz``; None writes none.
    layers, head, dt_s, reset
        What the file does not say, as in `Choice`.

    Raises
    ------
    ConfigError
        In one line that names the file, the tensor or node, what was found and what is accepted.
    """
    target = None if out is None else Path(out)
    if target is not None and target.suffix != ".npz":
        raise ConfigError(f"{target}: the name must end in .npz")
    network = read_network(Path(path), Choice(tuple(layers), head, dt_s, reset))
    if target is not None:
        network.save(target)
    return network


def export_network(what: StoredNetwork | AnyPath, out: AnyPath) -> StoredNetwork:
    """Write a network for another tool, and return it.

    Parameters
    ----------
    what
        A network, its file, or the folder in which `train` left one.
    out
        The file, whose name ends in ``.safetensors`` (PyTorch's names), ``.onnx`` or ``.npz`` (ours).

    Raises
    ------
    ConfigError
        In one line, where there is no network, or the format has no word for what is in it.
    """
    network = what if isinstance(what, StoredNetwork) else _network_at(what)
    format_of(Path(out), writes=True).write(network, Path(out))
    return network


def _network_at(what: AnyPath) -> StoredNetwork:
    if not isinstance(what, str | os.PathLike):
        raise wrong_kind("what is exported", "a network, its file or the folder of a training", what)
    path = Path(what)
    if not path.exists():
        raise ConfigError(f"{path}: there is no such folder of a training, nor a file of a network")
    if not path.is_dir():
        return read_network(path)
    folder = OutputFolder(path)
    for file in (folder.trace, folder.state):
        if not file.is_file():
            raise ConfigError(f"{path} has no {file.name}: it is not a folder in which something was trained")
    trace = Trace.load(folder.trace)
    state = learning_state.load(folder.state, trace.workload.digest())
    sizes = sizes_of(trace)
    if sizes.words:
        raise ConfigError(f"{path} has an embedding, for which the formats of networks have no word here yet")
    if state.parameters.size != sum(math.prod(shape) for shape in shapes(sizes)):
        raise ConfigError(f"{folder.state} is of another network than {folder.trace}")
    return StoredNetwork.of_parameters(trace.workload.cell, from_flat(state.parameters, sizes), trace.workload.name)
