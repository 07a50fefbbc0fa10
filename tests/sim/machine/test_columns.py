"""The column buffer's own rules; that its running ahead changes nothing is shown in `tests/agreement`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import architectures, cached_programs, programs
from request_log import machine_with_log

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.program import Program
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.machine.machine import Machine
from deltatrain.sim.machine.segments import FIRST_WORD, HELD_BYTES, WORDS, Segments
from deltatrain.workloads.lowering.matrix import lower_matrix
from deltatrain.workloads.synthetic import uniform_masks

_SLOW = settings(max_examples=60)


@_SLOW
@given(programs(widest=60))
def test_the_segments_of_an_op_are_its_columns_cut_so_that_two_fit_the_buffer(program: Program) -> None:
    found, ops, room = Segments(program), program.ops, program.architecture.dma.buffer_bytes
    for op in range(len(ops)):
        tensors = [program.tensors[i] for i in (int(ops.tensor[op]), int(ops.second_tensor[op])) if i >= 0]
        tensors = [t for t in tensors if t.remote]
        if not tensors:
            continue
        columns = program.columns[ops.list_start[op] :][: ops.count[op]].tolist()
        words = [column * tensors[0].words + word for column in columns for word in range(tensors[0].words)]
        segments = found.of(op)
        together = sum(tensor.word_bytes for tensor in tensors)
        assert all(0 < 2 * held <= room for held in segments[:, HELD_BYTES])
        assert (segments[:, HELD_BYTES] == segments[:, WORDS] * together).all()
        assert [
            first + number for first, count in segments[:, [FIRST_WORD, WORDS]].tolist() for number in range(count)
        ] == words


@_SLOW
@given(programs() | cached_programs())
def test_the_buffer_is_never_over_full_and_empty_at_the_end(program: Program) -> None:
    machine = Machine(program, on_bursts=lambda *_: None)
    stream, fullest = machine.columns, 0
    read = machine.memory.read

    def watching(*request: Any) -> None:
        nonlocal fullest
        fullest = max(fullest, stream._used_bytes)
        read(*request)

    machine.memory.read = watching
    machine.run()
    assert fullest <= program.architecture.dma.buffer_bytes
    assert stream._used_bytes == 0
    assert not stream._in_flight
    assert machine.memory.port.next_cycle == math.inf


@pytest.mark.parametrize("empty", [0, 1, 7, 30])
def test_an_op_without_columns_takes_the_fetch_a_cycle(empty: int) -> None:
    """Its turn passes in one: after so many, and one that finds room, columns of the next op are asked for."""
    fired = np.zeros((empty + 1, 3), dtype=np.bool_)
    fired[-1] = True
    described = Architecture.named("edge", {"placement.weights": "remote", "cache.bytes": 0})
    program = lower_matrix(described, "matvec", fired, 8)
    machine, log = machine_with_log(program)
    assert machine.run() == Machine(program).run()
    assert [cycle for cycle, *_ in log.requests] == [empty + 1, empty + 2, empty + 3]


@_SLOW
@given(architectures(), st.sampled_from(["matvec", "matvec_t", "outer"]), st.integers(1, 30), st.integers(1, 30))
def test_a_column_costs_its_way_over_the_port(architecture: Architecture, mode: str, columns: int, rows: int) -> None:
    """However the buffer is used, the bytes of all columns pass the port one width a cycle."""
    home = "gradients" if mode == "outer" else "weights"
    placement = architecture.placement.model_copy(update={home: "remote"})
    remote = architecture.model_copy(update={"placement": placement})
    program = lower_matrix(remote, mode, uniform_masks(4, columns, 0.5, 1), rows)
    read = int(program.remote_read_bytes.sum())
    assert cycle.count(program).cycles >= -(-read // remote.dma.bytes_per_cycle)


def test_a_larger_buffer_hides_the_latency_of_columns() -> None:
    """One column at a time costs a round trip each; with room for many, the lanes are the limit."""

    def cycles(buffer_bytes: int) -> int:
        machine = Architecture.named(
            "edge",
            {
                "cache.bytes": 0,
                "dma.buffer_bytes": buffer_bytes,
                "dma.bytes_per_cycle": 32,
                "remote.bus_bits": 64,
                "placement.weights": "remote",
            },
        )
        return cycle.count(lower_matrix(machine, "matvec", uniform_masks(10, 50, 0.5, 1), 64)).cycles

    lanes = 10 * 25 * 8
    assert cycles(16 * 8 * 64) < 1.1 * lanes
    assert cycles(96) > 1.5 * lanes
