"""A description that has a JSON file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from pydantic import ValidationError

from deltatrain.accel.description import Description
from deltatrain.accel.documents import json_value
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import AnyPath, replace_file


class Kept(Description):
    """A description that is written as JSON, and read again.

    `CALLED` says what a file is that holds one, behind "is not".
    """

    CALLED: ClassVar[str]

    def save(self, path: AnyPath) -> None:
        """Write it to `path` as JSON, whole or not at all."""
        replace_file(Path(path), (self.model_dump_json(indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: AnyPath) -> Self:
        """Return what is in the file `path`; a file that holds none is a `ConfigError` of one line."""
        try:
            return cls.model_validate(json_value(Path(path).read_bytes()))
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, ValidationError):
            raise ConfigError(f"{path} is not {cls.CALLED}, or it is damaged") from None
