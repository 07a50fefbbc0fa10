"""What a simulation found, and its file."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from deltatrain.accel import spikes_cut
from deltatrain.accel.counters import Counters, Starved
from deltatrain.accel.description import Count, NonNegativeFloat
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.footing import footing
from deltatrain.accel.glance import Glance
from deltatrain.accel.kept import Kept
from deltatrain.accel.latency import Latency
from deltatrain.accel.origin import (
    ANOTHER_WORKLOAD,
    BESIDE,
    DESCRIBED,
    IN_INTEGERS,
    MEASURED,
    MODELLED,
    NO_DENSE,
    figure_title,
    figures_in,
    origin_of,
    origin_of_learned,
    recorded_words,
)
from deltatrain.accel.own_computer import OwnComputer
from deltatrain.accel.quantity import figure_words, quantity, times
from deltatrain.accel.training_shown import check_shown
from deltatrain.accel.weight_moves import WeightMoves

SCHEMA: Literal[2] = 2
"""Version 2 has areas, and says what is not priced; version 1 is read as one that knows neither."""


def _none(field: tuple[object, ...]) -> bool:
    """Tell whether nothing was measured, so that the field is left out."""
    return not field


def _is_none(field: object) -> bool:
    """Tell whether there is nothing of the kind, so that the field is left out."""
    return field is None


class Result(Kept):
    """What one simulation of a workload on a machine found, beside the same workload with every delta fired.

    Attributes
    ----------
    schema_version
        Version of this file's layout.
    workload, architecture
        The two descriptions, as tables.
    fidelity
        How the cycles were found.
    counters, dense
        Of the recorded training step, and of the same step with every column fired; the latter may be left out.
    energy_j, dense_energy_j
        By component, from action counts and the energy table named in the architecture; modelled, not measured.
    area_mm2
        Area of the machine by component, from published areas of memories and arithmetic.
    not_priced
        What the sums of ``energy`` and of ``area`` do not include.
    mixed_nodes
        Which of the prices of ``energy`` and of ``area`` are of different process nodes; empty where all are of one.
    held_bytes
        Cycles of the recorded step, and the bytes of tapes and states in local memory from each on, sampled so that
        peaks stay; empty where the fidelity does not tell when, and where the tape lives off-chip.
    starved_cycles
        The lanes' cycles of stall cause "stream", by what they lacked; empty where the fidelity does not tell.
    latency
        Of the steps, where a forward pass runs alone; None otherwise, and where the fidelity does not tell when.
    own_computer
        What the same step takes on the computer that simulated it, where that was measured; else empty and left out.
    weight_moves
        What moving sparse weights between epochs takes, where the training's rule moves them; else None and left out.
    training
        What training the workload showed: accuracy and matrix operations; empty for a workload without training.
    provenance
        Versions, digests, seed, host seconds; under ``fired`` what decided which deltas fired (`accel.origin`).
    """

    CALLED: ClassVar[str] = f"a result of deltatrain (schema {SCHEMA})"

    schema_version: Literal[1, 2] = SCHEMA
    workload: dict[str, Any]
    architecture: dict[str, Any]
    fidelity: str
    counters: Counters
    dense: Counters | None = None
    energy_j: dict[str, NonNegativeFloat]
    dense_energy_j: dict[str, NonNegativeFloat] = Field(default_factory=dict)
    area_mm2: dict[str, NonNegativeFloat] = Field(default_factory=dict)
    not_priced: dict[Literal["energy", "area"], tuple[str, ...]] = Field(default_factory=dict)
    mixed_nodes: dict[Literal["energy", "area"], tuple[str, ...]] = Field(default_factory=dict)
    held_bytes: tuple[tuple[Count, Count], ...] = ()
    starved_cycles: dict[Starved, Count] = Field(default_factory=dict)
    latency: Latency | None = None
    own_computer: tuple[OwnComputer, ...] = Field(default=(), exclude_if=_none)
    weight_moves: WeightMoves | None = Field(default=None, exclude_if=_is_none)
    training: dict[str, Any]
    provenance: dict[str, Any]

    @model_validator(mode="after")
    def _shares_are_shares_and_counts_are_counts(self) -> Self:
        check_shown(self.training)
        return self

    @model_validator(mode="after")
    def _sums_close(self) -> Self:
        lanes = self.counters.units.get("engine")
        waited = lanes.stall_cycles.get("stream", 0) if lanes else 0
        starved = sum(self.starved_cycles.values())
        if self.starved_cycles and starved != waited:
            raise ValueError(f"the lanes lacked words for {starved} cycles, and waited for the stream for {waited}")
        if self.dense is None and self.dense_energy_j:
            raise ValueError("a dense run has an energy, but no counters")
        return self

    @property
    def runs(self) -> dict[str, Counters]:
        """The counters of the run ("delta") and, if it was made, of the dense run ("dense")."""
        return {"delta": self.counters} | ({} if self.dense is None else {"dense": self.dense})

    @property
    def speedup(self) -> float | None:
        """Cycles of the dense run over cycles of this one; None without a dense run."""
        return None if self.dense is None else self.dense.cycles / self.counters.cycles

    @property
    def footing(self) -> dict[str, str]:
        """What its numbers stand on."""
        return footing(self.fidelity, self.architecture.get("engine", {}), self.provenance)

    @property
    def caveat(self) -> str:
        """What every line that a person reads must say of the simulated step; empty where nothing needs to be said.

        Gates compute. Unless they had the recorded step's weights and inputs, they ran another workload than the one
        that the result is named after; so did all gates of versions that recorded no weights.
        """
        as_trained = self.fidelity != "rtl" or self.provenance.get("fired") == IN_INTEGERS
        return "" if as_trained else ANOTHER_WORKLOAD

    @property
    def simulated(self) -> str:
        """What was simulated: a training step, or a forward pass alone."""
        return "training step" if self.learns else "forward pass"

    @property
    def learns(self) -> bool:
        """Whether it is of a training step, and not of a forward pass alone."""
        return "phases" not in self.workload

    def __repr__(self) -> str:
        return self._glance().text()

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return self._glance().html()

    def _glance(self) -> Glance:
        """Return the headline, and where the cycles of each phase went."""
        run, origin = self.counters, origin_of(self.fidelity)
        took = f"{quantity(run.seconds, 's')}, {run.cycles:,} cycles at {quantity(run.clock_hz, 'Hz')}"
        moved = ", dense ".join(quantity(counters.remote.asked_bytes, "B") for counters in self.runs.values())
        gain = f"{times(self.speedup or 0)}, dense {quantity(self.dense.seconds, 's')}" if self.dense else NO_DENSE
        facts = [("time", took, origin), ("speed-up", gain, origin), ("off-chip traffic", moved, origin)]
        if self.latency:
            mean, worst = (quantity(of(run.clock_hz), "s") for of in (self.latency.mean_s, self.latency.worst_s))
            facts.append(("latency", f"{mean} a step, worst {worst}", origin))
        if self.energy_j:
            spent = (self.energy_j, self.dense_energy_j)[: len(self.runs)]
            facts.append(("energy", ", dense ".join(quantity(sum(one.values()), "J") for one in spent), MODELLED))
        facts.extend((f"on {own.words}", quantity(own.seconds, "s"), MEASURED) for own in self.own_computer)
        if words := recorded_words(self.workload):
            facts.append(("deltas", words, DESCRIBED))
        found = self.training
        for name in figures_in(found):
            how = MEASURED if name.startswith(BESIDE) else origin_of_learned(found)
            facts.append((figure_title(name, found), figure_words(name, found[name]), how))
        if (cut := spikes_cut.told(self.training)) is not None:
            facts.append((spikes_cut.SPIKES_CUT, cut, MEASURED))
        if "doubt" in self.training:
            facts.append(("doubt", str(self.training["doubt"]), MEASURED))
        title = f"{self.workload.get('name')} on {self.architecture.get('name')}: one {self.simulated}, {self.fidelity}"
        title += f", {self.caveat}" if self.caveat else ""
        rows = [[name, *phase.at_a_glance(run.cycles)] for name, phase in run.phases.items() if phase.cycles]
        return Glance(title, facts, ("phase", "cycles", "share", "busy", "waits most for", "occupancy"), rows)

    def check_parts(self, several_tiles: bool) -> None:
        """Raise a `ConfigError` unless both runs have the units and phases that every run on a machine has."""
        units = {"encoder", "engine", "elementwise", *(["exchange"] if several_tiles else [])}
        for run in self.runs.values():
            if not units <= run.units.keys() or run.phases.keys() - {"RF"} != {"FP", "BP", "WG", "WU"}:
                raise ConfigError("the result is damaged: a unit or a phase is missing")
        if len({tuple(sorted(run.phases)) for run in self.runs.values()}) > 1:
            raise ConfigError("the result is damaged: its two runs have other phases")
