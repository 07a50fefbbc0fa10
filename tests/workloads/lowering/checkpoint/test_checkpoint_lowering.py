"""Checkpoint schedules as programs: what is run, moved and held is what the schedule says, and nothing overflows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from checkpoint_programs import Case, cases, checkpointed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naive_machine import NaiveMachine
from programs import READOUTS, architectures, recorded_step, recordings, shapes

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.errors import FitError
from deltatrain.accel.program import MODE_NAMES, NO_OP, PHASES, STREAMS, Ops, Program
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.lowering.checkpoint.schedule import RUNS_FORWARD, Action, Budget, CheckpointSchedule, Costs
from deltatrain.workloads.lowering.checkpoint.segments import taped
from deltatrain.workloads.lowering.lists import Lists, fired_lists
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.state import State
from deltatrain.workloads.lowering.tape import Tape
from deltatrain.workloads.trace import RecordedStep

_SLOW = settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


def same_ops(one: Program, other: Program) -> bool:
    return all((getattr(one.ops, name) == getattr(other.ops, name)).all() for name in Ops.blank(0))


@_SLOW
@given(st.data())
def test_keeping_everything_is_the_plain_program(data: st.DataObject) -> None:
    machine, shape = data.draw(architectures()), data.draw(shapes())
    step, readout = data.draw(recordings(shape)), data.draw(READOUTS)
    local = machine.model_copy(update={"placement": machine.placement.model_copy(update={"tape": "local"})})
    scheduled = lower(local, shape, step, readout, lambda steps, budget: CheckpointSchedule.of(steps, taped(0, steps)))
    assert same_ops(lower(local, shape, step, readout), scheduled)


@_SLOW
@given(st.data(), st.sampled_from([("store_all", "local"), ("tape_to_dram", "remote")]))
def test_the_two_plain_policies_are_the_two_homes_of_the_tape(data: st.DataObject, named: tuple[str, str]) -> None:
    policy, home = named
    machine, shape = data.draw(architectures()), data.draw(shapes())
    step, readout = data.draw(recordings(shape)), data.draw(READOUTS)
    placed = machine.model_copy(update={"placement": machine.placement.model_copy(update={"tape": home})})
    chosen = machine.model_copy(update={"checkpoint": machine.checkpoint.model_copy(update={"policy": policy})})
    one, other = lower(placed, shape, step, readout), lower(chosen, shape, step, readout)
    assert same_ops(one, other)
    assert (one.local_bytes, one.remote_bytes) == (other.local_bytes, other.remote_bytes)


def counted(case: Case) -> Counter[tuple[str, str, str]]:
    """Return how many ops of each mode, phase and stream there are."""
    ops = case.program.ops
    columns = zip(ops.mode.tolist(), ops.phase.tolist(), ops.stream.tolist(), strict=True)
    return Counter((MODE_NAMES[mode], PHASES[phase], STREAMS[stream]) for mode, phase, stream in columns)


@_SLOW
@given(cases())
def test_ops_are_those_of_the_schedule(case: Case) -> None:
    arithmetic = case.shape.arithmetic
    layers, bias_h, returns, encoder = (
        len(case.shape.hidden),
        arithmetic.BIAS_H,
        bool(arithmetic.BLOCKS_H),
        arithmetic.ENCODER,
    )
    wanted: Counter[tuple[str, str, str]] = Counter()
    for schedule in case.schedules:
        seen: set[int] = set()
        for action, start, stop in schedule.rows():
            steps = range(start, stop)
            for t in steps if action in RUNS_FORWARD else ():
                phase = "RF" if t in seen else "FP"
                seen.add(t)
                wanted["load", phase, "x"] += 1
                for kind in ((encoder, "x"), ("matvec", "x"), ("cell_forward", "h")):
                    wanted[kind[0], phase, kind[1]] += layers
                wanted[encoder, phase, "h"] += layers * (t > 0) * returns
                wanted["matvec", phase, "h"] += layers * ((t > 0) * returns or bias_h)
            for t in steps if action == Action.REVERSE else ():
                wanted["cell_backward", "BP", "h"] += layers
                wanted["matvec_t", "BP", "h"] += layers * (t > 0) * returns
                wanted["matvec_t", "BP", "x"] += layers - 1
                wanted["outer", "WG", "x"] += layers
                wanted["outer", "WG", "h"] += layers * ((t > 0) * returns or bias_h)
            for t in steps if action == Action.BACKTRACK else ():
                wanted["cell_forward", "RF", "h"] += layers
                wanted["matvec", "RF", "x"] += layers
                wanted["matvec", "RF", "h"] += layers * (t > 0 or bias_h)
            # A state is copied in local memory when it is kept and when it is brought back; state 0 is known.
            copies = action == Action.SAVE_STATE_LOCAL or (action == Action.LOAD_STATE_LOCAL and start > 0)
            phase = "RF" if action == Action.LOAD_STATE_LOCAL or start in seen else "FP"
            wanted["copy", phase, "h"] += layers * copies
            wanted["store", phase, "x"] += layers * (action == Action.SAVE_STATE_REMOTE)
            wanted["load", "RF", "x"] += layers * (action == Action.LOAD_STATE_REMOTE)
            wanted["load", "BP", "x"] += layers * len(steps) * (action == Action.LOAD_TAPE_REMOTE)
            if action == Action.SAVE_TAPE_REMOTE:
                again = len(seen) > stop  # the last pass over these steps was not the first
                wanted["store", "RF" if again else "FP", "x"] += layers * len(steps)
        reads = 1 if case.readout == "last" else schedule.steps
        wanted += Counter(
            {
                ("matvec", "FP", "readout"): reads,
                ("loss", "BP", "readout"): reads,
                ("matvec_t", "BP", "readout"): reads,
                ("outer", "WG", "readout"): reads,
            }
        )
    found = counted(case)
    found = Counter({kind: count for kind, count in found.items() if kind[1] != "WU"})
    assert found == +wanted


@_SLOW
@given(cases())
def test_steps_run_are_those_of_the_closed_forms(case: Case) -> None:
    ops = case.program.ops
    arithmetic = (ops.mode == MODE_NAMES.index("cell_forward")) & (ops.layer == 0)
    demand, lengths = POLICIES.load(case.policy).demand, case.step.lengths.tolist()
    steps = sum(demand(length, case.budget, case.costs).forward_steps for length in lengths)
    undone = int(
        sum(
            s.stop[s.action == Action.BACKTRACK].sum() - s.start[s.action == Action.BACKTRACK].sum()
            for s in case.schedules
        )
    )
    assert arithmetic.sum() == steps + undone
    assert (arithmetic & (ops.phase == PHASES.index("FP"))).sum() == sum(lengths)


@_SLOW
@given(cases(most_tiles=3))
def test_work_but_for_what_is_run_again_is_that_of_the_plain_program(case: Case) -> None:
    plain = lower(case.architecture, case.shape, case.step, case.readout)
    for number, phase in enumerate(PHASES):
        if phase != "RF":
            chosen = case.program.ops.phase == number
            assert case.program.work(chosen)["macs"] == plain.work(plain.ops.phase == number)["macs"]
    forward = plain.work((plain.ops.phase == PHASES.index("FP")) & (plain.ops.stream != STREAMS.index("readout")))
    again = case.program.work(case.program.ops.phase == PHASES.index("RF"))

    assert (again["macs"] > 0) <= (forward["macs"] > 0)


@_SLOW
@given(cases())
def test_bytes_moved_are_those_of_the_schedule(case: Case) -> None:
    ops, state = case.program.ops, State(case.architecture, case.shape).bytes.sum()
    tape = Tape(case.architecture, case.shape, _lists(case))
    x = -(-case.shape.inputs[0] // case.architecture.engine.lanes) * case.architecture.engine.lanes
    stored = loaded = 0
    for sample, schedule in enumerate(case.schedules):
        for action, start, stop in schedule.rows():
            of_tapes = int(tape.bytes[:, sample, start:stop].sum())
            loaded += (action in RUNS_FORWARD) * (stop - start) * x * case.architecture.engine.formats.activation.bytes
            stored += (action == Action.SAVE_STATE_REMOTE) * state + (action == Action.SAVE_TAPE_REMOTE) * of_tapes
            loaded += (action == Action.LOAD_STATE_REMOTE) * state + (action == Action.LOAD_TAPE_REMOTE) * of_tapes
    assert ops.count[ops.mode == MODE_NAMES.index("store")].sum() == stored
    assert ops.count[ops.mode == MODE_NAMES.index("load")].sum() == loaded


def _lists(case: Case) -> Lists:
    return fired_lists(case.step, case.shape, case.architecture.engine)


@_SLOW
@given(cases())
def test_dependencies_point_backwards_and_tapes_and_states_do_not_share_a_byte(case: Case) -> None:
    ops = case.program.ops
    rows = np.arange(len(ops))
    assert (ops.depends < rows[:, None]).all() and (ops.list_from < rows).all() and (ops.depends >= NO_OP).all()
    assert sum(case.program.local_bytes.values()) <= case.architecture.local.bytes
    moves = [op for op in rows.tolist() if MODE_NAMES[ops.mode[op]] in ("load", "store")]
    there: dict[int, tuple[int, int, int, int]] = {}
    for op in moves:
        address, size = int(ops.address[op]), int(ops.count[op])
        what = int(ops.layer[op]), int(ops.sample[op]), int(ops.step[op]), size
        assert address + size <= sum(case.program.remote_bytes.values())
        if MODE_NAMES[ops.mode[op]] == "store":
            there = {a: w for a, w in there.items() if a + w[3] <= address or address + size <= a}
            there[address] = what
        elif address in there:
            assert there[address] == what  # what is loaded is what was stored there last
        else:
            assert PHASES[ops.phase[op]] in ("FP", "RF") and size == ops.count[moves[0]]  # an input


@_SLOW
@given(cases(most_tiles=3))
def test_local_memory_never_holds_more_than_is_booked_at_any_cycle(case: Case) -> None:
    """Taken when the op that fills it starts, given back when the op that empties it is done."""
    machine, program = NaiveMachine(case.program), case.program
    machine.run()
    booked = program.local_bytes["tape"] + program.local_bytes["checkpoints"]
    assert booked <= (case.architecture.checkpoint.local_bytes or 0)
    events: Counter[int] = Counter()
    held = 0
    for op, now in program.kept_bytes.tolist():
        change, held = now - held, now
        events[machine.start[op] if change > 0 else machine.done[op]] += change
    assert held == 0
    over_time = np.cumsum([change for _, change in sorted(events.items())])
    assert over_time.max(initial=0) <= booked
    assert over_time.min(initial=0) >= 0


class WorkingState:
    """Which state each part of a layer's working state is, 0 to T: held copies, delta memory, h; replayed in time."""

    def __init__(self, case: Case) -> None:
        self.ops = case.program.ops
        self.x_hat, self.memory, self.h = ([0] * len(case.shape.hidden) for _ in range(3))

    def kind(self, op: int) -> tuple[str, str]:
        ops = self.ops
        mode, stream = MODE_NAMES[ops.mode[op]], STREAMS[ops.stream[op]]
        mode = "encode" if mode == "encode_spikes" else mode
        first = int(ops.depends[op, 0])
        undoes = mode == "matvec" and first != NO_OP and MODE_NAMES[ops.mode[first]] == "cell_forward"
        if mode == "cell_forward" and self.remakes(op):
            return "remake", stream
        return ("undo", stream) if undoes and stream != "readout" else (mode, stream)

    def remakes(self, op: int) -> bool:
        """Tell whether gates are those of a step being undone: forward, they wait for their own step's products."""
        waits = [d for d in self.ops.depends[op].tolist() if d != NO_OP]
        return not any(
            self.ops.step[d] == self.ops.step[op] and MODE_NAMES[self.ops.mode[d]] == "matvec" for d in waits
        )

    def begin(self, op: int) -> None:
        layer, t = int(self.ops.layer[op]), int(self.ops.step[op])
        match self.kind(op):
            case "encode", "x":
                assert t in (0, self.x_hat[layer])
                assert layer == 0 or self.h[layer - 1] in (t + 1, t + 2)  # h has two banks
                self.x_hat[layer] = t + 1
            case "encode", "h":
                assert self.h[layer] == t
            case "matvec", "x":
                assert t in (0, self.memory[layer])
                self.memory[layer] = t + 1
            case "cell_forward", _:
                assert t in (0, self.h[layer])
                assert self.memory[layer] in (t + 1, t + 2)  # M has two banks
                self.h[layer] = t + 1
            case "undo", "x":
                assert self.memory[layer] == t + 1
                self.memory[layer] = t
            case "copy", _:  # keeps state t, or makes it the working state
                self.x_hat[layer] = self.memory[layer] = self.h[layer] = t

    def end(self, op: int) -> None:
        layer, t = int(self.ops.layer[op]), int(self.ops.step[op])
        if self.kind(op) == ("copy", "h"):
            assert self.x_hat[layer] == self.memory[layer] == self.h[layer] == t
        if self.kind(op) == ("encode", "h"):
            assert self.h[layer] == t
        if self.kind(op) == ("encode", "x") and layer:
            assert self.h[layer - 1] in (t + 1, t + 2)  # h has two banks


