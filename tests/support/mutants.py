"""Designs with one fault: a component whose source differs in one place."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from proving import Claims, broken

__all__ = ["assert_each_can_break", "mutant"]


def mutant(component: type, right: str, wrong: str) -> Any:
    """Return `component` as it would be if its module's source had `wrong` where it has `right`, once.

    Sizes that a test has changed in the module are changed in the mutant too.
    """
    module = sys.modules[component.__module__]
    assert module.__file__
    source = Path(module.__file__).read_text(encoding="utf-8")
    assert source.count(right) == 1, f"{right!r} stands {source.count(right)} times in {module.__name__}"
    twin = types.ModuleType(module.__name__)
    exec(compile(source.replace(right, wrong), module.__file__, "exec"), twin.__dict__)
    vars(twin).update({name: size for name, size in vars(module).items() if isinstance(size, int) and name.isupper()})
    return getattr(twin, component.__name__)


def assert_each_can_break(claims_of: Callable[..., Claims], component: type, faults: Iterable[tuple[str, str]]) -> None:
    """Assert that each claim of `claims_of` about `component` is broken by one of `faults`, and that all are needed.

    Parameters
    ----------
    claims_of
        Makes the claims about the component that it is given.
    component
        The right one.
    faults
        What stands in its module's source, and what stands there in the mutant.
    """
    unbroken = list(claims_of(component).claimed)
    for right, wrong in faults:
        found = broken(claims_of(mutant(component, right, wrong)), unbroken)
        assert found, f"{wrong!r} for {right!r} breaks none of {unbroken}"
        unbroken = [name for name in unbroken if name not in found]
    assert not unbroken, f"no fault breaks {unbroken}"
