"""What a long job tells while it runs."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float, str], None]
"""Told the stage, the share of it that is done (0 to 1), and what is being done."""


def tell_nobody(stage: str, share: float, detail: str) -> None:
    """Take a `Progress` that nobody watches."""
