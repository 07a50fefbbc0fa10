"""The dense twin of a simulated training step: counted once, kept in the cache folder, found there when asked again.

The twin has every column fired, so nothing that was learned or drawn is in it: machine, network and lengths decide it.
A kept file is named by a digest of these, of the fidelity, of the code and of the prices, which cover the memories'
tables. It begins with the SHA-256 of what follows, and one that is damaged is as good as none.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cache_folder import cache_folder
from deltatrain.accel.counters import Counters
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.family import others_add_members
from deltatrain.accel.files import make_folder, replace_file
from deltatrain.accel.pricing.identity import prices_digest
from deltatrain.sim.code import CODE
from deltatrain.sim.fidelity import FIDELITIES
from deltatrain.workloads.tasks import TASKS
from deltatrain.workloads.trace import RecordedStep, Trace

_FOLDER = "dense"
_WORTH_KEEPING_CPU_S = 0.5
"""Twins that took less are counted again: to keep each of a sweep's thousands would cost more."""


@dataclass(frozen=True)
class DenseTwin:
    """The same training step on the same machine with every column worked through.

    Attributes
    ----------
    fidelity
        In which it is counted: the `TWIN` of the run's fidelity.
    architecture, trace, recorded
        Of the run.
    """

    fidelity: str
    architecture: Architecture
    trace: Trace
    recorded: RecordedStep

    @cached_property
    def kept(self) -> Counters | None:
        """What an earlier run counted; None if there is nothing in the cache folder, or it is damaged."""
        if self._path is None:
            return None
        with suppress(OSError, ValueError):  # pydantic's errors are ValueErrors
            digest, _, content = self._path.read_bytes().partition(b"\n")
            if digest == _digest(content):
                return Counters.model_validate_json(content)
        return None

    def counted(self, on_progress: Callable[[float], None] | None = None) -> Counters:
        """Return what running it counts; errors as of `workloads.lowering.step_programs`."""
        if self.kept is not None:
            return self.kept
        started = time.process_time()
        member = FIDELITIES.load(self.fidelity)
        counters = member.count(member.dense_program(self.architecture, self.trace, self.recorded), on_progress)
        if time.process_time() - started > _WORTH_KEEPING_CPU_S:
            self._keep(counters)
        return counters

    def _keep(self, counters: Counters) -> None:
        if self._path is None:
            return
        content = counters.model_dump_json().encode()
        with suppress(ConfigError, OSError):  # it is counted again then
            make_folder(self._path.parent)
            replace_file(self._path, _digest(content) + b"\n" + content)

    @property
    def _begun(self) -> dict[str, object]:
        """What else decides the twin of a window: whether it goes on from a state, and the words it looks up."""
        words, carried = self.recorded.words, self.recorded.carried
        return ({"carried": True} if carried else {}) | ({} if words is None else {"words": words.tolist()})

    @cached_property
    def _path(self) -> Path | None:
        """Where it is kept; None where code of other packages, which no digest covers, may decide what is counted."""
        if others_add_members():
            return None
        workload = self.trace.workload
        told = {
            "fidelity": self.fidelity,
            "machine": self.architecture.model_dump(mode="json"),
            "network": [workload.cell, self.trace.inputs, workload.hidden, self.trace.classes],
            "phases": [workload.learns, workload.readout, TASKS.load(workload.task).MODE],
            "rule": [workload.training.rule, workload.training.gradient_steps],
            "lengths": self.recorded.lengths.tolist(),
            **self._begun,
            "code": CODE,
            "prices": prices_digest(),
        }
        return (
            cache_folder()
            / _FOLDER
            / f"{_digest(json.dumps(told, sort_keys=True, allow_nan=False).encode())[:24].decode()}.json"
        )


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
