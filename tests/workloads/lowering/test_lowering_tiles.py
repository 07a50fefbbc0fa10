"""A training step lowered for several tiles: the same work as on one, in shares, and what passes between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_machine import NaiveMachine
from programs import READOUTS, architectures, recorded_step, recordings, shapes

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.errors import FitError
from deltatrain.accel.program import MODE_NAMES, NO_TENSOR, PHASES, STREAMS, Program
from deltatrain.accel.tiles import ONE_TILE, tile_of
from deltatrain.workloads.lowering.lowering import lower, lower_dense
from deltatrain.workloads.lowering.placement import LISTS_RECEIVED, SUMS_WAITING
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.trace import RecordedStep

_SLOW = settings(max_examples=40)
Case = tuple[Architecture, Shape, RecordedStep, str]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    shape = draw(shapes())
    return draw(architectures(most_tiles=6)), shape, draw(recordings(shape)), draw(READOUTS)


def _programs(case: Case, *, dense: bool) -> tuple[Program, Program]:
    """Return the program, and that of the same machine with one of its tiles."""
    architecture, shape, step, readout = case
    alone = architecture.model_copy(update={"tiles": ONE_TILE})
    several, one = (
        lower_dense(machine, shape, step.lengths, readout) if dense else lower(machine, shape, step, readout)
        for machine in (architecture, alone)
    )
    return several, one


def _columns(program: Program, op: int) -> list[int]:
    start = program.ops.list_start[op]
    return program.columns[start : start + program.ops.count[op]].tolist()


def _matrix_ops(program: Program) -> dict[tuple[str, ...], int]:
    ops = program.ops
    names = [program.tensors[tensor].name for tensor in ops.tensor]
    return {
        (MODE_NAMES[ops.mode[i]], names[i], str(ops.sample[i]), str(ops.step[i])): i
        for i in np.flatnonzero(ops.tensor != NO_TENSOR).tolist()
    }


@_SLOW
@given(cases(), st.booleans())
def test_tiles_together_do_the_work_of_one(case: Case, dense: bool) -> None:
    several, one = _programs(case, dense=dense)
    for number in range(len(PHASES)):
        work, alone = (program.work(program.ops.phase == number) for program in (several, one))
        assert work["macs"] == alone["macs"]
        assert work["compares"] == alone["compares"]
    ops, there = _matrix_ops(several), _matrix_ops(one)
    assert ops.keys() == there.keys()
    for name, op in ops.items():
        other = there[name]
        for field in ("total_count", "total_words", "dense_count", "rows"):
            assert getattr(several.ops, field)[op] == getattr(one.ops, field)[other]
        assert several.ops.count[op] * several.ops.words[op] <= one.ops.count[other] * one.ops.words[other]
        listed = _columns(several, op)
        if "readout" not in name[1]:
            assert sorted(listed) == _columns(one, other)
        if not dense and "readout" not in name[1] and name[0] != "update":
            layer, of_x = int(several.ops.layer[op]), STREAMS[several.ops.stream[op]] == "x"
            width = (case[1].inputs if of_x else case[1].hidden)[layer]
            elements = np.array([j for j in listed if j < width], dtype=np.int64)  # without the bias
            assert listed[: len(elements)] == elements.tolist()
            owners = tile_of(elements, case[0].engine.lanes, case[0].tiles.count)
            assert (np.diff(owners) >= 0).all()  # as the list is received


@_SLOW
@given(cases(), st.booleans())
def test_what_passes_between_tiles_waits_and_is_waited_for(case: Case, dense: bool) -> None:
    several, _ = _programs(case, dense=dense)
    ops = several.ops
    assert (ops.depends < np.arange(len(ops))[:, None]).all()
    machine = NaiveMachine(several)
    machine.run()
    at = {
        (
            machine.mode[i],
            machine.phase[i],
            STREAMS[ops.stream[i]],
            *map(int, (ops.layer[i], ops.sample[i], ops.step[i])),
        ): i
        for i in range(len(ops))
    }
    started, done, encoder = machine.start, machine.done, case[1].arithmetic.ENCODER

    def follows(later: int | None, earlier: int | None) -> None:
        if later is not None and earlier is not None:
            assert started[later] >= done[earlier]

    for (mode, phase, stream, layer, sample, step), op in at.items():
        if mode == "broadcast" and phase == "FP":
            here = layer, sample, step
            again, encoded = at["broadcast", "BP", stream, *here], at[encoder, "FP", stream, *here]
            follows(op, encoded)
            follows(at["matvec", "FP", stream, *here], op)
            follows(again, encoded)
            follows(again, at.get(("load", "BP", "x", *here)))
            follows(at["outer", "WG", stream, *here], again)
            product = at.get(("matvec_t", "BP", stream, *here))
            follows(product, again)
            assert (product is None) == (("reduce", "BP", stream, *here) not in at)
        if mode == "reduce" and phase == "BP":
            follows(op, at["matvec_t", "BP", stream, layer, sample, step])
            receiver = (layer, sample, step - 1) if stream == "h" else (layer - 1, sample, step)
            follows(at["cell_backward", "BP", "h", *receiver], op)
        if mode == "reduce" and phase == "FP":
            follows(op, at["matvec", "FP", "readout", layer, sample, step])
            follows(at["loss", "BP", "readout", layer, sample, step], op)
    _check_room(several, machine)


def _check_room(program: Program, machine: NaiveMachine) -> None:
    """Check that no list is received, and no sum made, before there is room for it."""
    ops = program.ops
    users: dict[int, list[int]] = {i: [i] for i in range(len(ops)) if machine.mode[i] == "broadcast"}
    for op in np.flatnonzero(ops.tensor != NO_TENSOR).tolist():
        for needed in ops.depends[op].tolist():
            if needed in users:
                users[needed].append(op)
    streams: dict[tuple[int, int], list[int]] = {}
    for op in users:
        streams.setdefault((int(ops.layer[op]), int(ops.stream[op])), []).append(op)
    for sent in streams.values():
        for before, later in zip(sent, sent[LISTS_RECEIVED:], strict=False):
            assert len(users[before]) > 1  # somebody reads it
            assert machine.start[later] >= max(machine.done[op] for op in users[before])
    sums = [(int(ops.depends[i, 0]), i) for i in range(len(ops)) if machine.mode[i] == "reduce"]
    assert all(machine.mode[made] in ("matvec", "matvec_t") for made, _ in sums)
    for (_, added), (made, _) in zip(sums, sums[SUMS_WAITING:], strict=False):
        assert machine.start[made] >= machine.done[added]


@pytest.mark.parametrize(
    ("cell", "width", "entry_beats", "sum_beats"),  # entries of 4 bytes, of spikes 2; sums of 5
    [("lstm", 1, 4, 5), ("lstm", 3, 2, 2), ("lstm", 4, 1, 2), ("lif_recurrent", 1, 2, 5), ("lif_recurrent", 8, 1, 1)],
)
def test_an_item_takes_the_cycles_in_which_its_bytes_pass(
    cell: str, width: int, entry_beats: int, sum_beats: int
) -> None:
    wires = {"tiles.count": 3, "tiles.exchange_bytes_per_cycle": width, "tiles.exchange_latency_cycles": 4}
    shape = Shape(CELL_ARITHMETIC.load(cell), (9, 12), (12, 6), 3)
    step = recorded_step(shape, np.array([4]), 0.4, 1)
    ops = lower(Architecture.named("tiny", wires), shape, step, "last").ops
    for mode, beats in (("broadcast", entry_beats), ("reduce", sum_beats)):
        assert set(ops.words[ops.mode == MODE_NAMES.index(mode)].tolist()) == {beats}
    reduced = ops.count[(ops.mode == MODE_NAMES.index("reduce")) & (ops.phase == PHASES.index("BP"))]
    products = ops.count[(ops.mode == MODE_NAMES.index("matvec_t")) & (ops.stream != STREAMS.index("readout"))]
    assert sorted(reduced.tolist()) == sorted(products.tolist())


@_SLOW
@given(cases())
def test_tiles_together_hold_what_one_holds(case: Case) -> None:
    several, one = _programs(case, dense=False)
    tiles = case[0].tiles.count
    for what, alone in one.local_bytes.items():
        if what != "column buffer":  # each tile has one
            assert alone <= tiles * several.local_bytes[what]
            copied = case[1].classes * 64 * int(case[2].lengths.max()) if what == "state" else 0  # logits, in each tile
            assert several.local_bytes[what] <= alone + copied
    for what, alone in one.remote_bytes.items():
        assert several.remote_bytes[what] >= alone  # wider words have more padding
        if what in ("inputs", "tape"):
            moved = several.ops.mode == MODE_NAMES.index("store")
            assert int(several.ops.count[moved].sum()) >= int(
                one.ops.count[one.ops.mode == MODE_NAMES.index("store")].sum()
            )


@pytest.mark.parametrize("what", ["weights", "gradients", "tape"])
def test_what_does_not_fit_is_named_with_the_bytes_missing_in_each_tile(what: str) -> None:
    shape = Shape(CELL_ARITHMETIC.load("gru"), (9,), (12,), 3)
    step = recorded_step(shape, np.array([5]), 0.5, 1)
    homes = {f"placement.{name}": "local" if name == what else "remote" for name in ("weights", "gradients", "tape")}
    wires = {"tiles.count": 3, "tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 4}
    roomy = lower(Architecture.named("tiny", homes | wires | {"local.bytes": 2**20}), shape, step, "last")
    needed = sum(size for use, size in roomy.local_bytes.items() if what == "tape" or use != "tape buffer")
    with pytest.raises(FitError, match=rf"with {what} .* {needed} bytes must fit in each tile, 7 bytes are missing"):
        lower(Architecture.named("tiny", homes | wires | {"local.bytes": needed - 7}), shape, step, "last")
