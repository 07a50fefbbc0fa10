"""Commands begin after what they wait for and in their order; units that wait for each other do not block each other.

Counts have two bits here instead of `COUNT_BITS`; nothing but their overflow, which no program reaches, depends on it.
"""

from __future__ import annotations

import pytest
from amaranth.hdl import Cat, Mux, Signal, Value, unsigned
from amaranth.lib.wiring import connect
from narrowing import narrow
from proofs import proofs
from proving import Claims, assert_proved, needs_prover
from stream_claims import claim_passage, surround

from deltatrain.accel.modes import SOON_CYCLES
from deltatrain.rtl.commands.begin import Begin
from deltatrain.rtl.commands.waits import DoneCounts, Wait, counts_layout

pytestmark = needs_prover

UNITS = ("a", "b")
BITS = 2
"""Of a count."""


@pytest.fixture(autouse=True)
def few_bits(monkeypatch):
    narrow(monkeypatch, COUNT_BITS=BITS)


def at_least(counts, waits):
    return Cat(counts[unit] >= waits[unit] for unit in range(len(UNITS))).all()


def rising_counts(claims):
    """Return counts that rise by one at most in a cycle, and never to their overflow."""
    counts = Signal(counts_layout(UNITS))
    before = Signal(counts_layout(UNITS))
    claims.m.d.sync += before.eq(counts)
    for unit in range(len(UNITS)):
        rises = claims.any(1, f"rises_{unit}") & (before[unit] != (1 << BITS) - 1)
        claims.m.d.comb += counts[unit].eq(before[unit] + rises)
    return counts


def wait(component):
    """Return the claims of the scoreboard's gate; the op is its own waits, so that what is offered can be judged."""
    claims = Claims()
    claims.m.submodules.wait = wait = component(counts_layout(UNITS), UNITS)
    counts = rising_counts(claims)
    claims.m.d.comb += wait.counts.eq(counts)
    surround(claims, wait, driven=("counts",))
    claims.assume(Value.cast(wait.i.payload.waits) == Value.cast(wait.i.payload.op))
    comes, goes = wait.i.valid & wait.i.ready, wait.o.valid & wait.o.ready
    claim_passage(claims, comes=comes, item=wait.i.payload.op, goes=goes, gone=wait.o.payload, most=1)
    claims.claim("an op is offered after all it waits for", ~wait.o.valid | at_least(counts, wait.o.payload))
    late = Signal(2)
    stuck = wait.i.valid & at_least(counts, wait.i.payload.waits) & ~wait.o.valid
    claims.m.d.sync += late.eq(Mux(stuck, late + (late != 3), 0))
    claims.claim("it is offered within 3 cycles from then on", late != 3)
    return claims


def done_counts(component):
    claims = Claims()
    claims.m.submodules.counts = counts = component(UNITS)
    surround(claims, counts)
    stored = Signal(counts_layout(UNITS))
    for unit in range(len(UNITS)):
        claims.m.d.sync += stored[unit].eq(stored[unit] + counts.soon[unit])
    done = stored
    for _ in range(SOON_CYCLES - 1):
        done = claims.before(done)
    claims.claim("ops are done SOON_CYCLES after they are stored", Value.cast(counts.done_counts) == done)
    return claims


def begin(component):
    """Return the claims of reading ahead; the op is its own waits."""
    claims = Claims()
    shape = counts_layout(UNITS)
    claims.m.submodules.begin = begin = component(shape, ahead=3, units=UNITS)
    counts = rising_counts(claims)
    claims.m.d.comb += [begin.soon_counts.eq(counts), begin.item.eq(begin.op)]
    surround(claims, begin, driven=("soon_counts", "item"))
    claims.assume(Value.cast(begin.commands.payload.waits) == Value.cast(begin.commands.payload.op))
    later = begin.later.valid & begin.later.ready
    inside = claim_passage(claims, comes=begin.begins, item=begin.op, goes=later, gone=begin.later.payload.op, most=3)
    ends = begin.reads & begin.read
    claims.claim("an op begins after all it waits for", ~begin.begins | at_least(counts, begin.op))
    claims.claim("it begins while there is room", ~begin.begins | begin.has_room)
    claims.claim(
        "what is handed on waits for the same",
        ~begin.later.valid | (Value.cast(begin.later.payload.waits) == Value.cast(begin.later.payload.op)),
    )
    comes = claims.before(begin.commands.valid & begin.commands.ready)
    claims.claim("the op that follows is known", ~comes | (Value.cast(begin.op) == claims.before(begin.following)))
    claims.claim("it is told when it follows", ~comes | claims.before(begin.advances))
    begun = Signal()
    claims.m.d.sync += begun.eq((begun | begin.begins) & ~ends)
    claims.claim("it begins once", ~begin.begins | ~begun)
    claims.claim("the reader has it from then until it ends", begin.reads == (begun | begin.begins))
    late = Signal(2)
    waits = begin.commands.payload.waits
    stuck = begin.commands.valid & at_least(counts, waits) & begin.has_room & (inside != 3) & ~begin.reads
    claims.m.d.sync += late.eq(Mux(stuck, late + (late != 3), 0))
    claims.claim("it begins within 3 cycles from then on", late != 3)
    return claims


