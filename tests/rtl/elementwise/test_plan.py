"""Timetables: what is refused, and that each cell's steps are the arithmetic of `accel.cells`."""

from __future__ import annotations

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.modes import SOON_CYCLES, cell_backward, cell_forward
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.elementwise.cells import TIMETABLES
from deltatrain.rtl.elementwise.neuron_lane import GRADIENTS_OF_H
from deltatrain.rtl.elementwise.plan import Plan, Register, Ring
from deltatrain.rtl.elementwise.selects import ring_accesses
from deltatrain.rtl.elementwise.timetable import LookUp, Multiply, Read, Timetable, Write

FORMATS = Architecture.named("tiny").engine.formats
every_cell = pytest.mark.parametrize("cell", TIMETABLES.names())

LINE = (
    Read(0, "M", "memory", "tanh_input"),
    LookUp(3, "y", "M"),
    Multiply(7, "square", "y", "y", "gate"),
    Write(11, "square", "new_h", "activation"),
)
NOTHING = Timetable(())
TABLE = Register("table", 0)

# one byte, two, three, four and five: no two formats that a neuron meets are alike
DIFFERENT = FORMATS.model_copy(
    update={
        "gate": NumberFormat(bits=8, fraction_bits=6),
        "activation": NumberFormat(bits=12, fraction_bits=8),
        "state": NumberFormat(bits=20, fraction_bits=11),
        "gradient": NumberFormat(bits=28, fraction_bits=12),
        "memory_bits": 40,
    }
)


def plan_of(*steps, slots=2, backward=NOTHING):
    return Plan((Timetable(steps), backward), (slots, 2), FORMATS)


@every_cell
def test_steps_are_as_many_as_the_cell_counts(cell):
    arithmetic, timetables = CELL_ARITHMETIC.load(cell), TIMETABLES.load(cell)
    forward, backward = timetables.FORWARD, timetables.BACKWARD
    assert len(forward.of_kind(LookUp)) == arithmetic.LOOKUPS and not backward.of_kind(LookUp)
    assert len(forward.of_kind(Multiply)) == arithmetic.FORWARD_MULTIPLIES
    assert len(backward.of_kind(Multiply)) == arithmetic.BACKWARD_MULTIPLIES
    assert sum(step.port == "memory" for step in forward.of_kind(Read)) == arithmetic.ACCUMULATORS
    assert sum(step.port == "new_gradient" for step in backward.of_kind(Write)) == arithmetic.ACCUMULATORS
    assert sum(step.port == "new_tape" for step in forward.of_kind(Write)) == len(arithmetic.TAPE) - len(
        arithmetic.STATE
    )


@every_cell
def test_no_part_could_do_with_fewer_slots(cell):
    """The slots of the law are the uses of the busiest part."""
    plan = Plan.of_cell(cell, FORMATS)
    assert plan.slots == (
        cell_forward.neuron_slots(CELL_ARITHMETIC.load(cell)),
        cell_backward.neuron_slots(CELL_ARITHMETIC.load(cell)),
    )
    for program, slots in enumerate(plan.slots):
        assert max(len(plan.steps(program, part)) for part in plan.parts) == slots


@every_cell
def test_the_last_word_is_written_when_the_drain_is_over(cell):
    engine = Architecture.named("tiny").engine
    plan = Plan.of_cell(cell, FORMATS)
    for program, slots in enumerate(plan.slots):
        last = max(step.cycle for step in plan.programs[program].of_kind(Write))
        assert last + 1 <= slots + cell_forward.drain_cycles(engine) - SOON_CYCLES


def test_a_register_follows_a_part_that_has_made_another():
    assert not plan_of(*LINE).lines and not plan_of(*LINE).rings
    later = (LINE[0], LINE[1], replace_cycle(LINE[2], 8), Write(12, "square", "new_h", "activation"))
    assert not plan_of(*later).lines  # the next neuron's value comes two cycles later
    late = (LINE[0], LINE[1], replace_cycle(LINE[2], 9), Write(13, "square", "new_h", "activation"))
    plan = plan_of(*late)
    assert plan.lines == {(0, TABLE): 1} and not plan.rings
    assert plan.register(0, "y", 9) == TABLE._replace(later=1)


def test_a_ring_stands_in_for_two_registers_and_more():
    late = (LINE[0], LINE[1], replace_cycle(LINE[2], 12), Write(16, "square", "new_h", "activation"))
    plan = plan_of(*late)
    assert not plan.lines and not plan.kept
    assert plan.rings == {(0, TABLE): Ring(TABLE, 0, ("y",), 4, {12: "y"})}, "two neurons came in cycles 9 and 11"
    other = (Read(1, "N", "memory", "tanh_input"), LookUp(4, "z", "N"), Write(12, "z", "new_tape", "gate"))
    plan = plan_of(*LINE, *other, Write(11, "y", "new_tape", "gate"))
    assert plan.rings == {(0, TABLE): Ring(TABLE, 0, ("y", "z"), 2, {11: "y", 12: "z"})}
    assert plan.register(0, "y", 7) == TABLE
    assert [plan.register(0, "y", 11), plan.register(0, "z", 12)] == [Register("ring", "table_0", 0)] * 2


