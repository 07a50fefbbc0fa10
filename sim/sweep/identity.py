"""What the rows of one journal share; rows that differ in any of it do not stand in one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Identity(NamedTuple):
    """What a sweep's points share, each part as a text or the digest of one.

    Attributes
    ----------
    version
        Of deltatrain.
    prices
        Of `accel.pricing.identity`.
    fidelity
        A member of the fidelities, and whether the dense twin is simulated too.
    machine, workload, traces
        What the points change.
    files
        The TOML files that tables and values name.
    """

    version: str
    prices: str
    fidelity: str
    machine: str
    workload: str
    traces: str
    files: str

    def differences(self, other: object) -> str:
        """Return in what `other`, as a journal's header tells it, is another sweep; empty if it is the same."""
        if not isinstance(other, Mapping) or other.keys() != self._asdict().keys():
            return "another machine, workload, fidelity or version of deltatrain"
        return " and of ".join(self._differences(other))

    def _differences(self, other: Mapping[str, object]) -> Iterator[str]:
        if other["version"] != self.version:
            yield f"version {other['version']} of deltatrain, not {self.version}"
        if other["prices"] != self.prices:
            yield "other prices (the energy tables, the memories' currents, or how they are applied, have changed)"
        if other["fidelity"] != self.fidelity:
            yield f"fidelity {other['fidelity']}, not {self.fidelity}"
        for part in ("machine", "workload"):
            if other[part] != getattr(self, part):
                yield f"another {part}"
        for part in ("traces", "files"):
            if other[part] != getattr(self, part):
                yield f"other {part}"
