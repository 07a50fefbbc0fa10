"""A lowered training step: what is computed, on which columns, in which order, and where its bytes lie."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_machine import NaiveMachine
from programs import EVERY_CELL, READOUTS, architectures, recorded_step, recordings, shapes

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.errors import FitError
from deltatrain.accel.memory import Placement
from deltatrain.accel.modes import encode
from deltatrain.accel.program import MODE_NAMES, NO_OP, NO_TENSOR, PHASES, STREAMS, Program
from deltatrain.workloads.lowering.lowering import lower, lower_dense
from deltatrain.workloads.lowering.placement import state_bytes
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.trace import RecordedStep

_SLOW = settings(max_examples=60)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Architecture, Shape, RecordedStep, str]:
    shape = draw(shapes(cells=EVERY_CELL))
    return draw(architectures()), shape, draw(recordings(shape)), draw(READOUTS)


class Table:
    """The ops of a program by what they are."""

    def __init__(self, program: Program) -> None:
        ops = program.ops
        self.program = program
        self.row = {
            (
                MODE_NAMES[ops.mode[i]],
                STREAMS[ops.stream[i]],
                int(ops.layer[i]),
                int(ops.sample[i]),
                int(ops.step[i]),
            ): i
            for i in range(len(ops))
            if PHASES[ops.phase[i]] != "WU" and MODE_NAMES[ops.mode[i]] not in ("load", "store")
        }
        moves = [i for i in range(len(ops)) if MODE_NAMES[ops.mode[i]] in ("load", "store")]
        stores = {i for i in moves if MODE_NAMES[ops.mode[i]] == "store"}
        backward = {i for i in moves if PHASES[ops.phase[i]] == "BP"}
        self.store_tape = {self._place(i): i for i in stores}
        self.load_tape = {self._place(i): i for i in backward}
        self.load_x = {self._place(i): i for i in set(moves) - stores - backward}
        self.updates = [i for i in range(len(ops)) if MODE_NAMES[ops.mode[i]] == "update"]

    def _place(self, op: int) -> tuple[int, int, int]:
        ops = self.program.ops
        return int(ops.layer[op]), int(ops.sample[op]), int(ops.step[op])

    def __call__(self, mode: str, stream: str, layer: int, sample: int, step: int) -> int | None:
        return self.row.get((mode, stream, layer, sample, step))


def _places(shape: Shape, lengths: np.ndarray) -> Iterator[tuple[int, int, int]]:
    for layer in range(len(shape.hidden)):
        for sample, length in enumerate(lengths.tolist()):
            for step in range(length):
                yield layer, sample, step


@_SLOW
@given(cases())
def test_dependencies_point_backwards_and_the_table_names_what_exists(
    case: tuple[Architecture, Shape, RecordedStep, str],
) -> None:
    ops = lower(*case).ops
    rows = np.arange(len(ops))
    assert (ops.depends < rows[:, None]).all()
    assert (ops.list_from < rows).all()
    assert (ops.depends >= NO_OP).all()
    assert (ops.count >= 0).all()


@_SLOW
@given(cases())
def test_work_done_and_skipped_is_the_dense_work_in_closed_form(
    case: tuple[Architecture, Shape, RecordedStep, str],
) -> None:
    """After the operation counts of a delta LSTM (SensorsINI/RENETA at 1a957c9, sheet #op): with B blocks of H rows,
    B*H*I for the input part and B*H*H for the recurrent part of each product, of each step; the recurrent part from the
    second step on. On top here: each bias column, once if M is kept and else at every step, forward and as a gradient;
    and no gradient of the data.
    """
    architecture, shape, step, readout = case
    for program in (lower(*case), lower_dense(architecture, shape, step.lengths, readout)):
        ops = program.ops
        done = np.where(ops.tensor != NO_TENSOR, ops.count * ops.rows, 0)
        dense = np.where(ops.tensor != NO_TENSOR, ops.dense_count * ops.rows, 0)
        wanted = dict.fromkeys(PHASES, 0)
        arithmetic, reads = shape.arithmetic, 0
        for length in step.lengths.tolist():
            reads += 1 if readout == "last" else length
            for layer, (inputs, width) in enumerate(zip(shape.inputs, shape.hidden, strict=True)):
                rows_x, rows_h = len(arithmetic.BLOCKS_X) * width, len(arithmetic.BLOCKS_H) * width
                biases = length if arithmetic.ENCODER == "encode_spikes" else 1
                forward = rows_x * (inputs * length + arithmetic.BIAS_X * biases)
                forward += rows_h * (width * (length - 1) + arithmetic.BIAS_H * biases)
                wanted["FP"] += forward
                wanted["WG"] += forward
                wanted["BP"] += rows_h * width * (length - 1) + (rows_x * inputs * length if layer else 0)
        wanted["FP"] += reads * shape.classes * (shape.hidden[-1] + 1)
        wanted["WG"] += reads * shape.classes * (shape.hidden[-1] + 1)
        wanted["BP"] += reads * shape.classes * shape.hidden[-1]
        for inputs, width in zip(shape.inputs, shape.hidden, strict=True):
            wanted["WU"] += len(arithmetic.BLOCKS_X) * width * (inputs + arithmetic.BIAS_X)
            wanted["WU"] += len(arithmetic.BLOCKS_H) * width * (width + arithmetic.BIAS_H)
        wanted["WU"] += shape.classes * (shape.hidden[-1] + 1)
        assert (done <= dense).all()
        for number, phase in enumerate(PHASES):
            assert int(dense[ops.phase == number].sum()) == wanted[phase]
            assert program.work(ops.phase == number)["macs"] == int(done[ops.phase == number].sum())


@pytest.mark.parametrize(
    # Multiplications, bytes read and bytes written of a neuron, on 16 bits but for M, which has 40. Forward M and the
    # state; tape, state and h. Backward the tape, g(h) in one or two parts, g(M) and the carry; the last two.
    ("cell", "forward", "backward"),
    [
        ("rnn", (0, 5, 2 + 2), (2, 2 + 4 + 2, 2)),
        ("gru", (3, 4 * 5 + 2, 8 + 2 + 2), (12, 10 + 4 + 8 + 2, 8 + 2)),
        ("lstm", (3, 4 * 5 + 2, 10 + 2 + 2), (16, 12 + 4 + 8 + 2, 8 + 2)),
        ("lif", (1, 5 + 2, 2 + 2), (2, 2 + 2 + 2, 2)),
        ("lif_recurrent", (1, 5 + 2, 2 + 2), (2, 2 + 4 + 2, 2)),
    ],
)
@pytest.mark.parametrize("tiles", [1, 3])
def test_the_element_wise_unit_works_on_every_neuron_once_a_step(
    cell: str, forward: tuple[int, int, int], backward: tuple[int, int, int], tiles: int
) -> None:
    """5 and 7 neurons, 4 and 2 steps; two logits' losses of three classes, which every tile works out for itself."""
    wires = {"tiles.count": tiles, "tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 4}
    shape = Shape(CELL_ARITHMETIC.load(cell), (4, 5), (5, 7), 3)
    program = lower(Architecture.named("tiny", wires), shape, recorded_step(shape, np.array([4, 2]), 0.5, 1), "last")
    neurons = (5 + 7) * (4 + 2)
    for mode, (multiplies, read_bytes, written_bytes) in (("cell_forward", forward), ("cell_backward", backward)):
        work = program.work(program.ops.mode == MODE_NAMES.index(mode))
        assert work["multiplies"] == neurons * multiplies
        assert work["local_read_bytes"] == neurons * read_bytes
        assert work["local_write_bytes"] == neurons * written_bytes
    losses = program.work(program.ops.mode == MODE_NAMES.index("loss"))
    classes = 2 * 3 * tiles
    assert losses["multiplies"] == classes
    assert losses["local_read_bytes"] == 3 * 5 * classes and losses["local_write_bytes"] == 2 * classes


@_SLOW
@given(cases())
def test_a_move_takes_a_cycle_of_the_port_for_every_width_of_its_bytes(
    case: tuple[Architecture, Shape, RecordedStep, str],
) -> None:
    ops, width = lower(*case).ops, case[0].dma.bytes_per_cycle
    moves = np.isin(ops.mode, [MODE_NAMES.index("load"), MODE_NAMES.index("store")])
    assert moves.any()
    assert ops.words[moves].tolist() == [len(range(0, size, width)) for size in ops.count[moves].tolist()]


def test_every_step_that_is_classified_has_room_for_its_logits_and_its_h() -> None:
    """Six steps, the longer sample's, of three gradients and 7 values of h; one h is there anyway."""
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (4, 5), (5, 7), 3)
    step, machine = recorded_step(shape, np.array([2, 6]), 0.5, 1), Architecture.named("tiny")
    last, every = (lower(machine, shape, step, readout).local_bytes["state"] for readout in ("last", "every"))
    assert last == state_bytes(machine, shape) + 3 * 2
    assert every == state_bytes(machine, shape) + 6 * 3 * 2 + (6 - 1) * 7 * 2


@pytest.mark.parametrize(("lanes", "chunks"), [(1, 7), (2, 4), (4, 2), (8, 1)])
def test_the_element_wise_unit_takes_neurons_by_its_own_lanes(lanes: int, chunks: int) -> None:
    """An LSTM's neuron holds its lane for 5 cycles forward, 8 backward; the lanes of the engine are others."""
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (4,), (7,), 3)
    machine = Architecture.named("tiny", {"engine.elementwise_lanes": lanes})
    program = lower(machine, shape, recorded_step(shape, np.array([2]), 0.5, 1), "last")
    for mode, slots in (("cell_forward", 5), ("cell_backward", 8)):
        assert set(program.issue_cycles[program.ops.mode == MODE_NAMES.index(mode)].tolist()) == {slots * chunks}


