"""PyTorch beside deltatrain: record what a model of one's own fires, or train delta networks in PyTorch itself.

>>> trace = deltatrain.torch.record(model, loader, theta_x=0.1, theta_h=0.1)
>>> deltatrain.simulate("edge", trace).speedup

PyTorch is imported with the first name that is taken from here; without it that is an error of one line.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deltatrain.accel.extras import require

if TYPE_CHECKING:
    from deltatrain.workloads.torch.modules import DeltaGRU, DeltaLSTM, DeltaRNN
    from deltatrain.workloads.torch.recording import record

__all__ = ["DeltaGRU", "DeltaLSTM", "DeltaRNN", "record"]

if not TYPE_CHECKING:  # a type checker would take any name for one that there is

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        require("torch", f"{__name__}.{name}")
        module = "recording" if name == "record" else "modules"
        return getattr(import_module(f"deltatrain.workloads.torch.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