def test_a_ring_is_not_read_where_neurons_would_meet():
    plan = plan_of(LINE[0], LINE[1], replace_cycle(LINE[2], 9), Write(12, "y", "new_tape", "gate"))
    assert plan.rings[0, TABLE].reads == {12: "y"} and plan.lines == {(0, TABLE): 1}
    assert plan.register(0, "y", 9) == TABLE._replace(later=1), "a neuron after three cycles is read in cycle 12"


@every_cell
def test_rings_give_each_neuron_its_values(cell):
    """Neurons of both programs at random: what the last write left at the address that is read is the neuron's own."""
    rng, plan = np.random.default_rng(16), Plan.of_cell(cell, Architecture.named("edge").engine.formats)
    begins: list[list[int]] = [[], []]
    cycle = 0
    for program, wait in zip(rng.integers(0, 2, 2000), rng.integers(0, 12, 2000), strict=True):
        begins[program].append(cycle)
        cycle += plan.slots[program] + wait * int(rng.random() < 0.3)
    for ring in plan.rings.values():
        written, accesses = {}, ring_accesses(ring, plan)
        for number, begin in enumerate(begins[ring.program]):
            for at, place in accesses["to"]:
                written[begin + at] = (number % ring.neurons, place), (number, place)
        read = {
            begin + at: (number, place)
            for number, begin in enumerate(begins[ring.program])
            for at, place in accesses["read"]
        }
        assert len(written) == len(ring.values) * len(begins[ring.program]), "one is written in a cycle"
        assert len(read) == len(ring.reads) * len(begins[ring.program]), "one is read in a cycle"
        held = {}
        for now in range(cycle + 40):
            if now in read:
                number, place = read[now]
                assert held[number % ring.neurons, place] == (number, place)
            if now in written:  # it is there from the next cycle on
                held.update([written[now]])
    assert bool(plan.rings) == (cell not in ("rnn",))


def replace_cycle(step, cycle):
    return step._replace(cycle=cycle)


@pytest.mark.parametrize(
    ("steps", "slots", "message"),
    [
        ((*LINE, LookUp(3, "z", "M")), 2, r"\('table', 0\) is used twice in one cycle: \[3, 3\]"),
        ((*LINE, LookUp(4, "z", "M")), 1, r"\('table', 0\) is used in \[3, 4\], beyond the 1 slots from cycle 3 on"),
        ((*LINE, Multiply(8, "p", "y", "y", None, plus="y")), 2, "p is an exact product, to which nothing can"),
        ((LINE[0], LookUp(2, "y", "M")), 2, "M is read in cycle 2, before it is made in cycle 3"),
    ],
)
def test_neurons_that_would_meet_are_refused(steps, slots, message):
    with pytest.raises(ValueError, match=message):
        plan_of(*steps, slots=slots)


def test_both_directions_share_the_windows():
    backward = Timetable((Read(3, "M", "memory", "tanh_input"),))
    with pytest.raises(ValueError, match=r"\('read', 'memory'\) is used in \[3\], beyond the 2 slots from cycle 0 on"):
        plan_of(*LINE, backward=backward)


@every_cell
def test_a_neuron_reads_and_writes_as_many_bytes_as_are_counted(cell):
    """g(h) comes in two parts, which the port adds up; M is as wide as its memory, all else as it is stored.

    Without a recurrent matrix nobody writes the second part.
    """
    arithmetic, timetables = CELL_ARITHMETIC.load(cell), TIMETABLES.load(cell)
    for mode, timetable in ((cell_forward, timetables.FORWARD), (cell_backward, timetables.BACKWARD)):
        moved, parts = {Read: 0, Write: 0}, len(GRADIENTS_OF_H) if arithmetic.BLOCKS_H else 1
        for kind in moved:
            for step in timetable.of_kind(kind):
                number = DIFFERENT.memory if step.port == "memory" else getattr(DIFFERENT, step.stored)
                moved[kind] += number.bytes * (parts if step.port == "g_h" else 1)
        assert mode.neuron_bytes(arithmetic, DIFFERENT) == (moved[Read], moved[Write])


def test_a_neuron_of_an_lstm_on_16_bits():
    """Forward four blocks of M of 5 bytes and c; i, f, g, o, tanh(c), c and h. Backward the tape, c, g(h) twice, ..."""
    lstm = CELL_ARITHMETIC.load("lstm")
    assert cell_forward.neuron_bytes(lstm, FORMATS) == (22, 14)
    assert cell_backward.neuron_bytes(lstm, FORMATS) == (26, 10)
    assert cell_forward.neuron_bytes(lstm, FORMATS, 3) == (22, 4)  # c and h; codes are written by the word
    assert cell_backward.neuron_bytes(lstm, FORMATS, 3) == (26, 10)  # a word for each code
