"""safetensors: a JSON header of names, types, shapes and places, and then the numbers; nothing in it can run.

Eight bytes, little-endian, tell how long the header is; places count from its end (huggingface/safetensors, README). It
is read here without the package of that name, which has no bfloat16 in NumPy.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.documents import json_text, json_value
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import read_bytes, replace_file
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.interchange.choice import Choice
from deltatrain.workloads.interchange.stored_network import StoredNetwork
from deltatrain.workloads.interchange.torch_names import network_of, tensors_of

SUFFIXES = (".safetensors",)
WRITES = True
TELLS: tuple[str, ...] = ("layers", "head")

_LENGTH_BYTES = 8
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2"}
_TYPES |= {"I8": "i1", "U8": "u1", "BOOL": "?"}
_NAMES = {np.dtype(np.float32): "F32", np.dtype(np.float64): "F64"}


def read(path: Path, choice: Choice) -> StoredNetwork:
    """Return the network whose state_dict the file holds."""
    return network_of(tensors(path), choice, path.name)


def write(network: StoredNetwork, path: Path) -> None:
    """Write the network's state_dict (`torch_names.tensors_of`)."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    contents: list[bytes] = []
    begin = 0
    for name, array in tensors_of(network).items():
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        end = begin + little.nbytes
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [begin, end]}
        contents.append(little.tobytes())
        begin = end
    text = json_text(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH_BYTES)
    replace_file(path, len(text).to_bytes(_LENGTH_BYTES, "little") + text + b"".join(contents))


def tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors in the file by name; a damaged file is a `ConfigError`."""
    content = read_bytes(path)
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    body = content[_LENGTH_BYTES + length :]
    try:
        if len(content) < _LENGTH_BYTES + length:
            raise ValueError("the header is longer than the file")
        header = json_value(content[_LENGTH_BYTES : _LENGTH_BYTES + length])
        return {name: _tensor(about, body) for name, about in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{path} is no file of safetensors, or it is damaged") from None


def _tensor(about: dict[str, Any], body: bytes) -> Array:
    kind, shape, (begin, end) = about["dtype"], tuple(about["shape"]), about["data_offsets"]
    if any(type(number) is not int or number < 0 for number in (*shape, begin, end)):
        raise ValueError("shapes and places are counts")
    dtype = np.dtype(_TYPES[kind])
    if not begin <= end <= len(body) or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError("a tensor has not the bytes that its shape takes")
    array = np.frombuffer(body[begin:end], dtype).reshape(shape)
    if kind == "BF16":  # the upper half of a float32
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(dtype.newbyteorder("="))
