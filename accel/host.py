"""The host beside the machine, as data."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from deltatrain.accel.description import Description


class Host(Description):
    """What a machine's host adds to the time of a step.

    Attributes
    ----------
    request_s
        Seconds in which the host hands an input over and takes an output, beside the machine's own time. It is added to
        the latency of every step that runs forward alone (`accel.latency`), and to nothing else.
    """

    request_s: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 0.0


NO_HOST = Host()
