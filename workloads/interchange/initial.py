"""The network that a training begins with, from the file that its workload names."""

from __future__ import annotations

from pathlib import Path

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import read_bytes
from deltatrain.workloads.interchange.formats import read_network
from deltatrain.workloads.interchange.stored_network import StoredNetwork
from deltatrain.workloads.tables import InitialWeights, file_digest


def initial_network(given: InitialWeights) -> StoredNetwork:
    """Return the network in the file; one that holds something else by now is a `ConfigError`."""
    path = Path(given.file)
    if file_digest(read_bytes(path)) != given.sha256:
        raise ConfigError(f"initial_weights: {path} holds something else than when the workload was read")
    return read_network(path)
