"""The two tests of every file of proofs: the claims about its subjects hold, and each of them can be broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest
from mutants import assert_each_can_break
from proving import Claims, assert_proved

__all__ = ["Subjects", "proofs"]

Subjects = Mapping[Callable[[type], Claims], tuple[type, Sequence[tuple[str, str]]]]
"""By what makes the claims about a component: the component, and its faults as `assert_each_can_break` takes them."""


def proofs(subjects: Subjects) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the two tests for `subjects`, to be named in the file that proves them."""
    each = pytest.mark.parametrize("claims_of", subjects, ids=lambda claims_of: claims_of.__name__)

    @each
    def holds(claims_of: Callable[[type], Claims]) -> None:
        assert_proved(claims_of(subjects[claims_of][0]))

    @each
    def can_break(claims_of: Callable[[type], Claims]) -> None:
        assert_each_can_break(claims_of, *subjects[claims_of])

    return holds, can_break