@_SLOW
@given(cases())
def test_the_columns_of_every_op_are_those_that_fired(case: tuple[Architecture, Shape, RecordedStep, str]) -> None:
    architecture, shape, step, _ = case
    program = lower(*case)
    table, ops = Table(program), program.ops

    def columns(op: int) -> list[int]:
        return program.columns[ops.list_start[op] : ops.list_start[op] + ops.count[op]].tolist()

    for layer, sample, t in _places(shape, step.lengths):
        for stream, mask, listed, bias in (
            ("x", step.fired_x[layer], (step.asked_x or step.fired_x)[layer], shape.arithmetic.BIAS_X),
            ("h", step.fired_h[layer], (step.asked_h or step.fired_h)[layer], shape.arithmetic.BIAS_H),
        ):
            none = stream == "h" and not shape.arithmetic.BLOCKS_H
            fired, asked = np.flatnonzero(mask[t, sample]).tolist(), np.flatnonzero(listed[t, sample]).tolist()
            biased = bias and (t == 0 or shape.arithmetic.ENCODER == "encode_spikes")
            with_bias = fired + [mask.shape[-1]] * biased
            for mode in ("matvec", "outer"):
                op = table(mode, stream, layer, sample, t)
                assert (op is None) == (none or (stream == "h" and t == 0 and not bias))
                if op is not None:
                    assert columns(op) == with_bias
            op = table("matvec_t", stream, layer, sample, t)
            assert (op is None) == (none or (stream == "h" and t == 0) or (stream == "x" and layer == 0))
            if op is not None:
                silent = sorted(set(asked) - set(fired))  # spikes come first: `matvec` and `outer` stop behind them
                assert columns(op) == fired + silent
            op = table(shape.arithmetic.ENCODER, stream, layer, sample, t)
            assert (op is None) == (none or (stream == "h" and t == 0))
            if op is not None:
                assert int(ops.words[op]) == int(encode.scan_cycles(listed[t, sample], architecture.engine))
                assert int(ops.rows[op]) == mask.shape[-1]
    for op in table.updates:
        assert columns(op) == list(range(program.tensors[ops.tensor[op]].columns))


