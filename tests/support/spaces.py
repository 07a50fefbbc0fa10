"""Small spaces that the tests of sweeps share."""

from __future__ import annotations

from typing import Any

from deltatrain.accel.description import with_overrides


def tiny(**overrides: Any) -> dict[str, Any]:
    """Return a space of 60 points on the tiny machine, a fifth of which do not fit; ``search__kind`` names a field."""
    table = {
        "name": "tiny",
        "machine": "tiny",
        "workload": "tiny",
        "fidelity": "analytic",
        "vary": {
            "machine.engine.lanes": {"low": 1, "high": 16, "factor": 2},
            "machine.local.bytes": [1000, 4096, 65536],
            "machine.placement.weights": ["local", "remote"],
            "machine.placement.gradients": {
                "values": ["local", "remote"],
                "when": {"machine.placement.weights": "local"},
            },
            "workload.synthetic.occupancy_h": {"low": 0.2, "high": 0.6, "count": 2},
        },
        "objectives": {"seconds": "minimise", "local_bytes": "minimise"},
    }
    return with_overrides(table, {path.replace("__", "."): value for path, value in overrides.items()})
