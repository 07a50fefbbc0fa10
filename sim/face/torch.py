"""PyTorch beside deltatrain: record what a model of one's own fires, train delta networks in it, measure a step in it.

>>> trace = deltatrain.torch.record(model, loader, theta_x=0.1, theta_h=0.1)
>>> result = deltatrain.simulate("edge", trace)
>>> result.speedup
>>> deltatrain.torch.measure(result, trace).own_computer

PyTorch is imported with the first name that is taken from here; without it that is an error of one line.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deltatrain.accel.extras import require

if TYPE_CHECKING:
    from deltatrain.sim.own_computer import measure
    from deltatrain.workloads.torch.modules import DeltaGRU, DeltaLSTM, DeltaRNN
    from deltatrain.workloads.torch.recording import record

__all__ = ["DeltaGRU", "DeltaLSTM", "DeltaRNN", "measure", "record"]

if not TYPE_CHECKING:  # a type checker would take any name for one that there is

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        require("torch", f"{__name__}.{name}")
        modules = {"record": "workloads.torch.recording", "measure": "sim.own_computer"}
        return getattr(import_module(f"deltatrain.{modules.get(name, 'workloads.torch.modules')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