@_SLOW
@given(cases(most_tiles=3))
def test_every_run_starts_from_its_state(case: Case) -> None:
    """In the order of time; a copy that came too late, or too early, would leave the next run with another state."""
    machine, state = NaiveMachine(case.program), WorkingState(case)
    machine.run()
    begins = [(machine.start[op], 1, op) for op in machine.start if PHASES[machine.ops.phase[op]] in ("FP", "RF")]
    ends = [(machine.done[op], 0, op) for _, _, op in begins]
    for _, begin, op in sorted(begins + ends):
        (state.begin if begin else state.end)(op)


@_SLOW
@given(cases(overlap=False))
def test_without_overlap_nothing_runs_beside_a_transfer(case: Case) -> None:
    machine, ops = NaiveMachine(case.program), case.program.ops
    machine.run()
    inputs = (
        (ops.mode == MODE_NAMES.index("load"))
        & (ops.layer == 0)
        & np.isin(ops.phase, [PHASES.index("FP"), PHASES.index("RF")])
    )
    first_state = case.program.remote_bytes
    for op in np.flatnonzero(np.isin(ops.mode, [MODE_NAMES.index("load"), MODE_NAMES.index("store")])).tolist():
        if (
            inputs[op]
            and ops.address[op] < sum(first_state.values()) - first_state["tape"] - first_state["checkpoints"]
        ):
            continue
        for other in range(len(ops)):
            assert machine.done[other] <= machine.start[op] or other >= op
            assert machine.start[other] >= machine.done[op] or other <= op


