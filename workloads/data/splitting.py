"""Which sequences are trained with, which choose, and which are kept for the end: as published, by group, by share."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from deltatrain.accel.description import Description, NonNegativeInt
from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.found import TEST, TRAIN, VALIDATION, Found

PartShare = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]


class Split(Description):
    """How sequences are parted.

    Attributes
    ----------
    by
        "published" takes the parts that the data come with; "group" keeps whole groups, such as speakers, out of
        training; "share" draws sequences, equally many of each class. Left out, it is the first of them that the data
        have.
    test
        Share of the groups or sequences that is kept for the end, unless the test part is published.
    validation
        Share of the groups or sequences that chooses, such as the best epoch, unless that part is published; taken out
        of training. 0 leaves the part out, one that is published too if `by` is not "published".
    seed
        From which groups and sequences are drawn.
    """

    by: Literal["published", "group", "share"] | None = None
    test: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.2
    validation: PartShare = 0.0
    seed: NonNegativeInt = 2018

    def parts(self, found: Found, source: str) -> NDArray[np.int64]:
        """Return `TRAIN`, `VALIDATION` or `TEST` for each sequence, shape (N,).

        Parameters
        ----------
        found
            The sequences.
        source
            Where they come from, named in errors.

        Raises
        ------
        ConfigError
            If the data have not what the split is by, or a part would be empty.
        """
        by = self.by or _first_possible(found)
        groups = None if by == "share" else found.groups
        if by == "group" and groups is None:
            raise ConfigError(f'{source}: split.by is "group", and no group is known; accepted is "share"')
        if by == "published":
            parts = _published(found, source)
        else:
            parts = np.full(len(found), TRAIN, np.int64)
            parts[drawn(found.labels, groups, np.arange(len(found)), self.test, self.seed, source)] = TEST
        if self.validation and not (parts == VALIDATION).any():
            within = np.flatnonzero(parts == TRAIN)
            parts[drawn(found.labels, groups, within, self.validation, self.seed, source)] = VALIDATION
        wanted = {TRAIN: "training", TEST: "test"} | ({VALIDATION: "validation"} if self.validation else {})
        for part, name in wanted.items():
            if not (parts == part).any():
                raise ConfigError(
                    f"{source}: the {name} part is empty, of {len(found)} sequences; split.test and "
                    "split.validation must leave some in each part"
                )
        return parts


def drawn(
    labels: NDArray[np.int64],
    groups: NDArray[np.str_] | None,
    within: NDArray[np.int64],
    share: float,
    seed: int,
    source: str,
) -> NDArray[np.int64]:
    """Return a share of the sequences `within`: whole groups of them, or equally many of each class without groups.

    Raises
    ------
    ConfigError
        If there is one group alone.
    """
    random = np.random.default_rng(seed)
    if groups is None:
        order = random.permutation(within)
        of_class = [order[labels[order] == label] for label in np.unique(labels)]
        return np.concatenate([some[: round(share * len(some))] for some in of_class])
    names = np.unique(groups[within])
    if len(names) < 2:
        raise ConfigError(f"{source}: all sequences are of {str(names[0])!r}, so no group can be set apart")
    count = min(max(1, round(share * len(names))), len(names) - 1)
    return within[np.isin(groups[within], random.choice(names, count, replace=False))]


def _first_possible(found: Found) -> str:
    if found.parts is not None and (found.parts == TEST).any():
        return "published"
    return "share" if found.groups is None else "group"


def _published(found: Found, source: str) -> NDArray[np.int64]:
    if found.parts is None:
        raise ConfigError(f'{source}: split.by is "published", and the data say no parts; take "group" or "share"')
    return found.parts.copy()
