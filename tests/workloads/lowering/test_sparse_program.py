"""Programs on compressed columns against walking over every weight of every column that fired."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from programs import programs, sparse_programs

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.program import MODE_NAMES, PHASES, Program
from deltatrain.accel.tensor import CompressedColumns
from deltatrain.sim.run import simulate, synthetic_trace
from deltatrain.workloads.lowering.placement import matrices
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload

ENGINE_MODES = ("matvec", "matvec_t", "outer", "update")


def in_lanes(mask: np.ndarray, column: int, stream: str, width: int, lanes: int, tiles: int) -> tuple[list[int], int]:
    """Return how many weights each lane of each tile has in a column as a list names it, and how many there are.

    Neuron j is of tile (j // P) mod n, which has its gates behind those of its other neurons, gate after gate. It has
    the read-out's columns of its own neurons, and the first has the bias, which stands as zeros in the others.
    """
    own = [[j for j in range(width) if j // lanes % tiles == tile] for tile in range(tiles)]
    counts, there = [0] * (lanes * tiles), 0
    for tile in range(tiles):
        if stream == "readout":
            is_bias = column == len(own[0])
            its = own[tile][column : column + 1]
            for row in range(len(mask)):
                if is_bias or any(mask[row, j] for j in its):
                    counts[tile * lanes + row % lanes] += 1
                    there += not is_bias or tile == 0
            continue
        for gate in range(len(mask) // width):
            for place, j in enumerate(own[tile]):
                if column == mask.shape[1] or mask[gate * width + j, column]:
                    counts[tile * lanes + (gate * len(own[0]) + place) % lanes] += 1
                    there += 1
    return counts, there


@settings(max_examples=60)
@given(sparse_programs(most_tiles=4) | sparse_programs())
def test_ops_take_the_longest_lane_of_each_column_and_move_its_words(case: Any) -> None:
    program, shape, weights = case
    lanes, tiles = program.architecture.engine.lanes, program.architecture.tiles.count
    named = dict(zip(matrices(shape, program.architecture), weights, strict=True))
    ops, macs = program.ops, 0
    for op in range(len(ops)):
        if MODE_NAMES[ops.mode[op]] not in ENGINE_MODES:
            continue
        tensor = program.tensors[ops.tensor[op]]
        mask = named[tensor.stream, tensor.layer]
        cycles = 0
        for column in program.columns[ops.list_start[op] : ops.list_start[op] + ops.count[op]].tolist():
            in_lane, there = in_lanes(mask, column, tensor.stream, shape.hidden[tensor.layer], lanes, tiles)
            cycles, macs = cycles + max(1, *in_lane), macs + there
        assert program.issue_cycles[op] == max(1, cycles)
        read = sum(
            program.tensors[t].word_bytes
            for t in (ops.tensor[op], ops.second_tensor[op])
            if t >= 0 and program.tensors[t].remote
        )
        assert program.remote_read_bytes[op] == cycles * read
        writes = MODE_NAMES[ops.mode[op]] in ("outer", "update")
        assert program.remote_write_bytes[op] == cycles * read * writes
    assert program.work(np.ones(len(ops), bool))["macs"] == macs


@settings(max_examples=60)
@given(sparse_programs(most_tiles=3) | sparse_programs())
def test_compressed_matrices_do_not_overlap_and_are_counted(case: Any) -> None:
    program, _, _ = case
    ends: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    sizes = {"weights": 0, "gradients": 0}
    for tensor in program.tensors:
        first, words = tensor.first_words, tensor.column_words
        np.testing.assert_array_equal(first[1:], (first + words)[:-1])
        size = int(words.sum()) * tensor.word_bytes
        sizes[tensor.kind] += size
        ends[tensor.remote].append((tensor.address, tensor.address + size))
    for (_, end), (begin, _) in zip(sorted(ends[True]), sorted(ends[True])[1:], strict=False):
        assert end <= begin
    both = program.local_bytes | program.remote_bytes
    kept = {tensor.kind: 1 if tensor.remote else program.architecture.tiles.count for tensor in program.tensors}
    assert {use: both[use] for use in sizes} == {use: -(-size // kept[use]) for use, size in sizes.items()}


@settings(max_examples=60)
@given(programs())
def test_a_whole_column_is_a_compressed_one_in_which_every_lane_has_all_entries(whole: Program) -> None:
    rows = dict(zip(whole.ops.tensor.tolist(), whole.ops.rows.tolist(), strict=True))
    rows |= dict(zip(whole.ops.second_tensor.tolist(), whole.ops.rows.tolist(), strict=True))
    tensors = []
    for number, tensor in enumerate(whole.tensors):
        words, weights = (
            np.full(tensor.columns, value) for value in (tensor.words, rows.get(number, 0))
        )  # maybe no op's
        tensors.append(tensor._replace(compressed=CompressedColumns(words, weights, 0)))
        assert tensors[-1].bytes == tensor.bytes
        np.testing.assert_array_equal(tensors[-1].first_words, tensor.first_words)
        np.testing.assert_array_equal(tensors[-1].column_words, tensor.column_words)
    compressed = replace(whole, tensors=tuple(tensors))
    for law in ("list_words", "issue_cycles", "remote_read_bytes", "remote_write_bytes"):
        np.testing.assert_array_equal(getattr(compressed, law), getattr(whole, law))
    for phase in PHASES:
        assert compressed.work(compressed.ops.is_phase(phase)) == whole.work(whole.ops.is_phase(phase))


@pytest.fixture(scope="module")
def sparse() -> Workload:
    return Workload.named(
        "synthetic",
        {
            "hidden": [48],
            "synthetic.steps": 8,
            "training.batch": 2,
            "sparsity.rule": "balanced",
            "sparsity.density": 0.25,
        },
    )


def test_a_quarter_of_the_weights_takes_a_quarter_of_the_matrix_cycles(sparse: Workload) -> None:
    machine = Architecture.named("edge", {"placement.weights": "local", "placement.gradients": "local"})
    result = simulate(machine, sparse)
    whole = simulate(machine, sparse.with_changes(sparsity__rule="dense", sparsity__density=1.0))
    assert result.dense == whole.dense
    for phase, counters in result.counters.phases.items():
        if phase == "RF":  # nothing is run again
            continue
        assert counters.busy_cycles / whole.counters.phases[phase].busy_cycles == pytest.approx(0.26, abs=0.04)
        assert counters.macs / whole.counters.phases[phase].macs == pytest.approx(0.26, abs=0.04)
        assert counters.macs + counters.skipped_macs == result.dense.phases[phase].macs
    assert result.counters.cycles < 0.5 * whole.counters.cycles


def test_a_trace_keeps_the_weights(sparse: Workload, tmp_path: Any) -> None:
    trace = synthetic_trace(sparse)
    trace.save(tmp_path / "trace.npz")
    again = Trace.load(tmp_path / "trace.npz")
    assert again == trace
    assert [mask.shape for mask in again.recorded[0].weights] == [(192, 16), (192, 48), (31, 48)]
    assert sum(mask.sum() for mask in again.recorded[0].weights) == round(0.25 * 192 * 64) + round(0.25 * 31 * 48)


def test_weights_too_many_to_compress_are_refused_in_one_line(sparse: Workload) -> None:
    with pytest.raises(ConfigError, match=r"sparsity\.density is too high to compress: weights would take") as caught:
        simulate(Architecture.named("edge"), sparse.with_changes(sparsity__density=0.95))
    assert "\n" not in str(caught.value)
