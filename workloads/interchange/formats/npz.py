"""NumPy archives: deltatrain's own file of a network, or a state_dict's tensors saved by their names."""

from __future__ import annotations

from pathlib import Path

from deltatrain.workloads.interchange.choice import Choice
from deltatrain.workloads.interchange.stored_network import StoredNetwork, named_arrays
from deltatrain.workloads.interchange.torch_names import network_of

SUFFIXES = (".npz",)
WRITES = True
TELLS: tuple[str, ...] = ("layers", "head")


def read(path: Path, choice: Choice) -> StoredNetwork:
    """Return the network in the file: deltatrain's own has a header, one of another tool PyTorch's names."""
    arrays = named_arrays(path)
    if "header" in arrays:
        return StoredNetwork.load(path)
    return network_of(arrays, choice, path.name)


def write(network: StoredNetwork, path: Path) -> None:
    """Write deltatrain's own file."""
    network.save(path)
