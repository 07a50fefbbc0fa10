"""How an operation of the driver can fail: each way has a name, and in C a number (``deltatrain.h``)."""

from __future__ import annotations

__all__ = [
    "AbortedError",
    "BusError",
    "BusyError",
    "DriverError",
    "DriverTimeoutError",
    "IdentityError",
    "ProgramError",
]


class DriverError(Exception):
    """Any of them."""


class IdentityError(DriverError):
    """The machine is another one than the program is for, or its registers or programs are of another version."""


class BusError(DriverError):
    """The bus of the registers, or the memory, answered with an error."""


class ProgramError(DriverError):
    """The machine did not understand its program."""


class AbortedError(DriverError):
    """The run was aborted."""


class BusyError(DriverError):
    """Something else runs, and nothing was written where it works."""


class DriverTimeoutError(DriverError):
    """The machine did not come to an end in time; it still runs."""
