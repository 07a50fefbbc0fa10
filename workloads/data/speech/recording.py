"""From lines to features: spoken, heard in a room, analysed; many at a time, each the same whatever the others are."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.data.fetching import Progress
from deltatrain.workloads.data.speech.casting import Line
from deltatrain.workloads.data.speech.filterbank import log_mel
from deltatrain.workloads.data.speech.room import Room, recorded
from deltatrain.workloads.data.speech.synthesis import SAMPLE_RATE_HZ, Synthesiser, synthesisers

_REPORT_EVERY = 50


def features_of(
    lines: Sequence[Line], recipe: dict[str, Any], progress: Progress | None = None
) -> list[NDArray[np.float32]]:
    """Return the log-mel features of each line heard in a room, shape (frames, channels), in the order of `lines`.

    Raises
    ------
    ConfigError
        When the speech synthesiser cannot be had or fails.
    """
    room = Room(**{name: tuple(span) for name, span in recipe["room"].items()})

    def heard(line: Line, sound: NDArray[np.float64]) -> NDArray[np.float32]:
        random = np.random.default_rng([recipe["seed"], line.number])
        return log_mel(recorded(sound, SAMPLE_RATE_HZ, room, random), SAMPLE_RATE_HZ)

    return analysed(lines, heard, "synthesising spoken commands", progress)


def analysed(
    lines: Sequence[Line],
    analyse: Callable[[Line, NDArray[np.float64]], NDArray[np.float32]],
    what: str,
    progress: Progress | None = None,
) -> list[NDArray[np.float32]]:
    """Return what `analyse` makes of the sound of each line, in the order of `lines`.

    Each processor has a speech process, driven by a thread of this one, which does the rest of the work on its sound;
    NumPy's transforms let other threads run meanwhile.

    Parameters
    ----------
    lines
        What is said.
    analyse
        Gets a line and its sound at `SAMPLE_RATE_HZ`; the result must not depend on anything else.
    what
        What progress is told, such as "synthesising spoken commands".
    progress
        Told now and then the share that is done.

    Raises
    ------
    ConfigError
        When the speech synthesiser cannot be had or fails.
    """
    workers = os.cpu_count() or 1
    with synthesisers(workers, progress) as voices, ThreadPoolExecutor(workers) as threads:
        idle: SimpleQueue[Synthesiser] = SimpleQueue()
        for voice in voices:
            idle.put(voice)

        def record(line: Line) -> NDArray[np.float32]:
            voice = idle.get()
            try:
                sound = voice.say(line.utterance)
            finally:
                idle.put(voice)
            return analyse(line, sound)

        jobs = [threads.submit(record, line) for line in lines]
        try:
            for done, job in enumerate(as_completed(jobs), 1):
                job.result()
                if progress and (done % _REPORT_EVERY == 0 or done == len(jobs)):
                    progress(what, done / len(jobs))
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
        return [job.result() for job in jobs]
