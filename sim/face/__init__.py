"""deltatrain: what it costs to train a recurrent network that computes on changes only, cycle by cycle.

>>> import deltatrain as dt
>>> result = dt.simulate("edge", "synthetic")
>>> result.speedup

Machines and workloads are given by a preset's name, by the path of a TOML file, or as objects. Nothing is imported
before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deltatrain.accel.version import VERSION

if TYPE_CHECKING:
    from deltatrain import torch
    from deltatrain.accel.architecture import Architecture
    from deltatrain.accel.errors import ConfigError, FitError, NetworkError
    from deltatrain.accel.result import Result
    from deltatrain.sim.advice.advise import advise
    from deltatrain.sim.checkpoint_plan import plan
    from deltatrain.sim.evaluation import evaluate
    from deltatrain.sim.flow import train
    from deltatrain.sim.fpga.run import fpga
    from deltatrain.sim.network_exchange import export_network, import_network
    from deltatrain.sim.report import report
    from deltatrain.sim.run import simulate
    from deltatrain.sim.speed.bench import bench
    from deltatrain.sim.sweep.results import compare, load_results
    from deltatrain.sim.sweep.run import sweep
    from deltatrain.sim.verification import verify
    from deltatrain.sim.verilog_export import verilog
    from deltatrain.sim.whole_training import whole_training
    from deltatrain.workloads.trace import Trace
    from deltatrain.workloads.workload import Workload

__all__ = [
    "Architecture",
    "ConfigError",
    "FitError",
    "NetworkError",
    "Result",
    "Trace",
    "Workload",
    "__version__",
    "advise",
    "bench",
    "compare",
    "evaluate",
    "export_network",
    "fpga",
    "import_network",
    "load_results",
    "plan",
    "report",
    "simulate",
    "sweep",
    "torch",
    "train",
    "verify",
    "verilog",
    "whole_training",
]

__version__ = VERSION

_MODULES = {
    "Architecture": "accel.architecture",
    "ConfigError": "accel.errors",
    "FitError": "accel.errors",
    "NetworkError": "accel.errors",
    "Result": "accel.result",
    "Trace": "workloads.trace",
    "Workload": "workloads.workload",
    "advise": "sim.advice.advise",
    "bench": "sim.speed.bench",
    "compare": "sim.sweep.results",
    "evaluate": "sim.evaluation",
    "load_results": "sim.sweep.results",
    "export_network": "sim.network_exchange",
    "fpga": "sim.fpga.run",
    "import_network": "sim.network_exchange",
    "plan": "sim.checkpoint_plan",
    "report": "sim.report",
    "simulate": "sim.run",
    "sweep": "sim.sweep.run",
    "torch": "torch",
    "train": "sim.flow",
    "whole_training": "sim.whole_training",
    "verify": "sim.verification",
    "verilog": "sim.verilog_export",
}

if not TYPE_CHECKING:  # a type checker would take any name for one that there is

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = import_module(f"{__name__}.{_MODULES[name]}")
        found = module if name == "torch" else getattr(module, name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted(__all__)
