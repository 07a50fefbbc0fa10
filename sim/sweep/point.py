"""One design point: the base that it changes, its digest, and the row that simulating it gives."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, get_args

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.counters import Cause, Counters
from deltatrain.accel.description import with_overrides
from deltatrain.accel.errors import ConfigError, HostError, refuse
from deltatrain.accel.files import scratch_folder
from deltatrain.accel.origin import BESIDE, FLOAT_FIGURES, WHOLE_TRAINING
from deltatrain.accel.pricing.area import area
from deltatrain.accel.pricing.identity import prices_digest
from deltatrain.accel.pricing.run_energy import energy_j, energy_model
from deltatrain.accel.program import Program
from deltatrain.accel.version import VERSION
from deltatrain.sim.capabilities import against_optimiser, against_simulating
from deltatrain.sim.dense_twin import DenseTwin
from deltatrain.sim.fidelity import FIDELITIES
from deltatrain.sim.run import synthetic_trace
from deltatrain.sim.sweep import energy_models
from deltatrain.sim.sweep.axis import Design
from deltatrain.sim.sweep.identity import Identity
from deltatrain.sim.sweep.on_fpga import OnFpga
from deltatrain.sim.sweep.trained import forget_recordings, trained_trace
from deltatrain.sim.whole_training import recording_limits, whole_training
from deltatrain.workloads import training_summary
from deltatrain.workloads.machine_numbers import with_numbers_of
from deltatrain.workloads.tables import MACHINE as NUMBERS_OF_MACHINE
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload

MACHINE, WORKLOAD, TRACE = "machine", "workload", "trace"
"""What the dotted path of a field begins with."""

Row = dict[str, Any]
"""What is known of one point, by column, the unit in the column's name."""

_OF_THE_HOST = (HostError, OSError, MemoryError, ImportError)
"""Errors that the description of a point does not cause: they say nothing of it, and never become its row."""

_KEPT_TRACES = 8  # in each process: a grid comes back to few, one after the other


_BESIDE = {BESIDE + name: BESIDE + name for name in FLOAT_FIGURES}
_LEARNED = {
    **{name: name for name in FLOAT_FIGURES},
    **_BESIDE,
    "training.macs_saved": "saved",
    "training.macs": "macs",
}
"""Columns about training, and what `workloads.training_summary.summary` calls them."""


class Answer(NamedTuple):
    """What simulating a list of points gave.

    Attributes
    ----------
    rows
        Of the points up to the obstacle, in their order.
    obstacle
        Why this machine could not go on, in one line; empty if it could.
    """

    rows: list[Row]
    obstacle: str = ""


@dataclass(frozen=True)
class Base:
    """What all points of a sweep share; sent once to each process that simulates.

    Attributes
    ----------
    machine, workload
        The two descriptions as tables; no workload where a trace takes its place.
    traces
        Name and content of the trace files.
    fidelity
        A member of `sim.fidelity`.
    dense
        Whether the dense twin is simulated too.
    fpga, clock_is_of_gates
        The FPGA that points are built for, if any, and whether the clock that they reach there is the machine's.
    sampled_steps
        How many recorded steps are simulated for the cost of the whole training; 0 if that is not asked for.
    files
        Name and SHA-256 of the TOML files that tables and values name, path and digest of recordings of one's own.
    """

    machine: dict[str, Any]
    workload: dict[str, Any] | None
    traces: tuple[tuple[str, bytes], ...]
    fidelity: str
    dense: bool
    files: tuple[tuple[str, str], ...] = ()
    fpga: OnFpga | None = None
    clock_is_of_gates: bool = False
    sampled_steps: int = 0

    def tables(self, design: Design) -> tuple[dict[str, Any], dict[str, Any] | None, str | None]:
        """Return the tables of the machine and the workload of a point, and the name of its trace."""
        changes: dict[str, dict[str, Any]] = {MACHINE: {}, WORKLOAD: {}}
        for path, value in design.items():
            whose, _, field = path.partition(".")
            if whose in changes:
                changes[whose][field] = value
        trace = str(design.get(TRACE, self.traces[0][0])) if self.traces else None
        workload = with_overrides(self.workload, changes[WORKLOAD]) if self.workload is not None else None
        return with_overrides(self.machine, changes[MACHINE]), workload, trace

    def digest(self, design: Design) -> str:
        """Return 16 hexadecimal digits of the SHA-256 of all that determines the point's row."""
        machine, workload, trace = self.tables(design)
        content = self._trace_digests[trace] if trace is not None else None
        return _digest([self.fidelity, self.dense, machine, workload, content, *self.files, *self._asked])

    def value(self, path: str) -> Any:
        """Return the value of a field that is not varied; None if there is none."""
        whose, _, field = path.partition(".")
        node: Any = {MACHINE: self.machine, WORKLOAD: self.workload}.get(whose)
        for name in field.split("."):
            node = node.get(name) if isinstance(node, dict) else None
        return node.get("about") if isinstance(node, dict) else node

    @cached_property
    def identity(self) -> Identity:
        """What all points share. Rows of different identities are not comparable."""
        return Identity(
            version=VERSION,
            prices=prices_digest(),
            fidelity=f"{self.fidelity} beside dense" if self.dense else self.fidelity,
            machine=_digest([self.machine, *self._asked]),
            workload=_digest([self.workload]),
            traces=_digest(sorted(self._trace_digests.values())),
            files=_digest([*self.files]),
        )

    @cached_property
    def _asked(self) -> list[Any]:
        """What the columns of an FPGA and of whole trainings stand on; empty where there are none."""
        built = [] if self.fpga is None else [self.clock_is_of_gates, *self.fpga.identity]
        return built + (["sampled steps", self.sampled_steps] if self.sampled_steps else [])

    @cached_property
    def _trace_digests(self) -> dict[str, str]:
        return {name: hashlib.sha256(content).hexdigest() for name, content in self.traces}