BOUND_CYCLES = 6
"""Most cycles until something happens, all readers and workers being a cycle late."""


def machine(component, ops=2):
    """Return the claims of two units that each read ahead and start when all is done, waiting for each other at will.

    The ops of both are in one order, a b a b, and wait for any ops before them. Readers and workers may take a cycle
    more than they need.
    """
    claims = Claims()
    m = claims.m
    m.submodules.counts = counts = DoneCounts(UNITS)
    happens = []
    for unit in range(len(UNITS)):
        m.submodules[f"begin_{unit}"] = begin = component(unsigned(1), ahead=3, units=UNITS)
        m.submodules[f"start_{unit}"] = start = Wait(unsigned(1), UNITS)
        connect(m, begin.later, start.i)
        commands, given = begin.commands, Signal(range(ops + 1))
        waits = claims.any(counts_layout(UNITS), f"waits_{unit}")
        taken = commands.valid & commands.ready
        claims.assume((waits[0] <= given + unit) & (waits[1] <= given))
        claims.assume(claims.starts() | claims.before(taken) | (claims.before(waits) == Value.cast(waits)))
        m.d.sync += given.eq(given + taken)
        m.d.comb += [
            commands.valid.eq(given != ops),
            commands.payload.waits.eq(waits),
            begin.soon_counts.eq(counts.soon_counts),
            begin.has_room.eq(1),
            begin.read.eq(begin.reads & in_time(claims, begin.reads, f"reads_{unit}")),
            start.counts.eq(counts.ready_counts),
            start.o.ready.eq(start.o.valid & in_time(claims, start.o.valid, f"works_{unit}")),
            counts.soon[unit].eq(start.o.ready),
        ]
        happens += [begin.begins, taken, start.o.ready]
    done = Cat(counts.done_counts[unit] == ops for unit in range(len(UNITS))).all()
    idle = Signal(range(BOUND_CYCLES + 1))
    m.d.sync += idle.eq(Mux(Cat(happens).any() | done, 0, idle + (idle != BOUND_CYCLES)))
    claims.claim("until all ops are done, one begins, is read or is stored in every few cycles", idle != BOUND_CYCLES)
    return claims


def in_time(claims, asked, name):
    """Return whether what is asked for is done in this cycle: in the first or in the second."""
    return claims.any(1, name) | claims.before(asked)


SUBJECTS = {
    wait: (
        Wait,
        [
            ("self.counts[unit] < waits[unit]", "self.counts[unit] + 1 < waits[unit]"),
            ("self.counts[unit] < waits[unit]", "self.counts[unit] <= waits[unit]"),
            ("met.eq(self.i.valid & ~unmet.any())", "met.eq(~unmet.any())"),
            ("m.If(free)", "m.If(free | met)"),
        ],
    ),
    done_counts: (DoneCounts, [("SOON_CYCLES - 2", "SOON_CYCLES - 3")]),
    begin: (
        Begin,
        [
            ("wait.o.valid & ~begun", "self.commands.valid & ~begun"),
            ("~begun & self.has_room & queue.i.ready", "1"),
            ("item.waits.eq(wait.o.payload.waits)", "item.waits.eq(0)"),
            ("queue.i.valid.eq(self.begins)", "queue.i.valid.eq(self.reads)"),
            (
                "connect(m, queue.o, flipped(self.later))",
                "m.d.comb += [queue.o.ready.eq(1), self.later.valid.eq(queue.o.valid)]\n"
                "        m.d.comb += self.later.payload.eq(queue.o.payload)",
            ),
            ("self.following.eq(self.commands.payload.op)", "self.following.eq(wait.o.payload.op)"),
            ("self.advances.eq(~wait.o.valid | wait.o.ready)", "self.advances.eq(~wait.o.valid)"),
            ("begun.eq(self.reads & ~self.read)", "begun.eq(self.reads)"),
        ],
    ),
    machine: (Begin, [("begun.eq(self.reads & ~self.read)", "begun.eq(self.reads)")]),
}

test_commands_begin_in_order_and_in_time, test_a_fault_breaks_each_claim = proofs(SUBJECTS)


@pytest.mark.long
def test_longer_programs_end():
    assert_proved(machine(Begin, ops=3))
