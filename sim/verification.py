"""Compares random training steps on gates with the golden model in every number, and with the laws in every cycle."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.errors import ConfigError, FitError, refuse
from deltatrain.accel.files import AnyPath
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.elementwise.cells import TIMETABLES, neuron_of
from deltatrain.rtl.limits import sparse_limits, spiking_limits
from deltatrain.rtl.tile import Tile
from deltatrain.rtl.tiles.tile_array import TileArray
from deltatrain.sim.capabilities import against_verifying
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.engines import Engine, engine_named
from deltatrain.sim.gates.golden import wrong_values
from deltatrain.sim.gates.layout import Layout
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import GatesResult, StepOnGates, tile_for
from deltatrain.sim.gates.step import NumberedStep
from deltatrain.sim.progress import Progress, tell_nobody

__all__ = ["Mismatch", "Verified", "differences", "verify"]

_STEPS = 4
_SAMPLES = 2
_SETS = 5
_SPARSE_EVERY = 3
_DRAWS = 32


class Mismatch(NamedTuple):
    """Where gates and model differ.

    Attributes
    ----------
    case
        Number of the case, from 0.
    cell
        Its cell.
    what
        One line: name, what was expected, what was found.
    waveform
        File with the waveforms of the case; None if nobody asked for one.
    """

    case: int
    cell: str
    what: str
    waveform: Path | None


class Verified(NamedTuple):
    """What was compared for one cell.

    Attributes
    ----------
    cell
        The cell.
    cases
        Training steps.
    ops, cycles
        Ops of all of them, and cycles of the gates.
    values
        Entries of W and dW that were compared.
    mismatch
        The first difference, at which comparing ended; None if there is none.
    """

    cell: str
    cases: int
    ops: int
    cycles: int
    values: int
    mismatch: Mismatch | None


def verify(
    architecture: Architecture | AnyPath,
    cells: str | Sequence[str] | None = None,
    *,
    cases: int = 20,
    seed: int = 0,
    engine: str | None = None,
    waveform: AnyPath | None = None,
    on_progress: Progress = tell_nobody,
) -> list[Verified]:
    """Run random training steps on a machine's gates, and return for each cell what was compared.

    Every third step has sparse weights, in compressed columns, where the machine's gates have them. Lists of spiking
    cells have a cap, on one tile. A step that does not fit the machine's memories is drawn again, some times.

    Comparing ends with the first value or counter that differs: it is the last cell's ``mismatch``.

    Parameters
    ----------
    architecture
        The machine, its preset's name, or its TOML file.
    cells
        Members of `accel.cells`; all that have gates on the machine if left out.
    cases
        Training steps of each cell, on the same gates but for sparse ones; a column cache that takes what is left has
        a few sets then.
    seed
        Of all that is drawn.
    engine
        What runs the gates: "amaranth", or "compiled", which is taken where the tools for it are there.
    waveform
        File ``.vcd`` for the waveforms of a case that differs. That case is run a second time for it.
    on_progress
        Told the share that is done, and the cell.

    Raises
    ------
    ConfigError
        If the gates cannot be built for the machine, or a cell has none.
    FitError
        If no step of many fits its memories.
    """
    if cases < 1:
        raise ConfigError(f"cases must be a positive integer, not {cases}")
    architecture = Architecture.of(architecture)
    cells = _cells_of(architecture) if cells is None else (cells,) if isinstance(cells, str) else cells
    for cell in cells:
        CELL_ARITHMETIC.load(cell)
    refuse(against_verifying(architecture, cells))
    architecture = _with_small_cache(architecture)
    runner = engine_named(engine)
    compared: list[Verified] = []
    for number, cell in enumerate(cells):
        on_progress("comparing", number / len(cells), f"{cell}, its gates are built")
        steps = [_case(architecture, cell, [seed, number, case]) for case in range(cases)]
        for found in _compared(cell, steps, runner, None if waveform is None else Path(waveform)):
            on_progress("comparing", (number + found.cases / cases) / len(cells), cell)
        compared.append(found)
        if found.mismatch is not None:
            break
    return compared


def _compared(cell: str, steps: Sequence[NumberedStep], engine: Engine, waveform: Path | None) -> Iterator[Verified]:
    """Run the steps on the same gates, and yield the counts so far after each. The first difference ends it.

    Those of compressed columns are others than those of whole ones, and so are those of other numbers off-chip.
    """
    kinds = [_number_bits(step) for step in steps]
    tiles = {kind: _tile([step for step, own in zip(steps, kinds, strict=True) if own == kind]) for kind in set(kinds)}
    found = Verified(cell, 0, 0, 0, 0, None)
    for step, kind in zip(steps, kinds, strict=True):
        found = _with_case(found, step, _run(StepOnGates(step, tiles[kind]), engine, None))
        if found.mismatch is not None:
            if waveform is not None:
                _run(StepOnGates(step), AmaranthSimulation, waveform)
                found = found._replace(mismatch=found.mismatch._replace(waveform=waveform))
            yield found
            return
        yield found


def _number_bits(step: NumberedStep) -> int:
    """Return the bits of the numbers of compressed columns, as far as the gates must have as many; 0 without."""
    if step.exist is None:
        return 0
    is_remote = any(tensor.remote for tensor in step.program.tensors)
    return Layout(step.program, step.shape, step.network.readout).sizes.number_bits if is_remote else 1


def _tile(steps: Sequence[NumberedStep]) -> Tile | TileArray:
    """Return gates that have room for all of the steps."""
    sizes = (Layout(step.program, step.shape, step.network.readout).sizes for step in steps)
    return tile_for(steps[0], functools.reduce(TileSizes.covering, sizes))


def differences(step: NumberedStep, ran: GatesResult) -> Iterator[str]:
    """Yield a line for each matrix that differs from the golden model, and each counter that differs from the law."""
    yield from wrong_values(step, ran)
    for name, value in cycle.count(step.program):
        if getattr(ran.counters, name) != value:
            yield f"{name} must be {value}, not {getattr(ran.counters, name)}"


def _cells_of(architecture: Architecture) -> list[str]:
    """Return the cells that have gates; none that spikes where the machine is one for deltas alone."""
    return [cell for cell in TIMETABLES.names() if not spiking_limits(architecture, cell, architecture.off_chip)]


def _with_small_cache(architecture: Architecture) -> Architecture:
    """Return a machine with a cache of a few sets if it takes what is left, as that differs from step to step."""
    described, cache = architecture.cache, architecture.column_cache
    if described is None or cache is None or cache.own_bytes is not None:
        return architecture
    small = described.model_copy(update={"bytes": _SETS * cache.ways * cache.line_bytes})
    return architecture.model_copy(update={"cache": small})


def _case(architecture: Architecture, cell: str, seed: list[int]) -> NumberedStep:
    """Return a random step, with sparse weights in every third case where that takes less room and has gates."""
    if seed[-1] % _SPARSE_EVERY == _SPARSE_EVERY - 1:
        density = float(np.random.default_rng([*seed, 1]).choice([0.05, 0.2, 0.4]))
        with contextlib.suppress(ConfigError):
            refuse(sparse_limits(architecture))
            sparse = _fitting(architecture, cell, seed, density)
            Layout(sparse.program, sparse.shape, sparse.network.readout)
            return sparse
    return _fitting(architecture, cell, seed)


def _fitting(architecture: Architecture, cell: str, seed: list[int], density: float = 1) -> NumberedStep:
    """Return a random step that fits the machine: the first of some draws that does; raise what the last lacks.

    Gates that move states off-chip refuse some widths by name, so those are drawn again, too.
    """
    lacking: ConfigError
    for draw in range(_DRAWS):
        step = _drawn(architecture, cell, [*seed, draw] if draw else seed, density)
        try:
            program = step.program  # is lowered here
            if architecture.checkpoint.runs_again:
                Layout(program, step.shape, step.network.readout)
        except ConfigError as error:
            if not (architecture.checkpoint.runs_again or isinstance(error, FitError)):
                raise
            lacking = error
        else:
            return step
    raise lacking


def _drawn(architecture: Architecture, cell: str, seed: list[int], density: float) -> NumberedStep:
    """Return a random step that fits a few words of each memory: its shape and thresholds are drawn too."""
    rng, lanes = np.random.default_rng(seed), architecture.engine.lanes
    layers, most = int(rng.integers(1, 3)), 2 * architecture.lanes + 1
    return random_step(
        architecture,
        cell,
        seed=int(rng.integers(1 << 32)),
        features=int(rng.integers(1, most + 1)),
        hidden=tuple(int(width) for width in rng.integers(1, most + 1, layers)),
        classes=int(rng.integers(1, lanes + 2)),
        lengths=tuple(int(steps) for steps in rng.integers(1, _STEPS + 1, rng.integers(1, _SAMPLES + 1))),
        thresholds=(int(rng.choice([0, 1, 8, 100])), int(rng.choice([0, 1, 8, 100, 1 << 20]))),
        readout=str(rng.choice(["last", "every"])),
        scale=float(rng.choice([0.02, 0.5, 1.0])),
        updates=bool(rng.integers(2)) or architecture.column_cache is not None,  # which keeps dW without them
        density=density,
        neuron=_neuron(cell, seed[:2]) if architecture.tiles.count == 1 else None,
    )


def _neuron(cell: str, seed: list[int]) -> LeakyNeuron | None:
    """Return the neuron of a spiking cell with a cap of its lists, one for all of its steps; None of other cells."""
    own = neuron_of(cell)
    share = float(np.random.default_rng([*seed, 2]).choice([0.3, 0.6]))
    return None if own is None else own.model_copy(update={"listed_share": share})


def _run(on_gates: StepOnGates, engine: Engine, waveform: Path | None) -> GatesResult:
    simulation = engine(on_gates.tile, stops=on_gates.stops, halts="finished", waveform=waveform)
    try:
        return on_gates.run(simulation)
    finally:
        simulation.close()


def _with_case(found: Verified, step: NumberedStep, ran: GatesResult) -> Verified:
    """Return `found` with one more case."""
    what = next(differences(step, ran), None)
    return Verified(
        cell=found.cell,
        cases=found.cases + 1,
        ops=found.ops + len(step.program.ops),
        cycles=found.cycles + ran.counters.cycles,
        values=found.values + sum(matrix.size for matrix in ran.matrices.values()),
        mismatch=None if what is None else Mismatch(found.cases, found.cell, what, None),
    )
