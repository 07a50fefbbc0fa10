"""Programs of embedded words and of windows that go on from a state: what is looked up, learned and left out."""

from __future__ import annotations

import numpy as np
import pytest
from programs import recorded_step

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.op_table import NO_OP
from deltatrain.accel.program import MODE_NAMES, STREAMS, Program
from deltatrain.sim.fidelity import analytic, cycle
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.lowering.limits import stream_limits
from deltatrain.workloads.lowering.lists import Begun
from deltatrain.workloads.lowering.lowering import lower, lower_dense
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.step_programs import recorded_program
from deltatrain.workloads.plain_learning import learning_limits
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload

LENGTHS, WIDTH, HIDDEN, CLASSES, WORDS = np.array([5, 2, 4]), 6, (7, 5), 9, 9


def _shape(cell: str, words: int = WORDS, *, learns: bool = True) -> Shape:
    return Shape(CELL_ARITHMETIC.load(cell), (WIDTH, HIDDEN[0]), HIDDEN, CLASSES, learns=learns, words=words)


def _rows(program: Program, mode: str, stream: str) -> np.ndarray:
    ops = program.ops
    return np.flatnonzero((ops.mode == MODE_NAMES.index(mode)) & (ops.stream == STREAMS.index(stream)))


def _columns(program: Program, row: int) -> list[int]:
    start = program.ops.list_start[row]
    return program.columns[start : start + program.ops.count[row]].tolist()


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn", "dense"])
def test_a_step_looks_up_its_word_and_adds_to_that_words_gradient(cell: str, dense: bool) -> None:
    machine, shape = Architecture.named("edge"), _shape(cell)
    step = recorded_step(shape, LENGTHS, 0.4, 2)
    program = lower(machine, shape, step, "every")
    if dense:
        program = lower_dense(machine, shape, LENGTHS, "every", begun=Begun(words=step.words))
    ops = program.ops
    table, gradients = (next(t for t in program.tensors if t.name == name) for name in ("W_words", "dW_words"))
    assert table.remote and gradients.remote and table.columns == WORDS
    column_bytes = -(-WIDTH // machine.engine.lanes) * machine.weight_word_bytes
    assert table.bytes == WORDS * column_bytes == program.remote_bytes["words"]
    loads = _rows(program, "load", "x")
    assert len(loads) == LENGTHS.sum() and (ops.count[loads] == column_bytes).all()
    words = step.words[ops.step[loads], ops.sample[loads]]
    np.testing.assert_array_equal(ops.address[loads], table.address + words * column_bytes)
    outers = _rows(program, "outer", "words")
    assert len(outers) == LENGTHS.sum()
    assert [_columns(program, row) for row in outers] == [
        [step.words[ops.step[row], ops.sample[row]]] for row in outers
    ]
    (update,) = _rows(program, "update", "words")
    running = np.arange(5)[:, None] < LENGTHS
    assert _columns(program, update) == sorted(set(step.words[running].tolist()))
    assert ops.depends[update, 0] == outers[-1]


def test_the_gradient_of_a_word_is_made_where_its_column_is_added_to() -> None:
    shape = _shape("lstm")
    program = lower(Architecture.named("edge"), shape, recorded_step(shape, LENGTHS, 0.4, 2), "every")
    ops = program.ops
    products = [row for row in _rows(program, "matvec_t", "x") if ops.layer[row] == 0]
    at = {(ops.sample[row], ops.step[row]): row for row in products}
    outers = {(ops.sample[row], ops.step[row]): row for row in _rows(program, "outer", "words")}
    assert at.keys() == outers.keys() and len(at) == LENGTHS.sum()
    for (sample, step), row in outers.items():
        assert at[sample, step] in ops.depends[row] and at[sample, step] < row
        later = outers.get((sample, step + 2))
        assert later is None or later in ops.depends[at[sample, step]], "two places hold gradients"
        before = outers.get((sample, step + 1), NO_OP)
        assert before in ops.depends[row]


@pytest.mark.parametrize("tiles", [1, 3])
@pytest.mark.parametrize("words", [0, WORDS])
@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_a_machine_does_what_is_listed_in_a_window_that_goes_on(cell: str, words: int, tiles: int) -> None:
    """Its multiply-accumulates are counted by hand, from the masks; to the state before no gradient goes."""
    exchange = {"tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 3}
    machine = Architecture.named("edge", {"tiles.count": tiles, **exchange} if tiles > 1 else {})
    shape = _shape(cell, words)
    arithmetic = shape.arithmetic
    step = recorded_step(shape, LENGTHS, 0.4, 5, carried=True)
    assert all(mask[0].any() for mask in step.fired_h)
    running = np.arange(5)[:, None] < LENGTHS
    everything = [tuple(np.repeat(running[..., None], w, 2) for w in widths) for widths in (shape.inputs, HIDDEN)]
    blocks_x, blocks_h, steps = len(arithmetic.BLOCKS_X), len(arithmetic.BLOCKS_H), int(LENGTHS.sum())
    for program, (x, h) in (
        (lower(machine, shape, step, "every"), (step.fired_x, step.fired_h)),
        (lower_dense(machine, shape, LENGTHS, "every", begun=Begun(True, step.words)), everything),
    ):
        of_x = [blocks_x * width * int(mask.sum()) for width, mask in zip(HIDDEN, x, strict=True)]
        of_h = [blocks_h * width * int(mask.sum()) for width, mask in zip(HIDDEN, h, strict=True)]
        back_h = [blocks_h * width * int(mask[1:].sum()) for width, mask in zip(HIDDEN, h, strict=True)]
        biases = len(LENGTHS) * (arithmetic.BIAS_X * blocks_x + arithmetic.BIAS_H * blocks_h) * sum(HIDDEN)
        readout, bias = steps * CLASSES * HIDDEN[-1], steps * CLASSES
        counted = analytic.count(program).phases
        assert counted["FP"].macs == sum(of_x) + sum(of_h) + biases + readout + bias
        assert counted["BP"].macs == sum(of_x if words else of_x[1:]) + sum(back_h) + readout
        assert counted["WG"].macs == counted["FP"].macs + (steps * WIDTH if words else 0)


def test_words_cost_cycles_and_bytes_and_a_forward_pass_looks_up_alone() -> None:
    machine = Architecture.named("edge")
    found = {}
    for words in (0, WORDS):
        shape = _shape("lstm", words)
        found[words] = cycle.count(lower(machine, shape, recorded_step(shape, LENGTHS, 0.4, 2), "every"))
    assert found[WORDS].cycles > found[0].cycles
    assert found[WORDS].phases["BP"].macs > found[0].phases["BP"].macs
    forward = _shape("lstm", learns=False)
    program = lower(machine, forward, recorded_step(forward, LENGTHS, 0.4, 2), "every")
    assert [tensor.name for tensor in program.tensors if tensor.stream == "words"] == ["W_words"]
    assert not len(_rows(program, "outer", "words")) and len(_rows(program, "load", "x")) == LENGTHS.sum()


@pytest.mark.parametrize("policy", POLICIES.names())
@pytest.mark.parametrize("cell", ["delta_gru", "delta_lstm"])
def test_steps_that_are_run_again_look_up_again(cell: str, policy: str) -> None:
    shape = _shape(cell.removeprefix("delta_"))
    step = recorded_step(shape, np.array([9, 6]), 0.4, 5, carried=True)
    table = {"name": "a", "dataset": "digits", "cell": cell, "hidden": list(HIDDEN), "theta_x": 0.1, "theta_h": 0.1}
    table |= {"task": "next_word", "readout": "every", "embedding": {"width": WIDTH}}
    workload = Workload.from_table(table | {"training": {"epochs": 1, "batch": 2, "truncate_steps": 9}})
    trace = Trace(workload, WIDTH, CLASSES, (step,), ())
    plain = recorded_program(Architecture.named("edge"), trace, step)
    program = recorded_program(Architecture.named("edge", {"checkpoint.policy": policy}), trace, step)
    for phase in ("FP", "BP", "WG", "WU"):
        assert analytic.count(program).phases[phase].macs == analytic.count(plain).phases[phase].macs
    loads = _rows(program, "load", "x")
    of_words = loads[program.ops.layer[loads] == 0]
    table_of = next(t for t in program.tensors if t.name == "W_words")
    inside = (program.ops.address[of_words] >= table_of.address) & (
        program.ops.address[of_words] < table_of.address + table_of.bytes
    )
    looked_up = of_words[inside]
    words = step.words[program.ops.step[looked_up], program.ops.sample[looked_up]]
    column_bytes = table_of.bytes // WORDS
    np.testing.assert_array_equal(program.ops.address[looked_up], table_of.address + words * column_bytes)
    assert len(looked_up) >= 15


def test_what_has_no_words_or_streams_says_so() -> None:
    table = {"name": "a", "dataset": "synthetic", "cell": "delta_gru", "hidden": [6], "theta_x": 0.1, "theta_h": 0.1}
    table |= {"task": "next_word", "readout": "every", "training": {"epochs": 1}}
    statistics = {"inputs": 6, "classes": 5, "steps": 4, "occupancy_x": 0.5, "occupancy_h": 0.5}
    for change, line in (
        ({"embedding": {"width": 6}}, "embedding must be left out: data set 'synthetic' has no words"),
        ({"training": {"epochs": 1, "truncate_steps": 3}}, "'synthetic' has no streams"),
    ):
        with pytest.raises(ConfigError, match=line):
            Workload.from_table(table | {"synthetic": statistics} | change)
    text = Workload.from_table(
        table | {"dataset": "digits", "embedding": {"width": 6}, "training": {"epochs": 1, "truncate_steps": 3}}
    )
    told = stream_limits(text, "a plan")
    assert len(told) == 2 and "embedding" in told[0] and "truncate_steps" in told[1]
    assert "training.truncate_steps must be left out for x, whose steps begin without state" in learning_limits(
        text, "x"
    )
