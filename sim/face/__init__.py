"""deltatrain: what it costs to train a recurrent network that computes on changes only, cycle by cycle."""

from __future__ import annotations

__version__ = "0.1.0"
