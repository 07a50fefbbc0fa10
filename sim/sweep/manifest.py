"""The file beside a journal that says what was swept, from where, for what and how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.description import Description
from deltatrain.accel.documents import json_value
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import replace_file
from deltatrain.accel.footing import footing
from deltatrain.accel.pricing.nodes import mixed_nodes
from deltatrain.accel.version import VERSION
from deltatrain.sim.sweep.space import Bound, Direction, Space

NAME = "sweep.json"


class Searched(Description):
    """How well one search of a sweep did.

    Attributes
    ----------
    search
        A member of `sim.sweep.searches`.
    points, failed, feasible
        Different points looked at; those that could not be simulated; those that were and keep all constraints.
    front
        How many of its own points no other of them beats.
    hypervolume
        Hypervolume of its own points. Each objective is scaled: 0 is the best on the whole sweep's front, 1 the worst,
        1.1 the reference. None if no point of the sweep is feasible.
    """

    search: str
    points: int
    failed: int
    feasible: int
    front: int
    hypervolume: float | None


class Manifest(Description):
    """What the points in a folder have in common.

    Attributes
    ----------
    name, about, machine, workload, traces, fidelity, dense
        As in the space. Machine and workload have the names that stand in their descriptions.
    base
        The value that each varied field has at points where it is not varied.
    objectives, constraints
        By column.
    mixed_nodes
        As in `accel.result.Result`, of the machine that the points change.
    searches
        What has been looked at; empty until the sweep has ended.
    provenance
        Version of deltatrain, digests of what the points share, seed.
    formats
        The number formats of the machine that the points change, as its engine's table says them.
    """

    schema_version: int = 1
    name: str
    about: str
    machine: str
    workload: str | None
    traces: tuple[str, ...]
    fidelity: str
    dense: bool
    base: dict[str, Any]
    objectives: dict[str, Direction]
    constraints: dict[str, Bound]
    mixed_nodes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    searches: tuple[Searched, ...]
    provenance: dict[str, Any]
    formats: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(cls, space: Space, searches: tuple[Searched, ...], before: Manifest | None) -> Manifest:
        """Return the manifest of `space`. It keeps the fields that an earlier sweep in the same folder varied."""
        base = space.base
        fields = {path: base.value(path) for path in (*(before.base if before else ()), *space.vary)}
        if space.trace is not None or base.traces:
            fields = {path: base.traces[0][0] if path == "trace" else value for path, value in fields.items()}
        return cls(
            name=space.name,
            about=space.about,
            machine=base.machine["name"],
            workload=base.workload["name"] if base.workload else None,
            traces=tuple(name for name, _ in base.traces),
            fidelity=space.fidelity,
            dense=space.dense,
            base=fields,
            objectives=space.objectives,
            constraints=space.constraints,
            mixed_nodes=mixed_nodes(Architecture.from_table(base.machine)),
            searches=searches,
            provenance=_provenance(space),
            formats=base.machine["engine"]["formats"],
        )

    @property
    def footing(self) -> dict[str, str]:
        """What the numbers of the points stand on."""
        return footing(self.fidelity, {"formats": self.formats}, self.provenance)

    def save(self, folder: Path) -> None:
        """Write the manifest, whole or not at all."""
        replace_file(folder / NAME, (self.model_dump_json(indent=1) + "\n").encode())

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Return the manifest in `folder`.

        Raises
        ------
        ConfigError
            If there is none.
        """
        path = folder / NAME
        try:
            table = json_value(path.read_bytes())
        except FileNotFoundError:
            raise ConfigError(f"{folder} is not the folder of a sweep: it has no {NAME}") from None
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
        except ValueError:
            raise ConfigError(f"{path} is damaged: run the sweep again, its points are kept") from None
        return cls.from_table(table, str(path))


def _provenance(space: Space) -> dict[str, Any]:
    shared = space.base.identity
    digests = {f"{name}_digest": getattr(shared, name) for name in ("prices", "workload", "traces", "files")}
    return {"deltatrain": VERSION, "architecture_digest": shared.machine} | digests | {"seed": space.search.seed}