class Simulator:
    """Simulates the points of one base, one after the other.

    Parameters
    ----------
    base
        What they share.
    """

    def __init__(self, base: Base) -> None:
        self._base = base
        self._contents = dict(base.traces)
        member = FIDELITIES.load(base.fidelity)
        self._program, self._count, self._twin = member.program, member.count, member.TWIN
        self._recorded = lru_cache(maxsize=_KEPT_TRACES)(self._load)
        self._described = lru_cache(maxsize=_KEPT_TRACES)(_workload)
        forget_recordings()

    def answer(self, designs: Sequence[Design]) -> Answer:
        """Return the rows of points, up to the first at which this machine is in the way."""
        rows: list[Row] = []
        for design in designs:
            try:
                rows.append(self.row(design))
            except _OF_THE_HOST as error:
                return Answer(rows, _obstacle(error, design))
        return Answer(rows)

    def row(self, design: Design) -> Row:
        """Return what was found at a point, or the kind of its ``failure`` and the ``reason``.

        Whatever goes wrong with the point becomes a row, so that it never stops the others. What goes wrong with this
        machine is raised: `HostError`, `OSError`, `MemoryError` or `ImportError`.
        """
        started = time.process_time()
        try:
            found = self._found(design)
        except _OF_THE_HOST:
            raise
        except Exception as error:
            what = "" if isinstance(error, ConfigError) else "internal error: "
            found = {"failure": type(error).__name__, "reason": what + "; ".join(str(error).splitlines())}
        return found | {"host_cpu_s": round(time.process_time() - started, 6)}

    def _found(self, design: Design) -> Row:
        machine_table, workload_table, trace_name = self._base.tables(design)
        machine = Architecture.from_table(machine_table)
        workload_table = self._in_numbers_of(machine, workload_table)
        text = json.dumps(workload_table, sort_keys=True, allow_nan=False)
        if workload_table is not None:  # before anything is trained
            refuse(against_simulating(machine, self._described(text), self._base.fidelity))
            self._refuse_few_recorded(self._described(text))
        trace = self._recorded(trace_name, text)
        if workload_table is None:
            refuse(against_simulating(machine, trace.workload, self._base.fidelity))
        built = self._base.fpga.row(machine, trace) if self._base.fpga else {}
        if self._base.clock_is_of_gates:
            machine = OnFpga.at_its_clock(machine, built)
        step = trace.recorded[-1]
        refuse(against_optimiser(machine, trace, step))
        program = self._program(machine, trace, step)
        run = self._count(program, None)
        found = _columns(program, run, machine)
        if self._base.dense:
            found |= _beside_dense(run, DenseTwin(self._twin, machine, trace, step).counted())
        if self._base.sampled_steps:
            found |= self._as_a_whole(machine, trace)
        return found | built | _learned(trace)

    def _refuse_few_recorded(self, workload: Workload) -> None:
        training = workload.training
        if self._base.sampled_steps:
            refuse(recording_limits(-(-training.epochs // training.record_every), workload))

    def _as_a_whole(self, machine: Architecture, trace: Trace) -> Row:
        """Return what the whole training costs."""
        cost = whole_training(machine, trace, fidelity=self._base.fidelity, steps=self._base.sampled_steps)
        return dict(zip(WHOLE_TRAINING, (*cost.total, cost.error.energy_j), strict=True))

    def _in_numbers_of(self, machine: Architecture, workload: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return the table of a workload with the machine's numbers, if it is to be trained in them."""
        if workload is None or workload["training"].get("numbers") != NUMBERS_OF_MACHINE:
            return workload
        described = with_numbers_of(Workload.from_table(workload), machine)
        return described.model_dump(mode="json", exclude_none=True)

    def _load(self, name: str | None, workload: str) -> Trace:
        if name is not None:
            return _trace(name, self._contents[name])
        described = self._described(workload)
        return synthetic_trace(described) if described.synthetic else trained_trace(described)


def in_words(design: Design) -> str:
    """Return the fields of a point as a reader would write them."""
    return ", ".join(f"{path} = {value}" for path, value in design.items()) or "the base"


def _obstacle(error: BaseException, design: Design) -> str:
    if isinstance(error, MemoryError):
        return f"this machine's memory is too small for the point {in_words(design)}"
    if isinstance(error, OSError):
        return f"{error.filename or 'this machine'} cannot be used: {error.strerror or error}"
    return "; ".join(str(error).splitlines())


def quantities(base: Base) -> tuple[str, ...]:
    """Return the columns of numbers that points of `base` will have. A run on the machine `tiny` shows them.

    Raises
    ------
    ConfigError
        If one of its traces is damaged.
    """
    workload = Workload.named("tiny").model_dump(mode="json", exclude_none=True)
    tables = {name: base.machine[name] for name in ("energy", "area")}
    tables |= {f"remote.{name}": base.machine["remote"][name] for name in ("device", "bus_bits", "refresh")}
    tiny = Base(Architecture.named("tiny", tables).model_dump(mode="json"), workload, (), "analytic", base.dense)
    found = Simulator(tiny).row({})
    numbers = (name for name, value in found.items() if isinstance(value, (int, float)))
    return (*numbers, *(base.fpga.columns if base.fpga else ()), *_whole_columns(base), *sorted(_learned_columns(base)))


def _whole_columns(base: Base) -> tuple[str, ...]:
    return WHOLE_TRAINING if base.sampled_steps else ()


def _learned_columns(base: Base) -> set[str]:
    """Return the columns about training that all points of `base` will have."""
    if base.workload is not None:
        return set() if base.workload.get("synthetic") else set(_LEARNED)
    trained = [_learned(_trace(*file)).keys() for file in base.traces]
    return set.intersection(*map(set, trained)) if trained else set()


def _columns(program: Program, run: Counters, machine: Architecture) -> Row:
    modes = program.own.update_modes
    energy, mm2 = energy_j(run, machine, modes), area(machine, modes).mm2
    phases = run.phases.values()
    stalled: dict[Cause, int] = dict.fromkeys(get_args(Cause), 0)
    for phase in phases:
        for cause, cycles in phase.stall_cycles.items():
            stalled[cause] += cycles
    moved = sum(phase.remote_bytes for phase in phases)
    elements, macs = sum(phase.elements for phase in phases), run.macs
    return {
        "seconds": run.seconds,
        "energy_j": sum(energy.values()),
        "area_mm2": sum(mm2.values()),
        energy_models.COLUMN: energy_model(machine),
        "local_bytes": program.architecture.tiles.count * sum(program.local_bytes.values()),
        "remote_bytes": sum(program.remote_bytes.values()),
        "cycles": run.cycles,
        "macs": macs,
        "skipped_macs": sum(phase.skipped_macs for phase in phases),
        "utilisation": macs / (run.cycles * run.lanes) if run.cycles else 0.0,
        "occupancy": sum(phase.fired for phase in phases) / elements if elements else 1.0,
        "moved.remote_bytes": moved,
        "moved.local_bytes": sum(phase.local_bytes for phase in phases),
        **{f"phase.{name}.cycles": phase.cycles for name, phase in run.phases.items()},
        **{f"stall.{cause}_cycles": cycles for cause, cycles in stalled.items()},
        **{f"unit.{name}.busy_cycles": unit.busy_cycles for name, unit in run.units.items()},
        **{f"energy.{component.replace(' ', '_')}_j": joules for component, joules in energy.items()},
        **{f"area.{component.replace(' ', '_').replace('-', '_')}_mm2": size for component, size in mm2.items()},
    }


def _beside_dense(run: Counters, dense: Counters) -> Row:
    return {"dense.cycles": dense.cycles, "dense.seconds": dense.seconds, "speedup": dense.cycles / run.cycles}


def _learned(trace: Trace) -> Row:
    """Return what training showed, empty where nothing was trained."""
    found = training_summary.summary(trace)
    return {column: found[name] for column, name in _LEARNED.items() if name in found}


def _workload(text: str) -> Workload:
    """Return the workload in a text of JSON."""
    return Workload.from_table(json.loads(text))


def _trace(name: str, content: bytes) -> Trace:
    """Return the trace in `content`, which another machine read from its file `name`."""
    with scratch_folder("deltatrain-trace-") as folder:
        copy = folder / "trace.npz"
        copy.write_bytes(content)
        try:
            return Trace.load(copy)
        except ConfigError as error:
            raise type(error)(str(error).replace(str(copy), name)) from None


def _digest(parts: list[Any]) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
