"""Simulates a run's step again with each change by itself, and says what it then costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from deltatrain.accel.advice import Advice, Cost, Effect, digests_of
from deltatrain.accel.architecture import Architecture
from deltatrain.accel.description import with_overrides
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import AnyPath
from deltatrain.accel.origin import ANOTHER_WORKLOAD, FLOAT_FIGURES
from deltatrain.accel.result import Result
from deltatrain.sim import flow
from deltatrain.sim.advice.changes import Change, of_machine, of_network, of_statistics
from deltatrain.sim.output_folder import OutputFolder
from deltatrain.sim.progress import Progress, tell_nobody
from deltatrain.sim.run import chosen, simulate, untrained_trace
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload

ADVICE = "advice"
"""What the file, and the folder of networks that were trained for it, are called in a run's folder."""


def advise(
    folder: AnyPath, trace: AnyPath | None = None, *, train: bool = False, on_progress: Progress = tell_nobody
) -> Advice:
    """Return what would make a run cheaper: its step is simulated again with each change by itself.

    Nothing of it is guessed: every machine and every network is simulated, with the run's fidelity (`cycle` for
    `rtl`, whose cycles are the same). The dense twin is left out. The step as it is is simulated again, too: what is
    compared must be one step, at one state of code and prices.

    Parameters
    ----------
    folder
        What `run`, or `simulate` with a folder, wrote.
    trace
        The trace that was simulated, where it does not lie in the folder.
    train
        Whether networks with higher thresholds and with fewer weights are trained, too, which takes as long as the
        run's own training each time. Their traces stay in the folder ``advice``, so that an interrupted training goes
        on, and those that are there are simulated in any case, with their accuracy. A workload that is made of
        statistics needs none: there less fires.
    on_progress
        Told the stage, the share of it that is done, and what is being done.

    Raises
    ------
    ConfigError
        If the folder has no result, or there is no trace of it, or the trace's step costs anything else than the result
        says.
    """
    place = OutputFolder(Path(folder))
    result = Result.load(_result_in(place))
    path = Path(trace) if trace is not None else place.trace
    base = _base(result, place, path)
    on_progress("changes", 0.0, "none, the step as it is")
    machine, now = base.machine, base.cost(base.machine, base.trace)
    if differs := _difference(now, _cost(result)):
        raise ConfigError(
            f"{path if path.is_file() else 'the step'} is not what {place.result} is about, simulated again {differs}: "
            "name the trace that was simulated, or simulate it anew"
        )
    trials = [*_machines(base), *_networks(base, place.path / ADVICE, on_progress, train=train)]
    effects: list[Effect] = []
    refused: dict[str, str] = {}
    for number, trial in enumerate(trials):
        on_progress("changes", number / len(trials), trial.change)
        try:
            effects.append(Effect(change=trial.change, fields=trial.fields, cost=trial.cost()))
        except ConfigError as error:
            refused[trial.change] = str(error).splitlines()[0]
    on_progress("changes", 1.0, f"{len(effects)} simulated, {len(refused)} not possible")
    return Advice(
        workload=base.trace.workload.name,
        machine=machine.name,
        fidelity=result.fidelity,
        figure=next((name for name in FLOAT_FIGURES if name in result.training), ""),
        digests=digests_of(result),
        now=now,
        effects=tuple(effects),
        refused=refused,
    )


class _Base(NamedTuple):
    """What is changed, and how each change is simulated; `drawn` if gates drew the numbers of the step."""

    machine: Architecture
    trace: Trace
    fidelity: str
    drawn: bool

    def cost(self, machine: Architecture, trace: Trace) -> Cost:
        return _cost(simulate(machine, trace, fidelity=self.fidelity, dense=False))

    def untrained(self, workload: Workload) -> Trace:
        """Return the trace of a workload that is made of statistics, as the run would have simulated it."""
        trace = untrained_trace(workload)
        return _as_gates_draw(self.machine, trace) if self.drawn else trace


def _base(result: Result, place: OutputFolder, path: Path) -> _Base:
    """Return a run's machine and step; errors as for `advise`."""
    machine = Architecture.from_table(result.architecture, f"machine of {place.result}")
    trace, number = _trace(result, place, path), result.provenance.get("recorded_step")
    trace = replace(trace, recorded=(chosen(trace, number if isinstance(number, int) else -1),))
    drawn = result.provenance.get("fired") == ANOTHER_WORKLOAD
    trace = _as_gates_draw(machine, trace) if drawn else trace
    return _Base(machine, trace, "cycle" if result.fidelity == "rtl" else result.fidelity, drawn)


