"""The command line; `main` is what the command `deltatrain` runs."""

from sim.cli.application import main

__all__ = ["main"]
