"""What cannot fit a machine, told from descriptions and lengths alone: before anything is drawn, lowered or run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import FitError
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.step_programs import check_dense, check_idle
from deltatrain.workloads.synthetic import check_drawn
from deltatrain.workloads.workload import Workload


def check_described(architecture: Architecture, workload: Workload, *, dense: bool) -> None:
    """Refuse a synthetic workload whose step cannot fit, whatever fires in it; of other workloads nothing is known.

    Parameters
    ----------
    architecture, workload
        A pair that no limit refuses (`sim.capabilities`).
    dense
        Whether the dense twin is simulated too.

    Raises
    ------
    FitError
        If the step does not fit even if nothing fires, or the dense twin does not.
    MemoryError
        If the host has no room for such a step.
    """
    if workload.synthetic is None:
        return
    statistics = workload.synthetic
    check_drawn(workload, statistics)
    shape = Shape.of_workload(workload, statistics.inputs, statistics.classes)
    lengths = np.full(workload.training.batch, statistics.steps, dtype=np.int64)
    check_idle(architecture, shape, lengths, workload.readout)
    if dense:
        check_twin(architecture, shape, lengths, workload.readout)


def check_twin(architecture: Architecture, shape: Shape, lengths: NDArray[np.int64], readout: str) -> None:
    """Raise a `FitError` that says how to do without it, if the dense twin does not fit."""
    try:
        check_dense(architecture, shape, lengths, readout)
    except FitError as error:
        raise FitError(f"the dense run, which --no-dense (dense = false) leaves out: {error}") from None
