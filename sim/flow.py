"""The main job in its stages: recordings, training, trace, simulation, figures, and the files they leave."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError, refuse
from deltatrain.accel.files import AnyPath
from deltatrain.accel.origin import figure_title
from deltatrain.accel.quantity import figure_words
from deltatrain.accel.result import Result
from deltatrain.sim import run as simulator
from deltatrain.sim.capabilities import against_recorded, against_simulating
from deltatrain.sim.compiled_beside import memory_model_compiled_beside
from deltatrain.sim.fidelity import FIDELITIES, label
from deltatrain.sim.fitting import check_described
from deltatrain.sim.machine.timeline_files import Recorder, ScheduleKept
from deltatrain.sim.output_folder import OutputFolder, open_folder
from deltatrain.sim.progress import Progress, tell_nobody
from deltatrain.workloads import occupancy, training_summary
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.dataset import RECORDED, Dataset, title
from deltatrain.workloads.dataset import recordings_of as loaded_recordings
from deltatrain.workloads.lowering.limits import limits
from deltatrain.workloads.lowering.placement import Demand, Placed, place
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.machine_numbers import check_known, trained_on, with_numbers_of
from deltatrain.workloads.network_sizes import network_sizes
from deltatrain.workloads.tasks import TASKS
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload


def train(
    workload: Workload | AnyPath,
    out: AnyPath | None = None,
    *,
    on: Architecture | AnyPath | None = None,
    resume: bool = False,
    on_progress: Progress = tell_nobody,
) -> Trace:
    """Train a workload and return the trace of what fired, to be simulated on any machine.

    Parameters
    ----------
    workload
        A workload with a data set, its preset's name, or its TOML file.
    on
        The machine in whose numbers it is trained, its preset's name, or its TOML file. Without one it is trained in
        floating-point numbers, or as the workload says.
    out
        Folder for ``trace.npz``, ``training.json`` and, after each epoch, the state to resume from; made if it is not
        there. Without one nothing is written.
    resume
        Whether to go on from the state in `out`.
    on_progress
        Told the stage, the share of it that is done, and what is being done.

    Raises
    ------
    ConfigError
        If the workload has no data set to be trained on, the recordings cannot be had, the folder cannot be written or
        belongs to another workload, or the state to resume from is not this workload's.
    """
    workload = Workload.of(workload)
    if on is not None:
        workload = trained_on(workload, Architecture.of(on))
    if workload.synthetic is not None:
        raise ConfigError(f"workload {workload.name!r} is made of statistics: there is nothing to train, simulate it")
    check_known(workload)
    if resume and out is None:
        raise ConfigError("resume needs the folder `out`, where the state to go on from lies")
    recordings = recordings_of(workload.dataset, on_progress)
    if out is None:
        return _trained(workload, recordings, None, resume, on_progress)
    return _traced(workload, recordings, open_folder(Path(out), workload.name), resume, on_progress)


def train_and_simulate(
    workload: Workload,
    architecture: Architecture,
    fidelity: str,
    out: Path,
    *,
    resume: bool,
    progress: Progress,
    dense: bool = True,
    command: str = "",
) -> tuple[Result, Trace]:
    """Train, simulate, draw, and leave all files in `out`; errors as for `train` and `simulate_and_keep`."""
    workload = with_numbers_of(workload, architecture)
    refuse(against_simulating(architecture, workload, fidelity))
    check_described(architecture, workload, dense=dense)
    recordings = _recordings(workload, progress)
    placed = fitted(architecture, workload, recordings)
    refuse(against_simulating(architecture, workload, fidelity, off_chip=placed.remote_bytes))
    folder = open_folder(out, workload.name, architecture.name)
    with nullcontext() if recordings is None else memory_model_compiled_beside(architecture, fidelity):
        trace = _traced(workload, recordings, folder, resume, progress)
    return _simulated(architecture, trace, fidelity, folder, progress, dense=dense, command=command), trace


def simulate_and_keep(
    architecture: Architecture,
    trace: Trace,
    fidelity: str,
    out: Path | None,
    progress: Progress,
    engine: str | None = None,
    recorder: Recorder | None = None,
    *,
    dense: bool = True,
    command: str = "",
) -> Result:
    """Simulate a trace. With a folder `out` leave result, schedule, figures there, with a `recorder` its timelines.

    `engine`, `dense` and `command` are those of `sim.run.simulate`.

    Raises
    ------
    ConfigError
        If the workload does not fit the machine, the fidelity is not known, or the folder cannot be written.
    """
    observed = recorder is not None
    refuse(against_simulating(architecture, trace.workload, fidelity, engine=engine, observed=observed))
    refuse(against_recorded(trace, simulator.chosen(trace, -1), fidelity))
    folder = open_folder(out, trace.workload.name, architecture.name) if out else None
    return _simulated(architecture, trace, fidelity, folder, progress, engine, recorder, dense=dense, command=command)


def fitted(architecture: Architecture, workload: Workload, recordings: Recordings | None = None) -> Placed:
    """Return where the machine keeps the workload's matrices, before any training.

    Parameters
    ----------
    recordings
        The workload's data set; None for a synthetic one.

    Raises
    ------
    ConfigError
        If the machine cannot run such a workload.
    FitError
        If they do not fit. The tape may still not fit later: only a trace tells its size.
    """
    refuse(limits(architecture, workload))
    shape = shape_of(workload, recordings)
    return place(architecture, shape, Demand(inputs=0, tape=0, tape_slots=0, tape_buffer=0, loss=0, read=0))


def shape_of(workload: Workload, recordings: Recordings | None = None) -> Shape:
    """Return the shape of the workload's network; `recordings` as of `fitted`."""
    if recordings is not None:
        inputs, classes = recordings.train.features, recordings.classes
    else:
        assert workload.synthetic is not None
        inputs, classes = workload.synthetic.inputs, workload.synthetic.classes
    sizes = network_sizes(workload, inputs, classes)
    return Shape.of_workload(workload, sizes.features, classes, sizes.words)