@pytest.mark.parametrize("policy", ["segment_dram", "double", "tape_to_dram"])
def test_off_chip_is_a_place_for_every_state_and_tape_that_is_there_at_once(policy: str) -> None:
    """Of the longer sample; whatever the schedule has sent and not freed, counted row by row."""
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (9, 12), (12, 8), 3)
    machine = Architecture.named("tiny", {"checkpoint.local_bytes": 3000, "checkpoint.policy": policy})
    case = checkpointed(machine, shape, _recorded(shape, [14, 30]), "last", policy, Costs(5, 9, 4, 4, 4, 4))
    most = Counter({"STATE": 0, "TAPE": 0})
    for schedule in case.schedules:
        there: Counter[str] = Counter()
        for action, start, stop in schedule.rows():
            match Action(action).name.split("_"):
                case ["SAVE", what, "REMOTE"]:
                    there[what] += stop - start
                case ["FREE", what, "REMOTE"]:
                    there[what] -= stop - start
            most |= there
    state = State(machine, shape).bytes.sum()
    tape = Tape(machine, shape, _lists(case)).slot_bytes.sum()
    assert case.program.remote_bytes["checkpoints"] == most["STATE"] * state
    assert case.program.remote_bytes["tape"] == most["TAPE"] * tape
    assert max(most.values()) > 1