@_SLOW
@given(cases(), st.booleans())
def test_no_two_tensors_share_a_byte_and_all_lie_in_their_memory(
    case: tuple[Architecture, Shape, RecordedStep, str], dense: bool
) -> None:
    architecture, shape, step, readout = case
    program = lower_dense(architecture, shape, step.lengths, readout) if dense else lower(*case)
    ops, table = program.ops, Table(program)
    used = [(t.address, t.address + t.bytes, t.name) for t in program.tensors if t.remote]
    used += [(int(ops.address[op]), int(ops.address[op] + ops.count[op]), "input") for op in table.load_x.values()]
    for (layer, sample, t), op in table.store_tape.items():
        if sample == int(np.argmax(step.lengths)):  # samples follow each other and use the same place
            used.append((int(ops.address[op]), int(ops.address[op] + ops.count[op]), f"tape {layer} {t}"))
    used.sort()
    assert used[0][0] >= 0
    for (_, end, name), (begin, _, other) in itertools.pairwise(used):
        assert end <= begin, (name, other)
    assert used[-1][1] <= sum(program.remote_bytes.values()) <= architecture.remote.bytes
    assert sum(program.local_bytes.values()) <= architecture.local.bytes


def _tape_words(shape: Shape, layer: int, lanes: int, value_bits: int) -> int:
    """Lay what a lane keeps of each of its neurons into words, one after the other."""
    arithmetic, bits, words, room = shape.arithmetic, shape.code_bits, 0, 0
    for _ in range(0, shape.hidden[layer], lanes):
        for vector in arithmetic.TAPE:
            if bits is None or vector not in arithmetic.SQUASHED:
                words += 1
                continue
            code = bits + (not arithmetic.SQUARED)
            if room < code:
                words, room = words + 1, value_bits
            room -= code
    return words


