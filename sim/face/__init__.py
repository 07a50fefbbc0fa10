"""deltatrain: what it costs to train a recurrent network that computes on changes only, cycle by cycle."""

from __future__ import annotations

from deltatrain.accel.version import VERSION

__all__ = ["__version__"]

__version__ = VERSION