def test_steps_that_will_be_undone_keep_their_residues_alone() -> None:
    """All but the last of 20 steps, in which everything fires; there is no room for half of the tapes."""
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (4,), (12,), 3)
    step = recorded_step(shape, np.array([20]), 2.0, 1)
    vector = 3 * 4 * 2  # 12 neurons are three words of four values of 2 bytes; an entry takes 4
    lists, values = 2 * 4 * 2 + 6 * 4 * 2, 6 * vector
    residue, tape = vector + lists, values + lists
    room = 19 * residue + tape
    assert room < 10 * tape
    machine = Architecture.named("tiny", {"checkpoint.local_bytes": room, "checkpoint.policy": "reversible"})
    case = checkpointed(machine, shape, step, "last", "reversible", Costs(5, 9, 1, 1, 1, 1, 0, 0, 5))
    assert (case.budget.residue_bytes, case.budget.tape_bytes) == (residue, tape)
    first = 6 * 4 * 2  # step 0 lists nothing of h
    assert case.program.local_bytes["tape"] == room - first


def test_off_chip_is_room_for_what_all_tiles_keep() -> None:
    """A budget is told in the bytes of one tile: as many states, or tapes, as it allows fit the memory with all parts.

    With many logits a step, which stay in the tile, a tape's part in it is large, and a state's is the smaller one.
    """
    tiles = {"tiles.count": 4, "tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 4}
    room = {"remote.bytes": 20_000, "local.bytes": 2**20, "checkpoint.policy": "store_all"}
    machine, shape = Architecture.named("tiny", tiles | room), Shape(CELL_ARITHMETIC.load("lstm"), (16,), (32,), 60)
    budgets: list[Budget] = []

    def schedule_of(steps: int, budget: Budget) -> CheckpointSchedule:
        budgets.append(budget)
        return CheckpointSchedule.of(steps, taped(0, steps))

    step = recorded_step(shape, np.array([6]), 2.0, 1)
    program = lower(machine, shape, step, "every", schedule_of)
    ((state, tape, _, remote, *_),) = budgets
    tapes = Tape(machine, shape, fired_lists(step, shape, machine.engine, 4))
    free = machine.remote.bytes - program.remote_bytes["inputs"]
    for count, every in ((remote // state, State(machine, shape).bytes), (remote // tape, tapes.slot_bytes)):
        assert 0 < count * int(every.sum()) <= free
    assert tape / tapes.slot_bytes.sum() > state / State(machine, shape).bytes.sum()


def test_an_overflow_names_step_tensor_and_bytes() -> None:
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (9,), (12,), 3)
    step = _recorded(shape, [6])
    machine = Architecture.named("tiny", {"checkpoint.local_bytes": 600, "checkpoint.policy": "segment"})
    with pytest.raises(FitError, match=r"at step \d+ of sample 0 with its tape of [\d,]+ bytes: .* missing"):
        lower(machine, shape, step, "last", lambda steps, budget: CheckpointSchedule.of(steps, taped(0, steps)))


def test_a_policy_that_does_not_fit_says_so() -> None:
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (9,), (12,), 3)
    machine = Architecture.named("tiny", {"checkpoint.local_bytes": 300, "checkpoint.policy": "segment"})
    with pytest.raises(FitError, match="policy segment does not fit"):
        checkpointed(machine, shape, _recorded(shape, [6]), "last", "segment", Costs(1, 1, 1, 1, 1, 1))


def _recorded(shape: Shape, lengths: list[int]) -> RecordedStep:
    return recorded_step(shape, np.array(lengths), 0.5, 1)