@_SLOW
@given(cases())
def test_a_load_of_the_tape_reads_what_the_store_wrote(case: tuple[Architecture, Shape, RecordedStep, str]) -> None:
    _, shape, step, _ = case
    program = lower(*case)
    ops, table = program.ops, Table(program)
    remote = case[0].placement.tape == "remote"
    places = set(_places(shape, step.lengths)) if remote else set()
    assert set(table.load_tape) == set(table.store_tape) == places
    engine = case[0].engine
    value = max(getattr(engine.formats, name).bytes for name in ("gate", "state", "activation"))

    def words(values_bytes: int) -> int:
        return len(range(0, values_bytes, engine.lanes * value))

    for place, load in table.load_tape.items():
        store = table.store_tape[place]
        assert (ops.address[load], ops.count[load]) == (ops.address[store], ops.count[store])
        assert store in ops.depends[load]
        layer, sample, t = place
        moved = _tape_words(shape, layer, engine.lanes, 8 * value)
        for listed in (step.asked_x or step.fired_x, step.asked_h or step.fired_h):
            moved += words(int(listed[layer][t, sample].sum()) * shape.encoder.list_entry_bytes(engine))
        assert ops.count[load] == moved * engine.lanes * value


@_SLOW
@given(cases())
def test_what_the_buffer_of_the_tape_holds_is_not_overwritten(
    case: tuple[Architecture, Shape, RecordedStep, str],
) -> None:
    architecture, shape, step, readout = case
    program = lower(architecture.model_copy(update={"placement": _tape_remote(architecture)}), shape, step, readout)
    machine, table, ops = NaiveMachine(program), Table(program), program.ops
    machine.run()
    places = max(2, architecture.dma.in_flight)
    last_gates = {
        sample: max(
            machine.done[op] for place, op in table.row.items() if (place[0], place[3]) == ("cell_forward", sample)
        )
        for sample in range(len(step.lengths))
    }
    for layer, sample, t in _places(shape, step.lengths):
        at = (layer, sample)
        stored, loaded = machine.done[table.store_tape[*at, t]], machine.start[table.load_tape[*at, t]]
        later = table("cell_forward", "h", *at, t + places)
        assert later is None or machine.start[later] >= stored
        assert loaded >= last_gates[sample]  # one write port serves gates and loads
        for mode, stream in itertools.product(("matvec_t", "outer"), ("x", "h")):
            reader = table(mode, stream, *at, t + places)
            assert reader is None or loaded >= machine.done[reader]
        for ahead in (places, places + 1):  # of the state of the step before there is a place more
            reader = table("cell_backward", "h", *at, t + ahead)
            assert reader is None or loaded >= machine.done[reader]
    # Lists lie in a ring, one behind the other; none may be overwritten that was not stored.
    encodes = [op for op in range(len(ops)) if machine.mode[op] == shape.arithmetic.ENCODER]
    freed = [machine.done[table.store_tape[table._place(op)]] for op in encodes]
    room, first = (places + 2) * (sum(shape.inputs) + sum(shape.hidden)), 0
    for number, op in enumerate(encodes):
        while freed[first] <= machine.start[op]:
            first += 1
        assert int(ops.rows[encodes[first : number + 1]].sum()) <= room


