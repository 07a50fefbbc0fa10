"""Constructor checks of hardware components."""

from __future__ import annotations

import gc
import warnings

import pytest
from amaranth.hdl import UnusedElaboratable


def assert_refused(component, message, **arguments):
    """Assert that ``component(**arguments)`` raises ValueError with `message`.

    Amaranth warns of every component that is not elaborated, also of one whose constructor failed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        with pytest.raises(ValueError, match=message):
            component(**arguments)
        gc.collect()
