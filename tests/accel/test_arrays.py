"""Arrays that take different columns: which takes which, in how many turns, what they move and what they cost."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import ARRAYS, programs, sparse_programs

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.arrays import dealt_out, most_of_an_array, of_first_columns, turns_of
from deltatrain.accel.energy.prices import prices
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.modes import MODES
from deltatrain.accel.op_table import MODE_NAMES, NO_TENSOR
from deltatrain.accel.pricing.area import area
from deltatrain.accel.pricing.arithmetic import adders
from deltatrain.accel.pricing.run_energy import energy_j
from deltatrain.accel.program import Program
from deltatrain.sim.fidelity import analytic, cycle
from deltatrain.workloads.lowering.lowering import lower_dense
from deltatrain.workloads.lowering.matrix import lower_matrix
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.synthetic import uniform_masks

_LISTS = st.lists(st.integers(0, 40), unique=True, max_size=30)


def _turns(columns: list[int], arrays: int) -> list[list[int]]:
    """Return the columns of each turn, array after array, from queues."""
    queues = [[column for column in columns if column % arrays == array] for array in range(min(arrays, 64))]
    return [[column for column in turn if column is not None] for turn in zip_longest(*queues)]


@given(_LISTS, st.integers(1, 9) | st.sampled_from([40, 41, 42, 1 << 16]))
def test_each_array_takes_its_own_columns_in_their_order(columns: list[int], arrays: int) -> None:
    turns = _turns(columns, arrays)
    listed = np.array(columns, dtype=np.int32)
    order, turn = dealt_out(listed, arrays)
    assert listed[order].tolist() == [column for of_turn in turns for column in of_turn]
    assert turn.tolist() == [number for number, of_turn in enumerate(turns) for _ in of_turn]
    assert turns_of(listed, arrays) == len(turns)
    mask = np.zeros((2, 41), dtype=np.bool_)
    mask[1, columns] = True
    assert most_of_an_array(mask, arrays).tolist() == [0, len(turns)]
    assert of_first_columns(len(columns), arrays) == len(_turns(list(range(len(columns))), arrays))


def _by_hand(program: Program) -> dict[str, int]:
    """Return cycles, imbalance, sums and bytes of all matrix ops, from each word of each turn."""
    ops, engine = program.ops, program.architecture.engine
    formats, own = engine.formats, program.own.compressed
    found = dict.fromkeys(("cycles", "imbalance", "sums", "read", "written"), 0)
    for op in np.flatnonzero(ops.tensor != NO_TENSOR).tolist():
        start, mode = int(ops.list_start[op]), MODE_NAMES[ops.mode[op]]
        listed = program.columns[start : start + int(ops.count[op])].tolist()
        words_of = dict(own)[int(ops.tensor[op])].words if own else np.full(1000, ops.words[op])
        turns, op_cycles = _turns(listed, engine.arrays), 0
        for number, turn in enumerate(turns):
            longest = max(int(words_of[column]) for column in turn)
            op_cycles += longest
            found["imbalance"] += sum(longest - int(words_of[column]) for column in turn)
            found["imbalance"] += (engine.arrays - len(turn)) * longest
            taken = sum(int(words_of[column]) for column in turn) * engine.lanes
            if mode == "matvec":
                first, last = number == 0, number == len(turns) - 1
                sums = longest * engine.lanes * formats.memory.bytes
                found["read"] += taken * formats.weight.bytes + sums * (1 if first else engine.arrays)
                found["written"] += sums * (1 if last else engine.arrays)
            elif mode == "matvec_t":
                held = len(turn) * formats.gradient.bytes
                found["read"] += taken * formats.weight.bytes + longest * engine.lanes * formats.gradient.bytes + held
                found["written"] += 2 * held
            elif mode == "outer":
                found["read"] += taken * formats.weight_gradient.bytes + longest * engine.lanes * formats.gradient.bytes
                found["written"] += taken * formats.weight_gradient.bytes
        found["sums"] += (mode == "matvec" and len(turns) > 0) * (engine.arrays - 1) * int(ops.rows[op])
        found["cycles"] += max(op_cycles, 1)
    return found


@given(programs(arrays=ARRAYS))
def test_laws_count_what_arrays_do_word_by_word(program: Program) -> None:
    _check_laws(program)


def _check_laws(program: Program) -> None:
    by_hand, ops, own = _by_hand(program), program.ops, program.own
    matrix = ops.tensor != NO_TENSOR
    assert program.issue_cycles[matrix].sum() == by_hand["cycles"]
    assert (own.imbalance_cycles.sum(), own.added_sums.sum()) == (by_hand["imbalance"], by_hand["sums"])
    work = program.work(ops.is_mode("matvec", "matvec_t", "outer"))
    assert (work["local_read_bytes"], work["local_write_bytes"]) == (by_hand["read"], by_hand["written"])


@given(programs(arrays=ARRAYS))
def test_a_bound_stays_one(program: Program) -> None:
    least, ran = analytic.count(program), cycle.count(program)
    assert least.cycles <= ran.cycles
    assert least.arrays == ran.arrays
    assert least.work == ran.work


@given(sparse_programs(arrays=ARRAYS))
def test_compressed_columns_wait_for_the_longest_of_a_turn(case) -> None:
    by_hand, own = _by_hand(case[0]), case[0].own
    assert own.imbalance_cycles.sum() == by_hand["imbalance"]
    assert case[0].issue_cycles[case[0].ops.tensor != NO_TENSOR].sum() == by_hand["cycles"]


@pytest.mark.parametrize("mode", ["matvec", "matvec_t", "outer"])
def test_no_number_of_arrays_changes_what_is_multiplied(mode: str) -> None:
    fired = uniform_masks(5, 40, 0.4, 1)
    macs = [lower_matrix(_tiny(arrays), mode, fired, 9).own.whole["macs"] for arrays in (1, 2, 4)]
    assert len(set(macs)) == 1


def test_dense_columns_are_shared_out_evenly() -> None:
    program = lower_matrix(Architecture.named("tiny", {"engine.arrays": 4}), "matvec", np.ones((3, 40), bool), 9)
    assert program.own.imbalance_cycles.tolist() == [0, 0, 0]
    assert program.issue_cycles.tolist() == [10 * 3] * 3


def test_the_tree_over_the_arrays_is_hidden_by_the_tree_over_the_lanes() -> None:
    """The tree over the lanes has an addition and a rounding behind it, that over the arrays the addition to M."""
    engines = {arrays: _tiny(arrays).engine for arrays in (1, 2, 4, 5, 8, 9)}
    drains = {arrays: MODES.load("matvec").drain_cycles(engine) for arrays, engine in engines.items()}
    assert drains[1] == drains[2] == drains[4]
    assert drains[5] == drains[8] == drains[4] + 1
    assert drains[9] == drains[4] + 2


def _tiny(arrays: int) -> Architecture:
    return Architecture.named("tiny", {"engine.arrays": arrays, "dma.buffer_bytes": 4096})


def test_a_machine_of_arrays_costs_their_adders_and_their_sums() -> None:
    one, four = _tiny(1), _tiny(4)
    known, bits = prices(one.area), one.engine.formats.memory_bits
    mm2 = {name: (area(one).mm2.get(name, 0.0), value) for name, value in area(four).mm2.items()}
    for name in ("lane multipliers", "lane adders", "adder tree"):
        assert mm2[name][1] == pytest.approx(4 * mm2[name][0])
    assert mm2["adders of arrays"] == (0, pytest.approx(3 * 4 * adders(known, bits) * known("add", "um2") * 1e-6))
    program = lower_matrix(four, "matvec", uniform_masks(5, 40, 0.4, 1), 9)
    counters, price = cycle.count(program), prices(four.energy)
    sums = 5 * 3 * 9  # steps, arrays but the first, rows
    assert sum(phase.added_sums for phase in counters.arrays.values()) == sums
    assert energy_j(counters, four)["sums of arrays"] == pytest.approx(
        sums * adders(price, bits) * price("add", "pj") * 1e-12
    )
    assert "sums of arrays" not in energy_j(cycle.count(lower_matrix(one, "matvec", np.ones((1, 4), bool), 9)), one)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"engine.formats.memory_overflow": "saturate"}, "engine: arrays must be 1, not 2, unless"),
        ({"engine.in_turn": True, "engine.list_streams": True}, "engine: arrays must be 1, not 2, where list_streams"),
        ({"dma.buffer_bytes": 95}, r"two words of W and dW for each of 2 arrays \(96 bytes\), not 95"),
        ({"engine.arrays": 0}, "engine.arrays"),
    ],
)
def test_what_does_not_go_with_arrays_is_refused_by_name(changes, told) -> None:
    with pytest.raises(ConfigError, match=told):
        Architecture.named("tiny", {"engine.arrays": 2} | changes)


def test_sums_of_all_arrays_but_the_first_have_room_in_local_memory() -> None:
    shape = Shape.of("delta_lstm", 5, (6, 3), 2)
    held = [
        lower_dense(_tiny(arrays), shape, np.array([3]), "last").local_bytes.get("sums of arrays", 0)
        for arrays in (1, 2, 4)
    ]
    word_bytes = 4 * _tiny(1).engine.formats.memory.bytes
    assert held == [0, 6 * word_bytes, 3 * 6 * word_bytes]  # 24 rows are 6 words of 4


def test_one_array_is_not_told() -> None:
    one, two = _tiny(1), _tiny(2)
    counted = [cycle.count(lower_matrix(tiny, "matvec", np.ones((1, 4), bool), 9)).model_dump() for tiny in (one, two)]
    assert ["arrays" in counters for counters in counted] == [False, True]
    assert ["arrays" in tiny.model_dump()["engine"] for tiny in (one, two)] == [False, True]
    assert "2 arrays of 4 lanes" in repr(two)
    assert (one.lanes, two.lanes) == (4, 8)
