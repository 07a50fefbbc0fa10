"""A tile with a column cache against the golden model and the law: every number, every cycle, every hit and miss."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from components import unelaborated
from gate_steps import check, compiled, large_tile, steps
from hypothesis import given, settings

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.export.files import exported
from deltatrain.sim.gates.layout import Layout
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import StepOnGates
from deltatrain.sim.machine.machine import Machine
from deltatrain.sim.memory.remote_memory import RemoteMemory
from deltatrain.sim.verification import verify

LOCAL = {"placement__weights": "local", "placement__gradients": "local"}
REMOTE = {"placement.weights": "remote", "placement.gradients": "remote"}
AT_ONCE = {"remote__device": "zero_latency", "dma__request_cycles": 0}


NARROW_GRADIENTS = {
    "engine__formats__weight": {"bits": 16, "fraction_bits": 12},
    "engine__formats__activation": {"bits": 4, "fraction_bits": 2},
    "engine__formats__gradient": {"bits": 4, "fraction_bits": 3},
    "engine__formats__weight_gradient_bits": 8,
    "dma__bytes_per_cycle": 8,
}
"""Two words of dW are as wide as one of W."""


def cached(sets: int, ways: int, line_bytes: int, **changes: object) -> Architecture:
    lines = {"cache.bytes": sets * ways * line_bytes, "cache.ways": ways, "cache.line_bytes": line_bytes}
    return Architecture.named("tiny", REMOTE | lines | {name.replace("__", "."): to for name, to in changes.items()})


@pytest.mark.parametrize(
    ("machine", "thresholds"),
    [
        (cached(5, 2, 32), (8, 8)),  # sets that are no power of two
        (cached(1, 1, 16, dma__buffer_bytes=128), (0, 0)),  # a line of one word, written and read again at once
        (cached(2, 3, 16, placement__gradients="local"), (0, 0)),
        (cached(5, 2, 32, **LOCAL), (0, 0)),  # nothing is looked up
        (cached(5, 2, 32, **NARROW_GRADIENTS), (0, 0)),
        (cached(5, 2, 32, dma__columns_in_flight=1), (8, 8)),
        (cached(2, 3, 16, cache__policy="reverse"), (100, 100)),  # 21 hits, where the policy "lru" has 18
    ],
)
def test_a_step_in_amaranth(machine: Architecture, thresholds: tuple[int, int]) -> None:
    check(random_step(machine, "rnn", seed=1, hidden=(5,), lengths=(3, 1), thresholds=thresholds), AmaranthSimulation)


def test_lines_come_from_a_memory_that_answers_at_once() -> None:
    step = random_step(cached(3, 2, 32, **AT_ONCE), "gru", seed=5, hidden=(3, 5), lengths=(3,), thresholds=(0, 0))
    check(step, AmaranthSimulation)


def test_columns_behind_many_ops_without_any_are_asked_for_in_the_cycle_of_the_law(monkeypatch) -> None:
    """Where nothing fires but biases, the fetch passes over ops one a cycle, faster than one is looked up."""
    asked, read = [], RemoteMemory.read

    def noted(memory, address, *further, **named):
        asked.append((memory._clock.cycle, address))
        read(memory, address, *further, **named)

    monkeypatch.setattr(RemoteMemory, "read", noted)
    never = (1 << 20, 1 << 20)
    step = random_step(cached(5, 2, 32), "rnn", seed=1, features=1, hidden=(1,), lengths=(6,), thresholds=never)
    check(step, AmaranthSimulation)
    of_gates = asked.copy()  # and, behind them, what `check` asks for to count by the law
    asked.clear()
    Machine(step.program, on_bursts=lambda *bursts: None).run()
    assert of_gates[: len(asked)] == asked


MOST = {"features": 6, "hidden": (7, 5), "classes": 4, "lengths": (4, 4)}


@compiled
@pytest.mark.parametrize(
    ("cell", "machine"),
    [
        ("gru", cached(7, 2, 32, dma__buffer_bytes=128)),
        # three words of dW, six of W
        pytest.param("lstm", cached(4, 4, 24, engine__formats__weight__bits=8), marks=pytest.mark.long),
        pytest.param("rnn", cached(1, 1, 16, **AT_ONCE), marks=pytest.mark.long),
        pytest.param("rnn", cached(16, 8, 64, dma__buffer_bytes=256), marks=pytest.mark.long),
        pytest.param("lstm", cached(3, 4, 32, cache__policy="reverse"), marks=pytest.mark.long),
    ],
)
def test_any_step_on_compiled_gates(cell: str, machine: Architecture) -> None:
    tile = large_tile(machine, cell, "last", MOST)

    @settings(max_examples=15)
    @given(steps(machine, cell, "last", MOST, updates=True))
    def run(step) -> None:
        check(step, CompiledSimulation, tile)

    run()


@pytest.mark.long
def test_the_bench_passes_in_icarus_and_finds_a_wrong_count(tmp_path: Path) -> None:
    if not shutil.which("iverilog"):
        pytest.skip("iverilog is not installed: the Verilog is not run through it")
    step = random_step(cached(5, 2, 32), "rnn", seed=2, hidden=(6,), lengths=(3, 2))
    for name, content in exported(step, AmaranthSimulation).items():
        (tmp_path / name).write_bytes(content)
    assert _in_icarus(tmp_path).startswith("PASS: ")
    bench = tmp_path / "tile_tb.v"
    hits = re.search(r'check\("looked_up.\[0\].hits", looked_up\[31:0\], 32\'d(\d+)\);', bench.read_text())
    assert hits is not None and int(hits[1]) > 0
    bench.write_text(bench.read_text().replace(hits[0], hits[0].replace(hits[1], str(int(hits[1]) + 1))))
    assert _in_icarus(tmp_path).startswith(f"FAIL: looked_up.[0].hits is {hits[1]}, not")


def _in_icarus(folder: Path) -> str:
    build = ["iverilog", "-g2001", "-o", "tile_tb.vvp", "tile_tb.v", "tile.v"]
    subprocess.run(build, cwd=folder, check=True)
    ran = subprocess.run(["vvp", "-N", "tile_tb.vvp"], cwd=folder, capture_output=True, text=True)
    return ran.stdout.strip()


def test_random_steps_are_verified_with_a_cache_that_takes_what_is_left() -> None:
    machine = Architecture.named("tiny", REMOTE | {"cache.bytes": "auto", "cache.ways": 2, "cache.line_bytes": 32})
    (found,) = verify(machine, "rnn", cases=2, engine="amaranth")
    assert (found.cases, found.mismatch) == (2, None)


def test_a_step_whose_gradients_would_stay_in_the_cache_is_refused() -> None:
    step = random_step(cached(5, 2, 32), "rnn", seed=1, hidden=(2,), lengths=(1,), updates=False)
    with pytest.raises(ConfigError, match="for a step without updates"):
        StepOnGates(step)


def test_a_tile_is_for_one_number_of_sets() -> None:
    step = random_step(cached(5, 2, 32), "rnn", seed=1, hidden=(2,), lengths=(1,))
    sizes = Layout(step.program, step.shape, "last").sizes
    with unelaborated(), pytest.raises(ConfigError, match="the tile is drawn for a cache of 6 sets"):
        Layout(step.program, step.shape, "last", sizes._replace(cache_sets=6))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cache__policy": "belady"}, "cache.policy must be 'lru' or 'reverse', not 'belady'"),
        (
            {"cache__policy": "reverse", "placement__weights": "local"},
            "with cache.policy = 'reverse' weights must be off-chip where gradients are",
        ),
    ],
)
def test_a_policy_without_gates_is_named(changes: dict[str, str], reason: str) -> None:
    step = random_step(cached(5, 2, 32, **changes), "rnn", seed=1, hidden=(2,), lengths=(1,))
    with pytest.raises(ConfigError, match=reason):
        StepOnGates(step)
