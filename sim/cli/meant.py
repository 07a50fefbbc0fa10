"""An argument of the wrong kind, such as a machine where a trace is taken: what it is, and the command that was meant.

Asked only when a command has failed, for what it loads.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from inspect import signature
from pathlib import Path
from typing import NamedTuple

from deltatrain.accel.described import is_path
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.cli.choices import families
from deltatrain.sim.cli.describe import kind_of_file

TRACE, SPACE_FILE, RESULT_FOLDER, SWEEP_FOLDER = "trace", "space", "folder with a result", "folder of a sweep"
"""Kinds of files, beside those that are called like a family's member."""

_TAKES = {
    "on": {"machine"},
    "workload": {"workload"},
    "trace": {TRACE},
    "fidelity": {"fidelity"},
    "device": {"DRAM part"},
    "cell": {"cell arithmetic"},
    "dram trace": {"trace of memory requests"},
    "list family": {"family"},
    "describe name": {"machine", "workload"},
    "data name": {"data set"},
    "fpga machine": {"machine"},
    "study name": {"study"},
    "sweep space": {"space"},
    "front folder": {SWEEP_FOLDER},
    "compare one": {RESULT_FOLDER, SWEEP_FOLDER},
    "compare other": {RESULT_FOLDER, SWEEP_FOLDER},
    "report folder": {RESULT_FOLDER, SWEEP_FOLDER},
}
"""What a parameter takes in any command that has it; of one command alone where its word stands before."""

_SEEN_BY = {
    "machine": "describe {}",
    "workload": "describe {}",
    "data set": "data {}",
    "space": "sweep {}",
    "study": "study {}",
    "DRAM part": "dram --device {} --generate stream",
    TRACE: "simulate {}",
    RESULT_FOLDER: "report {}",
    SWEEP_FOLDER: "report {}",
}
"""The command for what no parameter of the command that was given takes."""


class Kind(NamedTuple):
    """What a word names, and the command that lists its like; a file has none."""

    name: str
    listed_by: str = ""


def meant(word: str, command: Callable[..., None], given: Mapping[str, object]) -> str | None:
    """Return the line about the first argument that is of another kind than its parameter takes; None without one.

    Parameters
    ----------
    word, command
        What the command is called, and its function.
    given
        Its arguments by parameter; those that it has no parameter for stand under "".
    """
    for parameter, value in given.items():
        taken = _taken(word, parameter)
        if taken is None or not isinstance(value, str | Path):
            continue
        kinds = list(_kinds(str(value)))
        if kinds and taken.isdisjoint(kind.name for kind in kinds):
            return _line(word, command, str(value), kinds)
    return None


def _taken(word: str, parameter: str) -> set[str] | None:
    """Return the kinds that a parameter of a command takes; None where they are not known."""
    return _TAKES.get(f"{word} {parameter}", _TAKES.get(parameter)) if parameter else set()


def _line(word: str, command: Callable[..., None], text: str, kinds: list[Kind]) -> str:
    said = " and ".join(f"{'an' if kind.name[0] in 'aeiou' else 'a'} {kind.name}" for kind in kinds)
    same = [one for kind in kinds for one in _same_command(word, command, text, kind)]
    others = [_SEEN_BY.get(kind.name, kind.listed_by).format(shlex.quote(text)) for kind in kinds]
    return f"{text} is {said}: {' or '.join(f'`deltatrain {one}`' for one in dict.fromkeys(same or others))}"


def _same_command(word: str, command: Callable[..., None], text: str, kind: Kind) -> Iterator[str]:
    """Yield the command that was given, with `text` where it takes such a thing, if it does."""
    parameters, quoted = signature(command).parameters, shlex.quote(text)
    needs_trace = "trace" in parameters and TRACE in (_taken(word, "trace") or ()) and kind.name != "workload"
    before = " TRACE" * needs_trace + " MACHINE" * ("machine" in parameters)
    for name, parameter in parameters.items():
        if kind.name not in (_taken(word, name) or ()):
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            yield f"{word} {quoted}"
        else:
            yield f"{word}{before} --{name} {quoted}"


def _kinds(text: str) -> Iterator[Kind]:
    """Yield what a word names: members of families, or what lies in a file or folder."""
    for name, family in families().items():
        if text in family.names():
            yield Kind(family.what, f"list {name}")
    path = Path(text)
    if text.endswith(".npz"):
        yield Kind(TRACE)
    elif is_path(text) and path.is_file():
        try:
            yield Kind(kind_of_file(path))
        except ConfigError:
            return
    else:
        yield from _kinds_of_folder(path)


def _kinds_of_folder(path: Path) -> Iterator[Kind]:
    from deltatrain.sim.gathering import RESULT
    from deltatrain.sim.sweep import manifest

    for kind, file in ((RESULT_FOLDER, RESULT), (SWEEP_FOLDER, manifest.NAME)):
        if (path / file).exists():
            yield Kind(kind)
