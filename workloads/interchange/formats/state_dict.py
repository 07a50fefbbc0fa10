"""PyTorch's ``.pt`` and ``.pth`` files of a state_dict, read without PyTorch and without running what stands in them.

Such a file is a zip of ``data.pkl`` and of the numbers, ``data/0``, ``data/1``... A pickle can call any function of any
module; the one of a state_dict needs three, so these alone are known here, and any other is refused by its name.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import read_bytes
from deltatrain.accel.host_memory import check_room
from deltatrain.workloads.interchange.choice import Choice
from deltatrain.workloads.interchange.stored_network import StoredNetwork
from deltatrain.workloads.interchange.torch_names import network_of

SUFFIXES = (".pt", ".pth")
WRITES = False
TELLS: tuple[str, ...] = ("layers", "head")

_TYPES = {"DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": "<u2"}
_TYPES |= {"LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1"}
_TYPES |= {"BoolStorage": "?"}
_UNDER = ("state_dict", "model_state_dict", "model")  # where a checkpoint of more than the weights has them
_ADVICE = "save the weights alone, as in torch.save(model.state_dict(), ...)"


class _Storage(NamedTuple):
    """A kind of storage, by the name that the pickle gives it."""

    name: str


def read(path: Path, choice: Choice) -> StoredNetwork:
    """Return the network whose state_dict the file holds."""
    return network_of(tensors(path), choice, path.name)


def write(network: StoredNetwork, path: Path) -> NoReturn:
    """Refuse: PyTorch reads safetensors."""
    raise ConfigError("networks are not written as .pt: write .safetensors, and load it with safetensors.torch")


def tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors in the file by name; what is no state_dict is a `ConfigError`."""
    content = read_bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = _unpickled(archive)
    except ConfigError:
        raise
    except MemoryError:
        raise
    except Exception:  # what zipfile, zlib and pickle raise for a damaged file is listed nowhere
        raise ConfigError(f"{path} is no state_dict of PyTorch (1.6 or later), or it is damaged") from None
    for key in _UNDER:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict):
        raise ConfigError(f"it holds a {type(found).__name__}, no state_dict: {_ADVICE}")
    named = {name: array for name, array in found.items() if isinstance(name, str) and isinstance(array, np.ndarray)}
    if not named:
        raise ConfigError(f"it holds no tensors by name: {_ADVICE}")
    return named


def _unpickled(archive: zipfile.ZipFile) -> Any:
    (pickled,) = (entry for entry in archive.namelist() if entry.count("/") == 1 and entry.endswith("/data.pkl"))
    stem = pickled.removesuffix("/data.pkl")
    order = f"{stem}/byteorder"
    if order in archive.namelist() and archive.read(order) != b"little":
        raise ConfigError("its numbers are in big-endian order, which is not read here")
    check_room(sum(entry.file_size for entry in archive.infolist()), "the file")
    return _Unpickler(archive, stem).load()


class _Unpickler(pickle.Unpickler):
    """Reads a state_dict: it knows an ordered dictionary, how a tensor is built, and kinds of storages."""

    def __init__(self, archive: zipfile.ZipFile, stem: str) -> None:
        super().__init__(io.BytesIO(archive.read(f"{stem}/data.pkl")))
        self._archive, self._stem = archive, stem

    def find_class(self, module: str, name: str) -> Any:
        """Return what the pickle may call; anything else is a `ConfigError`."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _parameter
        if module == "torch" and name in _TYPES:
            return _Storage(name)
        raise ConfigError(f"it asks for {module}.{name}, which is not run here: {_ADVICE}")

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        """Return the numbers of a storage, which the pickle names by a key."""
        kind, storage, key, _, count = pid
        if kind != "storage" or not isinstance(storage, _Storage) or not str(key).isalnum():
            raise ValueError("no storage")
        dtype = np.dtype(_TYPES[storage.name])
        numbers = np.frombuffer(self._archive.read(f"{self._stem}/data/{key}"), dtype, count=count)
        if storage.name == "BFloat16Storage":  # the upper half of a float32
            return (numbers.astype(np.uint32) << 16).view(np.float32)
        return numbers.astype(dtype.newbyteorder("="))


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> NDArray[Any]:
    """Return a tensor as a view of its storage, which it must not leave."""
    counts = (offset, *size, *stride)
    if not isinstance(storage, np.ndarray) or len(size) != len(stride) or any(type(n) is not int for n in counts):
        raise ValueError("no tensor")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if min(counts) < 0 or (math.prod(size) and last >= len(storage)):
        raise ValueError("a tensor leaves its storage")
    check_room(math.prod(size) * storage.itemsize, "a tensor")
    strides = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides).copy()


def _parameter(tensor: Any, *rest: Any) -> Any:
    return tensor