def _as_gates_draw(machine: Architecture, trace: Trace) -> Trace:
    from deltatrain.sim.fidelity.rtl import SEED
    from deltatrain.sim.gates.drawn_step import drawn_trace

    return drawn_trace(machine, trace, trace.recorded[-1], SEED)


def _difference(now: Cost, told: Cost) -> str:
    """Return what a step costs and what a result says, if that is not the same; else an empty text."""
    for what, unit in (("seconds", "s"), ("remote_bytes", "bytes off-chip"), ("energy_j", "J"), ("area_mm2", "mm²")):
        if (found := getattr(now, what)) != (said := getattr(told, what)):
            return f"it costs {found:.9g} {unit} and not {said:.9g}"
    return ""


def _result_in(place: OutputFolder) -> Path:
    """Return the file of a run's result; a `ConfigError` that says what such a folder is if there is none."""
    if place.result.is_file():
        return place.result
    raise ConfigError(f"{place.path} has no {place.result.name}: name a folder that `run`, or `simulate --out`, wrote")


class _Trial(NamedTuple):
    """A change, its fields as ``--set`` takes them, and what simulates it."""

    change: str
    fields: dict[str, Any]
    cost: Callable[[], Cost]


def _machines(base: _Base) -> Iterator[_Trial]:
    for change in of_machine(base.machine, learns=base.trace.workload.learns):

        def cost(change: Change = change) -> Cost:
            table = with_overrides(base.machine.model_dump(mode="json"), change.fields)
            return base.cost(Architecture.from_table(table), base.trace)

        yield _Trial(change.words, _prefixed("machine", change), cost)


def _networks(base: _Base, kept: Path, on_progress: Progress, *, train: bool) -> Iterator[_Trial]:
    """Yield the changes of the workload; those that are trained only if they may be, or their trace is `kept`."""
    workload = base.trace.workload
    for change in of_network(workload) if workload.synthetic is None else of_statistics(workload, drawn=base.drawn):
        table = with_overrides(workload.model_dump(mode="json", exclude_none=True), change.fields)
        changed = Workload.from_table(table)
        folder = kept / changed.digest()[:12]
        if changed.synthetic is None and not (train or OutputFolder(folder).trace.is_file()):
            continue

        def cost(changed: Workload = changed, folder: Path = folder) -> Cost:
            if changed.synthetic is not None:
                return base.cost(base.machine, base.untrained(changed))
            return base.cost(base.machine, _trained(changed, folder, on_progress))

        yield _Trial(change.words, _prefixed("workload", change), cost)


def _trained(workload: Workload, folder: Path, on_progress: Progress) -> Trace:
    """Return the trace of a network: what lies in the folder, or else it is trained there, from where that stopped."""
    kept = OutputFolder(folder).trace
    if kept.is_file():
        found = Trace.load(kept)
        if found.workload.digest() == workload.digest():
            return found
    return flow.train(workload, folder, resume=folder.is_dir(), on_progress=on_progress)


def _prefixed(whose: str, change: Change) -> dict[str, Any]:
    return {f"{whose}.{path}": value for path, value in change.fields.items()}


def _trace(result: Result, place: OutputFolder, path: Path) -> Trace:
    """Return the trace that a result was simulated from; errors as for `advise`."""
    workload = Workload.from_table(result.workload, f"workload of {place.result}")
    if path == place.trace and not path.is_file():
        if workload.synthetic is None:
            raise ConfigError(f"{place.path} has no {path.name}: name the trace that was simulated, too")
        return untrained_trace(workload)
    found = Trace.load(path)
    if found.workload.digest() != workload.digest():
        raise ConfigError(f"{path} is of another workload than {place.result}")
    return found


def _cost(result: Result) -> Cost:
    figures = [result.training[name] for name in FLOAT_FIGURES if name in result.training]
    return Cost(
        seconds=result.counters.seconds,
        remote_bytes=result.counters.remote.asked_bytes,
        energy_j=sum(result.energy_j.values()),
        area_mm2=sum(result.area_mm2.values()),
        figure=figures[0] if figures else None,
    )