def _tape_remote(architecture: Architecture) -> Placement:
    return architecture.placement.model_copy(update={"tape": "remote"})


@_SLOW
@given(cases(), st.booleans())
def test_recurrence_and_buffers_are_respected_when_run(
    case: tuple[Architecture, Shape, RecordedStep, str], dense: bool
) -> None:
    architecture, shape, step, readout = case
    program = lower_dense(architecture, shape, step.lengths, readout) if dense else lower(*case)
    machine, table = NaiveMachine(program), Table(program)
    machine.run()

    def follows(later: int | None, earlier: int | None) -> None:
        if later is not None and earlier is not None:
            assert machine.start[later] >= machine.done[earlier]

    top = len(shape.hidden) - 1
    for layer, sample, t in _places(shape, step.lengths):
        at = (layer, sample)
        arithmetic, backward = table("cell_forward", "h", *at, t), table("cell_backward", "h", *at, t)
        # forward
        follows(table(shape.arithmetic.ENCODER, "h", *at, t), table("cell_forward", "h", *at, t - 1))
        if layer == 0:
            follows(table(shape.arithmetic.ENCODER, "x", *at, t), table.load_x[0, sample, t])
        else:
            follows(table(shape.arithmetic.ENCODER, "x", *at, t), table("cell_forward", "h", layer - 1, sample, t))
        for stream in ("x", "h"):
            follows(table("matvec", stream, *at, t), table(shape.arithmetic.ENCODER, stream, *at, t))
            follows(arithmetic, table("matvec", stream, *at, t))
        # backward
        follows(backward, table("matvec_t", "h", *at, t + 1))
        follows(backward, table("matvec_t", "x", layer + 1, sample, t))
        follows(backward, arithmetic)
        follows(backward, table.load_tape.get((layer, sample, t)))
        for stream in ("x", "h"):
            for mode in ("matvec_t", "outer"):
                follows(table(mode, stream, *at, t), backward)
        # M, g(M) and h have two banks each: nobody writes one that is still read
        follows(table("matvec", "x", *at, t + 2), arithmetic)
        follows(table("cell_forward", "h", *at, t + 2), table(shape.arithmetic.ENCODER, "x", layer + 1, sample, t))
        for stream in ("x", "h"):
            earlier, later = table("outer", stream, *at, t + 2), backward
            if earlier is not None and later is not None:
                assert machine.start[later] >= machine.start[earlier] + machine.issue[earlier]
        if layer == top and (readout == "every" or t == step.lengths[sample] - 1):
            read, loss, back = (table(m, "readout", top, sample, t) for m in ("matvec", "loss", "matvec_t"))
            assert None not in (read, loss, back)
            follows(read, arithmetic)
            follows(loss, read)
            follows(back, loss)
            follows(backward, back)
    for op in table.updates:
        for other in range(op):
            if program.ops.tensor[other] == program.ops.second_tensor[op]:
                follows(op, other)


def test_input_deltas_run_ahead_of_the_recurrence() -> None:
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (8,), (8,), 3)
    step = recorded_step(shape, np.array([12]), 0.5, 1)
    program = lower(Architecture.named("tiny"), shape, step, "last")
    machine, table = NaiveMachine(program), Table(program)
    machine.run()
    ahead = 0
    for t in range(1, 12):
        encoded, arithmetic = table(shape.arithmetic.ENCODER, "x", 0, 0, t), table("cell_forward", "h", 0, 0, t - 1)
        assert encoded is not None
        assert arithmetic is not None
        ahead += machine.done[encoded] < machine.done[arithmetic]
    assert ahead >= 10


