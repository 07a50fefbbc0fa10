"""Text for language models, as Penn Treebank and WikiText have it: a file for each part, words between spaces.

T. Mikolov's Penn Treebank (`ptb.train.txt`, ...) and S. Merity et al., arXiv:1609.07843 (`wiki.train.tokens`, ...).
A line's end is the word "<eos>"; a word's number is the place of its first appearance in the training part.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.documents import read_text, shown
from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.columns import Columns
from deltatrain.workloads.data.found import Tokens
from deltatrain.workloads.tasks import Wanted

LAYOUT = "a folder with [NAME.]train.{txt,tokens}, and valid and test likewise"
FRONT_END = "raw"
WANTS: tuple[Wanted, ...] = ("classes", "step_classes")
END, UNKNOWN = "<eos>", "<unk>"

_PARTS = ("train", "valid", "test")
_SUFFIXES = ("txt", "tokens")


def fits(path: Path) -> bool:
    """Tell by the training file in a folder."""
    return path.is_dir() and bool(_named(path, "train"))


def collect(path: Path, columns: Columns, wants: Wanted = "classes") -> Tokens:
    """Return the words of the three parts as numbers. A word that does not train is "<unk>", if that one does."""
    if not path.is_dir():
        raise ConfigError(f"{path} is a file; accepted is {LAYOUT}")
    files = [_file(path, part) for part in _PARTS]
    lines = [[[*line.split(), END] for line in _lines(read_text(file))] for file in files]
    for file, some in zip(files, lines, strict=True):
        if not some:
            raise ConfigError(f"{file} is empty; at least one line is needed")
    vocabulary = tuple(dict.fromkeys(word for line in lines[0] for word in line))
    number = {word: place for place, word in enumerate(vocabulary)}
    return Tokens(vocabulary, *(_numbers(some, number, file) for some, file in zip(lines, files, strict=True)))


def _lines(text: str) -> list[str]:
    """Return the lines of a text; nothing but a line feed ends one."""
    return text.removesuffix("\n").split("\n") if text else []


def _numbers(lines: list[list[str]], number: dict[str, int], file: Path) -> NDArray[np.int64]:
    unknown = number.get(UNKNOWN, -1)
    found = np.array([number.get(word, unknown) for line in lines for word in line], np.int64)
    if len(found) and found.min() < 0:
        at, word = next((at, word) for at, line in enumerate(lines, 1) for word in line if word not in number)
        raise ConfigError(
            f"{file}, line {at}: found {shown(word)}, which is not in the training part, and neither is {UNKNOWN!r}"
        )
    return found


def _named(path: Path, part: str) -> list[Path]:
    patterns = [f"{prefix}{part}.{suffix}" for prefix in ("", "*.") for suffix in _SUFFIXES]
    return sorted(file for pattern in patterns for file in path.glob(pattern))


def _file(path: Path, part: str) -> Path:
    found = _named(path, part)
    if len(found) != 1:
        names = f" ({', '.join(file.name for file in found)})" if found else ""
        raise ConfigError(f"{path} has {len(found)} files of the part {part!r}{names}; accepted is {LAYOUT}")
    return found[0]
