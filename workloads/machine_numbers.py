"""A workload in the numbers of a machine: whose they are, and what is not trained in them."""

from __future__ import annotations

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError, refuse
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.dataset import RECORDED, SYNTHETIC
from deltatrain.workloads.plain_learning import dense_limits, learning_limits
from deltatrain.workloads.tables import FLOAT, MACHINE
from deltatrain.workloads.workload import Workload

_WHAT = "training in a machine's numbers"


def trained_on(workload: Workload, architecture: Architecture) -> Workload:
    """Return a workload that is to be trained in the numbers of a machine.

    Raises
    ------
    ConfigError
        If the workload has what no machine learns, with a line for each reason.
    """
    refuse(limits(workload))
    table = architecture.engine.numbers.model_dump(mode="json")
    return workload.with_changes(training__numbers=table)


def with_numbers_of(workload: Workload, architecture: Architecture) -> Workload:
    """Return a workload with the machine's numbers in the place of the word "machine"; errors as of `trained_on`."""
    return trained_on(workload, architecture) if workload.training.numbers == MACHINE else workload


def check_known(workload: Workload) -> None:
    """Raise a `ConfigError` if it is not known of which machine the numbers of a training are, or none learns so."""
    if workload.training.numbers == MACHINE:
        raise ConfigError("training.numbers = 'machine' needs a machine, whose formats they have: name one with --on")
    if workload.training.numbers != FLOAT:
        refuse(limits(workload))


def limits(workload: Workload) -> list[str]:
    """Return a line for each reason why a workload is not trained in a machine's numbers."""
    training, reasons = workload.training, learning_limits(workload, _WHAT) + dense_limits(workload, _WHAT)
    if workload.dataset in (SYNTHETIC, RECORDED):
        reasons.append(f"there must be recordings for {_WHAT}: of the data set {workload.dataset!r} nothing is trained")
    if not CELLS.load(workload.cell).STREAMS.HELD:
        reasons.append(f"cell must be one of deltas for {_WHAT}, not {workload.cell!r}")
    if training.dropout:
        reasons.append(f"training.dropout must be 0 for {_WHAT}, which hides nothing, not {training.dropout}")
    return reasons