@_SLOW
@given(shapes(cells=EVERY_CELL), architectures(), st.lists(st.integers(1, 6), min_size=1, max_size=3), READOUTS)
def test_dense_is_all_fired_but_for_the_lists(
    shape: Shape, architecture: Architecture, lengths: list[int], readout: str
) -> None:
    step = recorded_step(shape, np.array(lengths), 2.0, 0)
    fired, dense = lower(architecture, shape, step, readout), lower_dense(architecture, shape, step.lengths, readout)
    encodes = fired.ops.mode == MODE_NAMES.index(shape.arithmetic.ENCODER)
    tape = np.isin(fired.ops.mode, [MODE_NAMES.index("load"), MODE_NAMES.index("store")])
    same = ("mode", "phase", "stream", "layer", "step", "sample", "rows", "dense_count", "tensor", "second_tensor")
    for name in (*same, "depends", "list_from"):
        assert (getattr(fired.ops, name) == getattr(dense.ops, name)).all(), name
    assert (fired.ops.count[~tape] == dense.ops.count[~tape]).all()
    assert (fired.ops.words[~tape & ~encodes] == dense.ops.words[~tape & ~encodes]).all()
    assert (fired.ops.words[encodes] >= dense.ops.words[encodes]).all()
    assert (fired.ops.count[tape] >= dense.ops.count[tape]).all()
    for op in np.flatnonzero(fired.ops.tensor != NO_TENSOR).tolist():
        one, other = (p.columns[p.ops.list_start[op] : p.ops.list_start[op] + p.ops.count[op]] for p in (fired, dense))
        assert (one == other).all()


@pytest.mark.parametrize("what", ["weights", "gradients", "tape"])
@pytest.mark.parametrize("memory", ["local", "remote"])
def test_what_does_not_fit_is_named_with_the_memory_and_the_missing_bytes(what: str, memory: str) -> None:
    shape = Shape(CELL_ARITHMETIC.load("gru"), (9,), (12,), 3)
    step = recorded_step(shape, np.array([5]), 0.5, 1)
    other = "remote" if memory == "local" else "local"
    homes = {f"placement.{name}": memory if name == what else other for name in ("weights", "gradients", "tape")}
    roomy = lower(Architecture.named("tiny", homes | {"local.bytes": 2**20}), shape, step, "last")
    needed = sum((roomy.local_bytes if memory == "local" else roomy.remote_bytes).values())
    if memory == "local" and what != "tape":
        needed = sum(v for k, v in roomy.local_bytes.items() if k != "tape buffer")
    room = {f"{memory}.bytes": needed, **({} if memory == "local" else {"local.bytes": 2**20})}
    tight = {f"{memory}.bytes": needed - 7}
    with pytest.raises(FitError) as caught:
        lower(Architecture.named("tiny", homes | room | tight), shape, step, "last")
    message = str(caught.value)
    assert "\n" not in message
    assert f"{memory}.bytes" in message
    assert what in message
    assert "7 bytes are missing" in message


def test_state_that_does_not_fit_is_said_before_anything_else() -> None:
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (4,), (64,), 3)
    machine = Architecture.named("tiny", {"local.bytes": 1000})
    loss = shape.classes * machine.engine.formats.gradient.bytes
    missing = state_bytes(machine, shape) + loss + machine.dma.buffer_bytes - 1000
    with pytest.raises(FitError, match=rf"neurons' state.* {missing} bytes are missing"):
        lower(machine, shape, recorded_step(shape, np.array([2]), 0.5, 1), "last")


def test_a_program_beyond_the_memory_of_the_host_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deltatrain.accel.host_memory.free_bytes", lambda: 10**7)
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (4,), (4,), 3)
    lower_dense(Architecture.named("tiny"), shape, np.array([1000]), "last")
    with pytest.raises(MemoryError, match="a program of 4,000 steps of a layer takes 20 MB, and 10 MB are free"):
        lower_dense(Architecture.named("tiny"), shape, np.array([1000, 3000]), "last")
