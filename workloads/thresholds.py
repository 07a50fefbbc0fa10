"""Thresholds of a stream as a description has them: one number for all layers, or one for each."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from deltatrain.accel.description import NonNegativeFloat


def _kind(theta: object) -> str:
    return "tuple[float, ...]" if isinstance(theta, (list, tuple)) else "float"


# told apart before validation, so that a fault is reported for the form that was meant, not for both
Thresholds = Annotated[
    Annotated[NonNegativeFloat, Tag("float")]
    | Annotated[tuple[NonNegativeFloat, ...], Field(min_length=1), Tag("tuple[float, ...]")],
    Discriminator(_kind),
]
