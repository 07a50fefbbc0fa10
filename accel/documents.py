"""TOML and JSON as a person or an earlier run wrote them, read strictly; JSON as any other program can read it.

What is read holds texts, truth values, numbers, lists and tables, nothing else: no dates, in TOML no integers beyond 64
bits (TOML 1.0 asks for no more) and no NUL in a text, no more than `MOST_LEVELS` tables in each other.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deltatrain.accel.errors import ConfigError, refuse

MOST_LEVELS = 32
"""How deep tables and lists may lie in each other."""

LOWEST_INT, HIGHEST_INT = -(2**63), 2**63 - 1
"""The integers that TOML, Parquet and int64 arrays can all hold."""

_MOST_SHOWN = 80  # characters of a value in a message


class NotTomlError(ConfigError):
    """A text that is not TOML at all."""


def toml_table(text: str, source: str) -> dict[str, Any]:
    """Return the table in a TOML text.

    Parameters
    ----------
    text
        The TOML.
    source
        Where it came from, named in errors.

    Raises
    ------
    NotTomlError
        If it is not TOML.
    ConfigError
        If it holds what no description holds, with a line for each such value.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotTomlError(f"{source} is not TOML: {shown(str(error), quoted=False)}") from None
    except RecursionError:
        raise ConfigError(f"{source} has tables or lists more than {MOST_LEVELS} deep in each other") from None
    except ValueError:  # Python converts integers up to some thousand digits only
        raise ConfigError(f"{source} has an integer beyond 64 bits") from None
    refuse(f"{source}: {fault}" for fault in _faults(table))
    return table


def json_value(content: bytes) -> Any:
    """Return what JSON in UTF-8 says.

    Raises
    ------
    ValueError
        If it is not JSON, or holds NaN, an infinity, or more than `MOST_LEVELS` tables in each other.
    """
    try:
        value = json.loads(content.decode(), parse_constant=_no_number)
    except RecursionError:
        raise ValueError(f"more than {MOST_LEVELS} deep") from None
    if content.count(b"{") + content.count(b"[") > MOST_LEVELS and any(
        level > MOST_LEVELS for _, _, level in _values(value)
    ):
        raise ValueError(f"more than {MOST_LEVELS} deep")
    return value


def json_text(value: Any, indent: int | None = None, separators: tuple[str, str] | None = None) -> str:
    """Return `value` as JSON. NaN and infinities, which JSON has no words for, become null."""
    try:
        return json.dumps(value, indent=indent, separators=separators, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), indent=indent, separators=separators, ensure_ascii=False, allow_nan=False)


def read_text(path: Path) -> str:
    """Return the UTF-8 text in the file `path`, without a mark of its order of bytes.

    A file that cannot be read, or is no text, is a `ConfigError`.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} cannot be read: it is not UTF-8 text") from None
    except ValueError:
        raise ConfigError(f"{shown(str(path))} cannot be read: a path has no NUL") from None


def shown(value: Any, quoted: bool = True) -> str:
    """Return a value as a message shows it: on one line, cut where it is long."""
    try:
        text = repr(value) if quoted else str(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, a table that is thousands deep
        text = f"a {type(value).__name__} too long to show"
    text = " ".join(text.split())
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _values(value: Any) -> Iterator[tuple[str, Any, int]]:
    """Yield each value in a document with its dotted path and how deep it lies, not below `MOST_LEVELS` + 1."""
    waiting: list[tuple[str, Any, int]] = [("", value, 0)]
    while waiting:
        path, one, level = waiting.pop()
        yield path, one, level
        if isinstance(one, dict | list) and level <= MOST_LEVELS:
            entries = list(one.items() if isinstance(one, dict) else enumerate(one))
            waiting += [(f"{path}.{key}" if path else str(key), inner, level + 1) for key, inner in reversed(entries)]


def _faults(table: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each value that no description holds, behind its dotted path."""
    for path, value, level in _values(table):
        where = shown(path, quoted=False)
        if level > MOST_LEVELS:
            yield f"{where} must not be more than {MOST_LEVELS} tables or lists deep"
        elif "\0" in path.rpartition(".")[2]:
            yield f"{where} must not have a NUL in its name"
        elif isinstance(value, str):
            if "\0" in value or not _encodes(value):
                yield f"{where} must be a text without NUL or halves of characters, not {shown(value)}"
        elif isinstance(value, int):
            if not LOWEST_INT <= value <= HIGHEST_INT:
                yield f"{where} must be an integer of 64 bits, not {shown(value)}"
        elif not isinstance(value, dict | list | float):
            yield f"{where} must be a number, a text, a list or a table, not a {type(value).__name__} ({value})"


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value
