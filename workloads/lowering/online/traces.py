"""Which traces are not zero at each step, and the lists of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from deltatrain.workloads.lowering.lists import Lists, StreamLists
from deltatrain.workloads.recorded_step import RecordedStep


def ever_spiked(step: RecordedStep) -> RecordedStep:
    """Return a step whose masks tell of each element whether it has spiked by then, which is where its trace is not 0.

    A gradient-only neuron leaves no trace, so nothing else is listed.
    """
    steps = int(step.lengths.max(initial=0))
    valid = (np.arange(steps)[:, None] < step.lengths)[:, :, None]
    x, h = (
        tuple(np.logical_or.accumulate(mask, axis=0) & valid for mask in masks)
        for masks in (step.fired_x, step.fired_h)
    )
    return RecordedStep(step.epoch, step.update, step.lengths, x, h)


def behind(lists: Lists, traces: Lists) -> tuple[Lists, Lists]:
    """Return both with one array of entries, in which those of the traces lie behind the others."""
    columns, begin = np.concatenate([lists.columns, traces.columns]), len(lists.columns)

    def moved(streams: tuple[StreamLists, ...]) -> tuple[StreamLists, ...]:
        return tuple(replace(one, start=one.start + begin, asked_start=one.asked_start + begin) for one in streams)

    return (
        replace(lists, columns=columns),
        replace(traces, columns=columns, x=moved(traces.x), h=moved(traces.h)),
    )
