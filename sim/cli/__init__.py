"""The command line; `main` is what the command `deltatrain` runs."""

from deltatrain.sim.cli.application import main

__all__ = ["main"]
