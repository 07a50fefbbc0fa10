"""What the searches of Optuna share: a study that proposes a batch of points, and is told their outcomes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from deltatrain.sim.sweep.axis import Axis, Design
from deltatrain.sim.sweep.outcome import Outcome

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

    from deltatrain.sim.sweep.space import Space


class Learned:
    """A study under way.

    The sampler proposes every field for every point, also a field that is not varied there. It then learns in one space
    for all points; a value that is not used makes no difference.

    Parameters
    ----------
    space
        The space.
    sampler
        Of Optuna.
    batch
        Points asked for before any of them is told.
    """

    def __init__(self, space: Space, sampler: BaseSampler, batch: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space, self._batch = space, batch
        self._study = optuna.create_study(directions=["minimize"] * len(space.objectives), sampler=sampler)
        self._distributions = {path: _distribution(space.vary[path]) for path in space.order}
        self._waiting: list[Trial] = []
        self._told = 0
        self._worst = [0.0] * len(space.objectives)

    def ask(self) -> Design | None:
        """Return the next point of the batch; None until all of a batch are told."""
        if len(self._waiting) == self._batch:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna warns of features that it calls experimental
            trial = self._study.ask(self._distributions)
        self._waiting.append(trial)
        return self._design(trial)

    def tell(self, design: Design, outcome: Outcome) -> None:
        """Take the outcome of the point that waits longest.

        A point that could not be simulated breaks a constraint of its own. Its objectives are not known, and count as
        the worst seen so far, so that the study does not propose points like it.
        """
        trial, losses = self._waiting[self._told], outcome.losses
        trial.set_constraint("simulated", float(losses is None))
        if losses is not None:
            self._worst = [max(pair) for pair in zip(self._worst, losses, strict=True)]
            for number, excess in enumerate(outcome.excesses):
                trial.set_constraint(str(number), excess)
        self._study.tell(trial, self._worst if losses is None else losses)
        self._told += 1
        if self._told == len(self._waiting):
            self._waiting, self._told = [], 0

    def _design(self, trial: Trial) -> Design:
        design: Design = {}
        for path in self._space.order:
            axis = self._space.vary[path]
            if axis.varied(design):
                proposed = trial.params[path]
                design[path] = axis.choices[proposed] if axis.choices is not None else _whole(axis, proposed)
        return design


def _distribution(axis: Axis) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.choices is None:
        assert axis.low is not None and axis.high is not None
        return FloatDistribution(float(axis.low), float(axis.high), log=axis.scale == "log")
    if axis.ordered:
        return IntDistribution(0, len(axis.choices) - 1)  # the position in the list, as neighbours are alike
    return CategoricalDistribution(range(len(axis.choices)))


def _whole(axis: Axis, proposed: float) -> int | float:
    """Return a draw from a continuous range as its ends are written: whole between whole numbers."""
    return round(proposed) if isinstance(axis.low, int) and isinstance(axis.high, int) else float(f"{proposed:.12g}")
