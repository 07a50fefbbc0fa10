"""The weights of a network by themselves, in our cells' layout, and their file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, PositiveInt, ValidationError

from deltatrain.accel.documents import json_text
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import AnyPath, read_bytes, replace_file
from deltatrain.workloads.arrays.archive import read_arrays
from deltatrain.workloads.arrays.layer import Layer
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.cells import CELLS, Cell, SpikingCell
from deltatrain.workloads.interchange.plausible import check_plausible
from deltatrain.workloads.network.network import Parameters, Sizes, shapes

FORMAT = "deltatrain network"
VERSION = 1


@dataclass(frozen=True, eq=False)
class StoredNetwork:
    """Layers of one cell and, if there is one, a linear read-out.

    Attributes
    ----------
    cell
        A member of `workloads.cells`.
    layers
        The one next to the input first.
    W_out, bias_out
        The read-out, shapes (classes, H) and (classes,); None for a network without one.
    source
        Where it comes from, in words.
    notes
        What the file that it comes from does not say, or says and is not taken, a line each.
    neuron
        Of a spiking cell, what the workload's table ``neuron`` must say for these weights: decay, threshold, reset.

    Raises
    ------
    ConfigError
        In one line, when the arrays are not those of such a network.
    """

    cell: str
    layers: tuple[Layer, ...]
    W_out: Array | None
    bias_out: Array | None
    source: str = ""
    notes: tuple[str, ...] = ()
    neuron: Mapping[str, float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.layers:
            raise ConfigError("a network must have at least one recurrent layer")
        if (self.W_out is None) != (self.bias_out is None):
            raise ConfigError("a read-out must have a matrix and a bias")
        names = [f"{name} of layer {layer}" for layer in range(len(self.layers)) for name in Layer._fields]
        expected = shapes(self.sizes)
        for name, array, shape in zip((*names, "W_out", "bias_out"), self.arrays(), expected, strict=False):
            if array.shape != shape:
                raise ConfigError(f"{name} must be of shape {shape}, not {array.shape}")
            if array.dtype not in (np.float32, np.float64):
                raise ConfigError(f"{name} must be float32 or float64, not {array.dtype}")
            check_plausible(name, array)

    @property
    def sizes(self) -> Sizes:
        """Cell and widths; a network without a read-out has no classes."""
        hidden = tuple(int(layer.W_h.shape[1]) for layer in self.layers)
        classes = 0 if self.W_out is None else len(self.W_out)
        return Sizes(CELLS.load(self.cell), int(self.layers[0].W_x.shape[1]), hidden, classes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number format of the weights."""
        return np.result_type(*self.arrays())

    def arrays(self) -> tuple[Array, ...]:
        """Return W_x, W_h and bias of each layer, then the read-out's if there is one."""
        read_out = () if self.W_out is None or self.bias_out is None else (self.W_out, self.bias_out)
        return (*(array for layer in self.layers for array in layer), *read_out)

    @classmethod
    def of_parameters(cls, cell: str, parameters: Parameters, source: str = "") -> Self:
        """Return what a training has learned."""
        return cls(cell, parameters.layers, parameters.W_out, parameters.bias_out, source)

    def parameters(self, sizes: Sizes, drawn: Parameters) -> Parameters:
        """Return the parameters of a network of `sizes` that begins with these weights, in the dtype of `drawn`.

        A network without a read-out takes that of `drawn`; sizes that are others are a `ConfigError`.
        """
        own = self.sizes
        recurrent, asked = ((one.cell.ARITHMETIC, one.features, one.hidden) for one in (own, sizes))
        if recurrent != asked or own.classes not in (0, sizes.classes):
            raise ConfigError(f"initial_weights: the file has {_said(own)}; the workload asks for {_said(sizes)}")
        self._check_neuron(sizes.cell)
        dtype = drawn.W_out.dtype
        W, b = (drawn.W_out, drawn.bias_out) if self.W_out is None else (self.W_out, self.bias_out)
        layers = tuple(Layer(*(array.astype(dtype) for array in layer)) for layer in self.layers)
        return Parameters(layers, np.asarray(W, dtype), np.asarray(b, dtype))

    def _check_neuron(self, cell: Cell) -> None:
        """Raise a `ConfigError` unless the neurons of a spiking cell are those that the weights are of."""
        for name, value in self.neuron.items():
            found = getattr(cell.NEURON, name) if isinstance(cell, SpikingCell) else np.nan
            same = found == value if isinstance(value, str) else np.isclose(found, value, rtol=1e-6, atol=1e-6)
            if not same:
                raise ConfigError(
                    f"initial_weights: the file is of neurons with {name} = {value!r:.8}, the workload has {found!r}: "
                    "say so in its table [neuron]"
                )

    def save(self, path: AnyPath) -> None:
        """Write the network to `path`, a NumPy archive with a JSON header, whole or not at all."""
        header = {
            "format": FORMAT,
            "version": VERSION,
            "cell": self.cell,
            "layers": len(self.layers),
            "source": self.source,
            "notes": list(self.notes),
            "neuron": dict(self.neuron),
        }
        contents: dict[str, Any] = {"header": np.frombuffer(json_text(header).encode(), np.uint8)}
        contents |= zip(_names(len(self.layers)), self.arrays(), strict=False)
        archive = io.BytesIO()
        np.savez(archive, **contents)
        replace_file(Path(path), archive.getvalue())

    @classmethod
    def load(cls, path: AnyPath) -> Self:
        """Return the network in the file `path`; what is none is a `ConfigError` of one line."""
        found = named_arrays(Path(path))
        try:
            header = _Header.model_validate_json(found.pop("header").tobytes())
        except (KeyError, ValidationError):
            raise ConfigError(f"{path} is no network of deltatrain: make one with `deltatrain import`") from None
        if (header.format, header.version) != (FORMAT, VERSION):
            raise ConfigError(f"{path} is {header.format!r} version {header.version}, not {FORMAT!r} version {VERSION}")
        names = _names(header.layers)
        if found.keys() not in (set(names), set(names[:-2])):
            raise ConfigError(f"{path} must hold the arrays {', '.join(names)}, not {', '.join(sorted(found))}")
        recurrent = [found[name] for name in names[:-2]]
        layers = tuple(Layer(*recurrent[first : first + 3]) for first in range(0, len(recurrent), 3))
        try:
            return cls(
                header.cell,
                layers,
                found.get("W_out"),
                found.get("bias_out"),
                header.source,
                header.notes,
                header.neuron,
            )
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None


class _Header(BaseModel, frozen=True, extra="forbid"):
    format: str
    version: int
    cell: str
    layers: PositiveInt
    source: str
    notes: tuple[str, ...]
    neuron: dict[str, float | str] = {}


def named_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of the NumPy archive `path` by name; what is none is a `ConfigError` of one line."""
    content = read_bytes(path)
    try:
        return read_arrays(io.BytesIO(content), f"network {path}")
    except MemoryError:
        raise
    except Exception:  # what NumPy, zipfile and zlib raise for a damaged file is listed nowhere
        raise ConfigError(f"{path} is no NumPy archive, or it is damaged") from None


def _names(layers: int) -> list[str]:
    return [*(f"{name}.{layer}" for layer in range(layers) for name in Layer._fields), "W_out", "bias_out"]


def _said(sizes: Sizes) -> str:
    classes = f", {sizes.classes} classes" if sizes.classes else ""
    return f"{sizes.cell.ARITHMETIC}, {sizes.features} inputs, hidden {list(sizes.hidden)}{classes}"
