"""Constructor checks of hardware components."""

from __future__ import annotations

import gc
import warnings
from contextlib import contextmanager

import pytest
from amaranth.hdl import UnusedElaboratable


def assert_refused(component, message, **arguments):
    """Assert that ``component(**arguments)`` raises ValueError with `message`.

    Amaranth warns of every component that is not elaborated, also of one whose constructor failed.
    """
    with unelaborated(), pytest.raises(ValueError, match=message):
        component(**arguments)


@contextmanager
def unelaborated():
    """Let components go that were made and not elaborated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        yield
        gc.collect()
