"""Conflicts of single-ported banks: closed forms, a simulator of every cycle, and sums that close."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observers import KeptSpans
from programs import recorded_step, recordings, shapes

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.modes import MODES, outer, update
from deltatrain.accel.program import MODE_NAMES, UNITS, Program
from deltatrain.sim.fidelity import analytic, cycle
from deltatrain.sim.gates.random_step import random_step
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.matrix import lower_matrix
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.synthetic import uniform_masks

_SLOW = settings(max_examples=40)
_ALL_LOCAL = {"placement.weights": "local", "placement.gradients": "local", "local.bytes": 2**21}
BANKS = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 16])


def machine(banks: int, ports: int = 1, **changes: Any) -> Architecture:
    return Architecture.named("tiny", _ALL_LOCAL | {"local.banks": banks, "local.ports": ports} | changes)


def naive_ends(program: Program, starts: dict[int, int], banks: int) -> dict[int, int]:
    """Step through every cycle: writes that are due take their banks first, then the next word is read if it can be."""
    mode_of = [MODE_NAMES[mode] for mode in program.ops.mode.tolist()]
    due: dict[int, list[tuple[str, int]]] = {}
    ends, begin, taken = {}, {}, Counter[str]()
    for matrix in program.tensors:
        begin[matrix.name] = taken[matrix.kind]
        taken[matrix.kind] += sum(matrix.column_words)
    for op, start in sorted(starts.items(), key=lambda item: item[1]):
        named = [int(program.ops.tensor[op]), int(program.ops.second_tensor[op])]
        matrices = [program.tensors[index] for index in named if index >= 0]
        first = int(program.ops.list_start[op])
        words = [
            [
                ("dW" if m.name[0] == "d" else "W", (begin[m.name] + sum(m.column_words[:column]) + k) % banks)
                for m in matrices
            ]
            for column in program.columns[first : first + int(program.ops.count[op])].tolist()
            for k in range(matrices[0].column_words[column])
        ]
        now = start
        while words:
            written = due.get(now, [])
            if not any(bank in written for bank in words[0]):
                for bank, later in zip(words.pop(0), MODES.load(mode_of[op]).RETURN_CYCLES, strict=True):
                    due.setdefault(now + later, []).append(bank)
            now += 1
        ends[op] = max(now, start + 1)
    return ends


@given(st.integers(1, 200), BANKS)
@settings(max_examples=100)
def test_words_in_a_row_wait_as_the_closed_form_says(words: int, banks: int) -> None:
    """One cycle for every d words if the banks divide d, d if there is one bank, else none."""
    (distance,) = outer.RETURN_CYCLES
    fired = np.ones((1, words), dtype=bool)
    counted = cycle.count(lower_matrix(machine(banks), "outer", fired, 4))
    waits = (words - 1) // distance * (distance if banks == 1 else 1) * (distance % banks == 0)
    assert counted.units["engine"].stall_cycles.get("sram", 0) == waits
    assert counted.phases["WG"].stall_cycles.get("sram", 0) == waits
    assert counted.units["engine"].busy_cycles == words


@_SLOW
@given(st.data(), BANKS)
def test_every_op_ends_as_in_a_simulator_of_every_cycle(data: st.DataObject, banks: int) -> None:
    lanes = data.draw(st.integers(1, 5))
    described = machine(banks, **{"engine.lanes": lanes, "dma.buffer_bytes": 12 * lanes})
    shape = data.draw(shapes(12))
    program = lower(described, shape, data.draw(recordings(shape, 4)), "every")
    check_ends(program, banks)


@settings(max_examples=10)
@given(st.integers(0, 1 << 32), BANKS)
def test_so_do_ops_on_compressed_columns(seed: int, banks: int) -> None:
    sizes = {"features": 9, "hidden": (9, 7), "lengths": (3, 2), "density": 0.15}
    program = random_step(machine(banks), "gru", seed=seed, **sizes).program
    assert all(tensor.compressed for tensor in program.tensors if tensor.columns > 1)
    check_ends(program, banks)


def check_ends(program: Program, banks: int) -> None:
    kept = KeptSpans()
    counted = cycle.count(program, None, kept)
    back = {name for name in MODE_NAMES if MODES.load(name).RETURN_CYCLES}
    spans = {
        span.op: span
        for span in kept.spans[UNITS.index("engine")]
        if span.works and MODE_NAMES[program.ops.mode[span.op]] in back
    }
    ends = naive_ends(program, {op: span.start for op, span in spans.items()}, banks)
    assert {op: span.end for op, span in spans.items()} == ends
    lost = Counter[str]()
    for span in spans.values():
        lost.update(span.stall_cycles)
    assert set(lost) <= {"sram"} and lost["sram"] == counted.units["engine"].stall_cycles.get("sram", 0)
    assert analytic.count(program).cycles <= counted.cycles


@_SLOW
@given(st.data(), BANKS)
def test_two_ports_never_wait_and_are_never_slower(data: st.DataObject, banks: int) -> None:
    fired = uniform_masks(data.draw(st.integers(1, 6)), data.draw(st.integers(1, 30)), data.draw(st.floats(0, 1)), 1)
    rows = data.draw(st.integers(1, 30))
    one, two = (cycle.count(lower_matrix(machine(banks, ports), "outer", fired, rows)) for ports in (1, 2))
    assert two.cycles <= one.cycles and "sram" not in two.units["engine"].stall_cycles
    plain = cycle.count(lower_matrix(machine(1, 2), "outer", fired, rows))
    assert two.model_dump() == plain.model_dump(), "banks alone change no cycle"


@pytest.mark.parametrize("mode", ["matvec", "matvec_t"])
def test_what_is_only_read_never_waits(mode: str) -> None:
    fired = uniform_masks(5, 20, 0.5, 1)
    one, two = (cycle.count(lower_matrix(machine(1, ports), mode, fired, 30)) for ports in (1, 2))
    assert one.model_dump() == two.model_dump()


def test_the_distances_are_within_what_is_remembered() -> None:
    from deltatrain.sim.memory import banks

    assert max(*outer.RETURN_CYCLES, *update.RETURN_CYCLES) < banks._RING


def test_matrices_of_two_homes_are_refused() -> None:
    shape = Shape(CELL_ARITHMETIC.load("rnn"), (3,), (4,), 2)
    described = machine(2, **{"placement.weights": "remote"})
    program = lower(described, shape, recorded_step(shape, np.array([2]), 0.5, 1), "last")
    with pytest.raises(ConfigError, match=r"local\.ports = 1 has no law .* off-chip with the other in local"):
        cycle.count(program)
