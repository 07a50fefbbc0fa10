"""Narrow signals for proofs, whose cost grows with bits that nothing depends on."""

from __future__ import annotations

import sys

import pytest

__all__ = ["narrow"]


def narrow(monkeypatch: pytest.MonkeyPatch, **bits: int) -> None:
    """Let constants of these names, such as ``INDEX_BITS``, have these values wherever `deltatrain.rtl` has them."""
    for name, module in list(sys.modules.items()):
        if name.startswith("deltatrain.rtl."):
            for constant, value in bits.items():
                if hasattr(module, constant):
                    monkeypatch.setattr(module, constant, value)