def recordings_of(dataset: Dataset, progress: Progress) -> Recordings:
    """Return a workload's data set, fetched or synthesised when it is not in the cache folder.

    Raises
    ------
    ConfigError
        If it cannot be had, or nothing can be learned from it: it holds NaN, a part is empty, a label is of no class.
    """
    if dataset == RECORDED:
        raise ConfigError(f"dataset {RECORDED!r} is of a trace that was made of masks: there is nothing to train on")
    stage = f"data set {title(dataset)}"
    try:
        loaded = loaded_recordings(dataset, lambda what, share: progress(stage, share, what))
    except ConfigError as error:
        if type(error) is not ConfigError:
            raise
        raise ConfigError(f"{stage}: {error}") from None
    size = f"{len(loaded.train):,} training and {len(loaded.test):,} test recordings"
    progress(stage, 1.0, size)
    return loaded


def _recordings(workload: Workload, progress: Progress) -> Recordings | None:
    return None if workload.synthetic else recordings_of(workload.dataset, progress)


def _traced(
    workload: Workload, recordings: Recordings | None, folder: OutputFolder, resume: bool, progress: Progress
) -> Trace:
    if recordings is None:
        trace = simulator.synthetic_trace(workload)
        folder.make_way_for(trace)
    else:
        trace = _trained(workload, recordings, folder.state, resume, progress)
        folder.make_way_for(trace)
        epochs = [counts.table() for counts in trace.epochs]
        table = workload.model_dump(mode="json")
        folder.save_training(
            {
                "workload": table,
                "data_digest": trace.data_digest,
                "training": training_summary.summary(trace),
                "epochs": epochs,
            }
        )
    trace.save(folder.trace)
    return trace


def _trained(workload: Workload, recordings: Recordings, state: Path | None, resume: bool, progress: Progress) -> Trace:
    from deltatrain.workloads.training import training

    name = TASKS.load(workload.task).FIGURE

    def tell(at: training.Progress) -> None:
        figure = "" if at.figure is None else f", {name.replace('_', ' ')} {figure_words(name, at.figure)}"
        detail = f"epoch {at.epoch + 1} of {at.epochs}, loss {at.loss:.3f}{figure}"
        progress("training", at.update / at.updates, detail)

    done = training.train(workload, recordings, state_path=state, resume=resume, on_progress=tell)
    return done.trace(recordings)


def _simulated(
    architecture: Architecture,
    trace: Trace,
    fidelity: str,
    folder: OutputFolder | None,
    progress: Progress,
    engine: str | None = None,
    recorder: Recorder | None = None,
    *,
    dense: bool,
    command: str,
) -> Result:
    kept = ScheduleKept(recorder) if folder is not None and FIDELITIES.load(fidelity).OBSERVES else None
    progress("simulation", 0.0, "")
    result = simulator.simulate(
        architecture,
        trace,
        fidelity=fidelity,
        dense=dense,
        engine=engine,
        observe=kept or recorder,
        command=command,
        on_progress=lambda share: progress("simulation", share, ""),
    )
    progress("simulation", 1.0, label(result))
    if folder is not None:
        result.save(folder.result)
        folder.save_schedule(kept.found(result.counters) if kept is not None else {})
        _draw(result, trace, folder, progress)
    return result


def _draw(result: Result, trace: Trace, folder: OutputFolder, progress: Progress) -> None:
    from deltatrain.reports.figures import memory_traffic, phase_breakdown
    from deltatrain.reports.figures import occupancy as occupancy_figure

    setting = label(result)
    progress("figures", 0.0, "")
    folder.save_figure("phase_breakdown", phase_breakdown.draw(result, setting))
    progress("figures", 1 / 3, "")
    folder.save_figure("memory_traffic", memory_traffic.draw(result, setting))
    progress("figures", 2 / 3, "")
    figure = occupancy_figure.draw(
        occupancy.over_steps(trace.recorded[-1]),
        occupancy.over_epochs(trace.epochs),
        [counts.accuracy for counts in trace.epochs if counts.accuracy is not None],
        dense_epochs=int(np.sum([counts.dense for counts in trace.epochs])),
        workload=trace.workload.name,
        title=figure_title("accuracy", result.training),
    )
    folder.save_figure("occupancy", figure)
    progress("figures", 1.0, str(folder.figures))
