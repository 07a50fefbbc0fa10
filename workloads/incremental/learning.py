"""A whole course of incremental learning: tasks, recordings kept, decisions by the nearest mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from deltatrain.accel.errors import refuse
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.incremental import lesson as lessons
from deltatrain.workloads.incremental.course import Course, below, check_classes, in_order, of_class, of_first
from deltatrain.workloads.incremental.distillation import Teacher
from deltatrain.workloads.incremental.herding import herded
from deltatrain.workloads.incremental.lesson import Lesson
from deltatrain.workloads.incremental.nearest_mean import class_means, features_of, nearest
from deltatrain.workloads.network.network import Network, Parameters, from_flat
from deltatrain.workloads.network_sizes import network_sizes
from deltatrain.workloads.tables import BPTT
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.training import averaging
from deltatrain.workloads.training.evaluation import evaluate
from deltatrain.workloads.training.host_memory import reuse_freed_memory
from deltatrain.workloads.training.training import network_of, train
from deltatrain.workloads.workload import Workload

Kept = tuple[NDArray[np.int64], ...]
"""Of each class known, places of the recordings kept, the most telling first."""

Told = Callable[[int, int], None]
"""Told the task and its epoch that is done, both from 0."""


class Learnt(NamedTuple):
    """What was known after a task.

    Attributes
    ----------
    classes
        How many are known.
    accuracy
        Share of the test recordings of these classes whose nearest mean is that of their class.
    readout_accuracy
        Share that the read-out decides rightly.
    trace
        Of the task's training.
    passed_steps
        Steps of samples that only went forward: for the teacher, for herding and for the means.
    """

    classes: int
    accuracy: float
    readout_accuracy: float
    trace: Trace
    passed_steps: int


def first_task(first: Workload, course: Course, recordings: Recordings, folder: Path) -> Trace:
    """Return the training of the first task, which is kept in `folder`."""
    part = of_first(in_order(recordings, first.training.seed), course.known(recordings.classes)[0])
    return train(first, part, state_path=_path(first, part, folder), resume=True).trace(part)


def course_of(
    first: Workload,
    then: Workload,
    course: Course,
    recordings: Recordings,
    folder: Path,
    on_epoch: Told = lambda task, epoch: None,
) -> tuple[Learnt, ...]:
    """Learn all classes, task after task, and return what was known after each.

    Parameters
    ----------
    first, then
        How the first task and those after it learn: the same network, the same thresholds. The seed of `first` draws
        the order of the classes too.
    course
        Which classes come when.
    recordings
        Of all classes; a validation part is not used.
    folder
        Where every task is kept after each epoch. Started again, the course goes on from there, with the same bits.
    on_epoch
        Told after each epoch but those of the first task.

    Raises
    ------
    ConfigError
        If a workload learns otherwise, there are too few classes, a class has no training recording, or as of
        `workloads.training.training.train`.
    """
    refuse(limit for workload in (first, then) for limit in _limits(workload))
    reuse_freed_memory()
    with threadpool_limits(limits=1, user_api="blas"), np.errstate(all="ignore"):
        return _course(first, then, course, recordings, folder, on_epoch)


def _limits(workload: Workload) -> Iterator[str]:
    """Yield what incremental learning cannot do."""
    if workload.readout != "every" or workload.wants != "classes":
        yield "incremental learning is of classes, with readout = 'every': losses are of each step"
    if workload.training.rule != BPTT:
        yield f"training.rule must be {BPTT!r} for incremental learning, not {workload.training.rule!r}"
    if workload.training.class_weights is not None:
        yield "training.class_weights must be left out for incremental learning: classes become more"
    if workload.sparsity.density < 1:
        yield f"sparsity.density must be 1 for incremental learning, not {workload.sparsity.density}"
    if workload.training.machine_numbers is not None:
        yield "training.numbers must be 'float' for incremental learning: no machine distils"


def _course(
    first: Workload, then: Workload, course: Course, recordings: Recordings, folder: Path, on_epoch: Told
) -> tuple[Learnt, ...]:
    ordered = in_order(recordings, first.training.seed)
    known, *later = course.known(recordings.classes)
    check_classes(ordered, (known, *later)[-1])
    part = of_first(ordered, known)
    trained = train(first, part, state_path=_path(first, part, folder), resume=True)
    network, parameters = network_of(first, trained.sizes, first.training.epochs - 1), trained.parameters
    kept = _kept(network, parameters, ordered, (), course.of_each(known))
    found = [_learnt(network, parameters, ordered, kept, trained.trace(part), _herded_steps(ordered, 0, known))]
    for task, classes in enumerate(later, 1):
        lesson = _lesson(then, network, parameters, ordered, kept, classes)
        state = lessons.learned(lesson, folder, partial(on_epoch, task))
        passed = int(lesson.train.lengths[lesson.train.labels < len(kept)].sum())  # what the teacher sees
        passed += _herded_steps(ordered, len(kept), classes)
        network = network_of(then, lesson.sizes, then.training.epochs - 1)
        parameters = from_flat(averaging.evaluated(then.training, state.parameters, state.optimiser), lesson.sizes)
        kept = _kept(network, parameters, ordered, kept, course.of_each(classes))
        trace = Trace(then, ordered.train.features, classes, state.recorded, state.epochs, state.data_digest)
        found.append(_learnt(network, parameters, ordered, kept, trace, passed))
    return tuple(found)


def _lesson(
    then: Workload, network: Network, parameters: Parameters, ordered: Recordings, kept: Kept, classes: int
) -> Lesson:
    """Return the task of the classes from those kept up to `classes`."""
    train = ordered.train
    new = np.flatnonzero((train.labels >= len(kept)) & (train.labels < classes))
    part = train.take(np.concatenate([*kept, new]))
    teacher = Teacher(lessons.taught_by(network, parameters, part))
    sizes = network_sizes(then, train.features, classes)
    wider = lessons.widened(parameters, classes, then)
    return Lesson(then, sizes, wider, part, below(ordered.test, classes), teacher)


def _kept(network: Network, parameters: Parameters, ordered: Recordings, before: Kept, count: int) -> Kept:
    """Return so many recordings of each class: those kept before are cut, those of new classes are chosen."""
    kept = [places[:count] for places in before]
    for one in range(len(before), network.sizes.classes):
        places = of_class(ordered.train, one)
        kept.append(places[herded(features_of(network, parameters, ordered.train.take(places)), count)])
    return tuple(kept)


def _learnt(
    network: Network, parameters: Parameters, ordered: Recordings, kept: Kept, trace: Trace, passed: int
) -> Learnt:
    """Return what is known, decided by the means of the recordings kept."""
    exemplars = ordered.train.take(np.concatenate(kept))
    test = below(ordered.test, len(kept))
    means = class_means(features_of(network, parameters, exemplars), exemplars.labels, len(kept))
    right = nearest(features_of(network, parameters, test), means) == test.labels
    by_readout = evaluate(network, parameters, test).figure
    return Learnt(len(kept), float(right.mean()), by_readout, trace, passed + int(exemplars.lengths.sum()))


def _herded_steps(ordered: Recordings, known: int, classes: int) -> int:
    """Return the steps of all recordings of new classes, which herding sees."""
    train = ordered.train
    return int(train.lengths[(train.labels >= known) & (train.labels < classes)].sum())


def _path(first: Workload, part: Recordings, folder: Path) -> Path:
    return folder / f"{first.digest()}-{part.digest}.npz"
