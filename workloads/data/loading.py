"""From what a format found to recordings: the front end, the checks, the parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import ConfigError, unknown_name
from deltatrain.workloads.data import kept_features
from deltatrain.workloads.data.fetching import Progress
from deltatrain.workloads.data.found import TEST, TRAIN, VALIDATION, Found, numbered
from deltatrain.workloads.data.front_ends import FrontEnd
from deltatrain.workloads.data.recordings import Recordings, Sequences
from deltatrain.workloads.data.splitting import Split

_REPORT_EVERY = 50


def recordings_in(
    found: Found, front_end: FrontEnd, split: Split, name: str, source: str, progress: Progress | None = None
) -> Recordings:
    """Return the recordings, not standardised.

    Parameters
    ----------
    found
        The sequences as they stand.
    front_end
        What makes feature vectors of them.
    split
        How they are parted.
    name
        Of the data set.
    source
        Where it was found, named in errors.
    progress
        Told now and then the share that is done.

    Raises
    ------
    ConfigError
        If the front end is not for such sequences, a sequence is no good, or a part would be empty.
    """
    if found.kind not in front_end.ACCEPTS:
        accepted = " or ".join(front_end.ACCEPTS)
        raise ConfigError(
            f"{source}: front_end {front_end.name!r} takes {accepted}, and this data set has {found.kind}; "
            "dataset.front_end.name says another"
        )
    parts = split.parts(found, source)
    features = _kept_features(found, front_end, progress)

    def part(number: int) -> Sequences:
        chosen = np.flatnonzero(parts == number).tolist()
        values = [features[n] for n in chosen]
        lengths = np.array([len(steps) for steps in values], np.int64)
        if not found.targets:
            return Sequences(np.concatenate(values), lengths, found.labels[chosen])
        targets, stepwise = [found.targets[n] for n in chosen], found.wants.startswith("step")
        for n, target in zip(chosen, targets, strict=True):
            if stepwise and len(target) != len(features[n]):
                steps = len(features[n])
                raise ConfigError(f"{found.places[n]} has {len(target)} labels of steps, and {steps} steps")
        return Sequences(np.concatenate(values), lengths, (np.concatenate if stepwise else np.stack)(targets), stepwise)

    return Recordings(
        name,
        "its owner's",
        source,
        len(found.class_names),
        part(TRAIN),
        part(TEST),
        part(VALIDATION) if (parts == VALIDATION).any() else None,
        found.class_names,
    )


def of_classes(found: Found, wanted: tuple[str, ...], source: str) -> Found:
    """Return the sequences of some classes alone, numbered anew; an unknown class is a `ConfigError`."""
    for name in wanted:
        if name not in found.class_names:
            raise ConfigError(f"{source}: classes: {unknown_name('class', name, found.class_names)}")
    kept = [n for n, label in enumerate(found.labels) if found.class_names[label] in wanted]
    labels, names = numbered([found.class_names[found.labels[n]] for n in kept])
    return Found(
        found.kind,
        lambda n: found.read(kept[n]),
        labels,
        names,
        [found.places[n] for n in kept],
        None if found.groups is None else found.groups[kept],
        None if found.parts is None else found.parts[kept],
        [found.files[n] for n in kept] if found.files else (),
    )


def _kept_features(found: Found, front_end: FrontEnd, progress: Progress | None) -> list[NDArray[np.float32]]:
    """Return the feature vectors of each sequence, from the cache folder where there are many files."""
    if len(found.files) < kept_features.WORTH_KEEPING:
        return _features(found, front_end, progress)
    place = kept_features.place_of(found.files, front_end)
    made = kept_features.read(place)
    if made is None:
        made = _features(found, front_end, progress)
        kept_features.keep(place, made)
    return made


def _features(found: Found, front_end: FrontEnd, progress: Progress | None) -> list[NDArray[np.float32]]:
    """Return the feature vectors of each sequence, all of one width."""
    made: list[NDArray[np.float32]] = []
    for number, place in enumerate(found.places):
        try:
            one = front_end.features(found.read(number))
        except ValueError as error:
            raise ConfigError(f"{place}: front_end {front_end.name!r}: {error}") from None
        if not len(one):
            raise ConfigError(f"{place} has no steps; each sequence needs at least one")
        wrong = np.argwhere(~np.isfinite(one))
        if len(wrong):
            step, feature = wrong[0]
            raise ConfigError(
                f"{place}, step {step}, feature {feature}: found {one[step, feature]}, accepted are finite numbers"
            )
        if made and one.shape[1] != made[0].shape[1]:
            raise ConfigError(
                f"{place} has {one.shape[1]} features, and {found.places[0]} {made[0].shape[1]}; all must have as many"
            )
        made.append(one)
        if progress and (number % _REPORT_EVERY == 0 or number + 1 == len(found)):
            progress("reading", (number + 1) / len(found))
    return made
