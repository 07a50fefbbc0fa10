"""Weight gradients of several steps in one op: the same bits of dW, fewer bytes, and room for what is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import DELTA_CELLS, recorded_step, shapes, sparse_programs

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.engine import Formats
from deltatrain.accel.errors import ConfigError, FitError
from deltatrain.accel.modes import outer
from deltatrain.accel.op_table import STREAMS
from deltatrain.accel.program import Program
from deltatrain.workloads.lowering.groups import Groups
from deltatrain.workloads.lowering.limits import limits
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.trace import RecordedStep
from deltatrain.workloads.workload import Workload

OFF_CHIP = {"placement.gradients": "remote", "placement.tape": "local", "local.bytes": 2**21}


def _machine(steps: int, **changes: object) -> Architecture:
    return Architecture.named("tiny", OFF_CHIP | {"engine.outer_steps": steps} | changes)


def _fired(shape: Shape, step: RecordedStep, sample: int, at: int, stream: str, layer: int) -> set[int]:
    """Return the columns of a stream that fired in a step of a sample, the bias column too."""
    masks, biased = (
        (step.fired_x, shape.arithmetic.BIAS_X) if stream == "x" else (step.fired_h, shape.arithmetic.BIAS_H)
    )
    mask = masks[layer][at, sample]
    return {*np.flatnonzero(mask).tolist(), *([len(mask)] if biased and at == 0 else [])}


@settings(max_examples=30)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.integers(1, 12), st.integers(0, 99))
def test_a_group_lists_what_its_steps_list(lengths: list[int], size: int, seed: int) -> None:
    groups, steps = Groups(np.array(lengths), size), max(lengths)
    fired = np.random.default_rng(seed).random((len(lengths), steps, 6)) < 0.5
    fired &= (np.arange(steps) < np.array(lengths)[:, None])[..., None]
    columns, start = groups.listed(fired)
    wanted: list[int] = []
    for sample, length in enumerate(lengths):
        left = list(range(length))[::-1]
        while left:
            group, left = left[:size], left[size:]
            assert start[sample, group[-1]] == len(wanted)
            for step in group:
                assert groups.first(np.array([sample]), np.array([step])) == [group[0]]
                assert groups.end(np.array([sample]), np.array([step])) == [group[-1]]
            wanted += [column for column in range(6) for step in group if fired[sample, step, column]]
    assert columns.tolist() == wanted


def _gradient(program: Program, shape: Shape, step: RecordedStep, size: int, formats: Formats, *, turned: bool) -> list:
    """Return all dW as the program's ops leave them, with drawn deltas and delta gradients.

    `turned` adds the steps of a group in the other order, as a program could.
    """
    ops, found = program.ops, {}
    for op in np.flatnonzero(ops.is_mode("outer") & ops.is_stream("x", "h")).tolist():
        layer, stream, sample, end = int(ops.layer[op]), STREAMS[ops.stream[op]], int(ops.sample[op]), int(ops.step[op])
        first = step.lengths[sample] - 1 - (step.lengths[sample] - 1 - end) // size * size
        tensor = program.tensors[ops.tensor[op]]
        dW = found.setdefault(int(ops.tensor[op]), np.zeros((int(ops.rows[op]), tensor.columns), np.int64))
        listed = program.columns[ops.list_start[op] :][: ops.count[op]].tolist()
        for column in dict.fromkeys(listed):
            steps = [at for at in range(first, end - 1, -1) if column in _fired(shape, step, sample, at, stream, layer)]
            assert listed.count(column) == len(steps)
            for at in steps[::-1] if turned else steps:
                random = np.random.default_rng([layer, STREAMS.index(stream), sample, at])
                g = random.integers(-(2**15), 2**15, len(dW))
                delta = random.integers(-(2**15), 2**15, tensor.columns)[[column]]
                dW[:, [column]] = outer.result(dW[:, [column]], g, delta, formats)
    return [found[tensor].tolist() for tensor in sorted(found)]


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_no_bit_of_the_gradients_depends_on_the_groups(cell: str, overflow: str) -> None:
    from deltatrain.accel.cells import CELL_ARITHMETIC

    shape = Shape(CELL_ARITHMETIC.load(cell), (4, 5), (5, 3), 2)
    step = recorded_step(shape, np.array([7, 4]), 0.6, 3)
    changes = {"engine.formats.weight_gradient_overflow": overflow}
    formats = _machine(1, **changes).engine.formats
    plain = _gradient(lower(_machine(1, **changes), shape, step, "last"), shape, step, 1, formats, turned=False)
    for size in (2, 3, 40):
        program = lower(_machine(size, **changes), shape, step, "last")
        assert _gradient(program, shape, step, size, formats, turned=False) == plain
        turned = _gradient(program, shape, step, size, formats, turned=True)
        assert (turned == plain) == (overflow == "wrap")  # the order is told from others where sums saturate


@settings(max_examples=15)
@given(shapes(widest=12, cells=DELTA_CELLS), st.integers(2, 9), st.integers(0, 99), st.sampled_from([0.1, 0.5]))
def test_a_column_is_moved_once_a_group_and_the_lanes_add_as_much(
    shape: Shape, size: int, seed: int, occupancy: float
) -> None:
    step = recorded_step(shape, np.array([6, 3]), occupancy, seed)
    program, plain = (lower(_machine(number), shape, step, "last") for number in (size, 1))
    grouped = program.ops.is_mode("outer") & program.ops.is_stream("x", "h")
    wanted = 0
    for tensor in program.tensors:
        if tensor.kind == "gradients" and tensor.stream in ("x", "h"):
            for sample, length in enumerate(step.lengths.tolist()):
                for last in range(length - 1, -1, -size):
                    group = range(max(0, last - size + 1), last + 1)
                    listed = [_fired(shape, step, sample, at, tensor.stream, tensor.layer) for at in group]
                    wanted += len(set().union(*listed)) * tensor.words * tensor.word_bytes
    assert program.remote_read_bytes[grouped].sum() == program.remote_write_bytes[grouped].sum() == wanted
    of_plain = plain.ops.is_mode("outer") & plain.ops.is_stream("x", "h")
    assert program.work(grouped)["macs"] == plain.work(of_plain)["macs"]
    held = (plain.remote_read_bytes[of_plain].sum() - wanted) // program.architecture.tiles.count
    for name in ("local_read_bytes", "local_write_bytes"):
        assert plain.work(of_plain)[name] - program.work(grouped)[name] == held


def test_what_a_group_keeps_counts_as_tape() -> None:
    from deltatrain.accel.cells import CELL_ARITHMETIC

    shape = Shape(CELL_ARITHMETIC.load("lstm"), (4,), (16,), 2)
    step = recorded_step(shape, np.array([9, 4]), 0.4, 1)
    kept = {size: lower(_machine(size), shape, step, "last") for size in (1, 4, 50)}
    gradients_bytes = 4 * 16 * _machine(1).engine.formats.gradient.bytes
    for size, program in kept.items():
        more = (min(size, 9) - 1) * gradients_bytes
        assert program.local_bytes["tape"] - kept[1].local_bytes["tape"] == more
        assert program.kept_bytes[:, 1].max() == program.local_bytes["tape"]
        assert program.kept_bytes[-1, 1] == 0
    tape_bytes = kept[4].local_bytes["tape"]
    others = sum(kept[4].local_bytes.values()) - tape_bytes
    lower(_machine(4, **{"local.bytes": others + tape_bytes, "placement.tape": "auto"}), shape, step, "last")
    with pytest.raises(FitError, match=r"local.bytes = .* with engine.outer_steps = 4, and no placement.tape off-chip"):
        lower(_machine(4, **{"local.bytes": others + tape_bytes - 1, "placement.tape": "auto"}), shape, step, "last")


@pytest.mark.parametrize("other", [{"engine.arrays": 2}, {"engine.in_turn": True}])
def test_groups_do_not_go_with_every_engine(other: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="outer_steps must be 1, not 2"):
        _machine(2, **other)


@pytest.mark.parametrize(
    ("tape", "told"),
    [
        ({"placement.tape": "remote"}, "with placement.tape = 'remote': the tape"),
        ({"checkpoint.policy": "segment"}, "with checkpoint.policy = 'segment': the tape"),
        ({"checkpoint.policy": "tape_to_dram"}, "with checkpoint.policy = 'tape_to_dram': the tape"),
        ({"checkpoint.policy": "store_all", "placement.tape": "remote"}, ""),
    ],
)
def test_what_keeps_no_whole_tape_is_named_beside_groups(tape: dict[str, object], told: str) -> None:
    reasons = [reason for reason in limits(_machine(2, **tape), Workload.named("tiny")) if "tape" in reason]
    assert reasons == ([] if not told else reasons[:1]) and told in "".join(reasons)


@settings(max_examples=15)
@given(sparse_programs(most_steps=5, groups=(2, 3)))
def test_a_compressed_column_is_read_once_for_a_group(case: tuple[Program, Shape, list[np.ndarray]]) -> None:
    program, ops = case[0], case[0].ops
    compressed = {number: one.compressed.words for number, one in enumerate(program.tensors) if one.compressed}
    for row in np.flatnonzero(ops.is_mode("outer") & np.isin(ops.tensor, list(compressed))).tolist():
        listed = program.columns[ops.list_start[row] :][: ops.count[row]]
        words = compressed[int(ops.tensor[row])]
        assert program.own.list_words[row] == words[listed].sum()
        assert program.own.fetched_words[row] == words[np.unique(listed)].sum()
