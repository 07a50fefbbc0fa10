"""Host speed of lowering and simulation in CPU seconds of one core, the best of three.

The workload: one LSTM layer, H = I = 512, T = 100, 80 % of the deltas silent, one sample, forward, backward, weight
gradient and update: 629 million dense multiply-accumulates without the update. The machine: `edge` with 16 lanes, a
port of one word a cycle, 32 KiB for columns on their way and local memory for whatever is not placed off chip.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from host_speed import Figures
from programs import recorded_step
from tags_step_by_step import Tags

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cache_lookups import Asked, looked_up
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.column_cache import MOST_SINCE
from deltatrain.accel.program import PHASES, Program
from deltatrain.sim.dram.transfers import OnBursts
from deltatrain.sim.fidelity import analytic, cycle
from deltatrain.sim.machine.machine import Machine
from deltatrain.sim.speed.measures import lstm_machine
from deltatrain.sim.speed.reference import cpu_seconds
from deltatrain.workloads.lowering.alike_ops import program_of_alike
from deltatrain.workloads.lowering.alike_steps import fired_alike
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.shape import Shape

ROOT = Path(__file__).parents[2]
SHAPE = Shape(CELL_ARITHMETIC.load("lstm"), (512,), (512,), 10)
MOST_PEAK_BYTES = 500 * 10**6
STANDING_BYTES = 150 * 10**6
"""What is held whatever the number of steps: Python, NumPy and the compiler of the memory controller."""


def _program(steps: int, weights: str = "local", gradients: str = "local") -> Program:
    step = recorded_step(SHAPE, np.array([steps]), 0.2, 0)
    return lower(lstm_machine(weights, gradients), SHAPE, step, "last")


def test_the_workload_is_the_one_that_is_stated() -> None:
    ops = _program(100).ops
    recurrent = (ops.phase != PHASES.index("WU")) & (ops.dense_count * ops.rows > 10 * 600)
    dense_macs = int((ops.dense_count * ops.rows)[recurrent].sum())
    # Three products with W_h and two with W_x (nobody asks for the gradient of the data), the bias once each way.
    assert dense_macs == 4 * 512 * (3 * 512 * 99 + 2 * 512 * 100 + 2)


@pytest.mark.parametrize(
    ("weights", "gradients", "most", "repeats"),
    [("local", "local", 1, 3), ("remote", "local", 50, 2), ("remote", "remote", 150, 1)],
)
def test_cycle_fidelity(weights: str, gradients: str, most: float, repeats: int, figures: Figures) -> None:
    """Behind DRAM bursts count, of 16 bytes each on the 16 bits of `edge`: 8.4 million, with gradients 30.5."""
    program = _program(100, weights, gradients)
    cycle.count(_program(1, weights, gradients))  # what is compiled is compiled, or loaded
    what = f"LSTM 512 without its lowering, weights {weights}, gradients {gradients}"
    figures.at_most_references(most, what, lambda: cpu_seconds(lambda: cycle.count(program), repeats))


def test_columns_that_go_ahead(figures: Figures) -> None:
    """Beside columns that are asked for one by one, as for whoever watches the memory; short ones, of 512 bytes."""
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (13,), (64,), 10)
    machine = Architecture.named("edge").without_cache()
    program = lower(machine, shape, recorded_step(shape, np.array([40]), 1.0, 0), "last")

    def seconds(on_bursts: OnBursts | None) -> float:
        return cpu_seconds(lambda: Machine(program, on_bursts=on_bursts).run(), repeats=2)

    seconds(None)  # what is compiled is compiled, or loaded
    figures.at_most(0.5, "ahead / one by one", lambda: seconds(None) / seconds(lambda *_: None))


def test_tags_of_a_column_cache(figures: Figures) -> None:
    """Compiled, beside the same in Python: 300,000 lookups in the cache that `edge` has room for, all columns fired."""
    line = np.tile(np.arange(3000), 100)
    ends = np.arange(0, len(line) + 1, 3000)
    asked = Asked(ends[:-1], ends[1:], np.ones(len(ends) - 1, np.bool_), line, np.arange(len(line)))
    shape = 1290, 2

    def in_python() -> None:
        Tags(*shape, MOST_SINCE).go_through(asked)

    def compiled() -> None:
        looked_up(asked, 3000, shape, MOST_SINCE)

    compiled()  # what is compiled is compiled, or loaded
    figures.at_most(0.2, "tags, compiled / in Python", lambda: cpu_seconds(compiled) / cpu_seconds(in_python))


def test_analytic_fidelity_with_the_lowering(figures: Figures) -> None:
    step = recorded_step(SHAPE, np.array([100]), 0.2, 0)
    machine = lstm_machine("remote", "remote")

    def count() -> None:
        analytic.count(lower(machine, SHAPE, step, "last"))

    figures.at_most_references(0.5, "LSTM 512, analytic, lowering included", lambda: cpu_seconds(count))


def test_analytic_cost_is_that_of_reading_the_masks(figures: Figures) -> None:
    """Five million ops, of a hundred thousand steps of three layers of 64 whose masks are there."""
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (16, 64, 64), (64, 64, 64), 10)
    step, machine = recorded_step(shape, np.array([100_000]), 0.2, 0), lstm_machine("remote", "remote")

    def count() -> None:
        analytic.count(program_of_alike(machine, shape, fired_alike(step, shape, machine.engine, 1), "last"))

    figures.at_most_references(15, "100,000 steps", lambda: cpu_seconds(count, repeats=2))


@pytest.mark.parametrize(("weights", "few"), [("local", 100), ("remote", 50)])
def test_cost_grows_linearly_in_steps(weights: str, few: int, figures: Figures) -> None:
    def seconds(steps: int) -> float:
        return cpu_seconds(lambda: cycle.count(_program(steps, weights)), repeats=2)

    figures.at_most(5, f"four times the steps, weights {weights}", lambda: seconds(4 * few) / seconds(few))


# A process's ru_maxrss begins with what its parent held when it was made; VmHWM is its own (Linux, proc(5)).
_PEAK = """
import pathlib, re, resource, sys
sys.path[:0] = sys.argv[2:]
from test_simulator_speed import _program
from deltatrain.sim.fidelity import cycle
cycle.count(_program(int(sys.argv[1]), "remote"))
status = pathlib.Path("/proc/self/status")
own = re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text()) if status.exists() else None
print(own[1] if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("steps", [2000, pytest.param(10_000, marks=pytest.mark.long)])
def test_peak_memory(steps: int, figures: Figures) -> None:
    """In a process of its own, whose peak is its own; weights off chip, because their columns are the most there is."""
    folders = [str(ROOT), str(Path(__file__).parent), str(ROOT / "tests" / "support")]
    for first_or_all in (1, steps):  # the first run may compile, which takes more than the rest
        command = [sys.executable, "-c", _PEAK, str(first_or_all), *folders]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    figures.tell(f"peak memory at T = {steps:,}", int(ran.stdout) / 1024, "MiB")
    assert int(ran.stdout) * 1024 < MOST_PEAK_BYTES * steps / 10_000 + STANDING_BYTES * (steps < 10_000)
