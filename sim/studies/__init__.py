"""Family: one file for each study of a published result; `Study` says what a member has."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from deltatrain.accel.family import ModuleFamily
from deltatrain.sim.studies._table import Progress, Row


class Study(Protocol):
    """A published result, measured again.

    Attributes
    ----------
    ABOUT
        What is asked, what was published and where.
    SETTINGS, SMALL_SETTINGS
        The whole study, and one that takes a minute; of the study's own type.
    """

    ABOUT: str
    SETTINGS: Any
    SMALL_SETTINGS: Any

    def rows(self, settings: Any, folder: Path, progress: Progress) -> list[Row]:
        """Return its table; work that is finished is kept in `folder` and not done again."""


STUDIES = ModuleFamily[Study]("deltatrain.sim.studies", "study", Study)
