"""Phases of a cycle, and alarms that are brought forward."""

from __future__ import annotations

from collections.abc import Generator

import simpy
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.sim.memory.clock import FETCH, LOAD, MEMORY, SAMPLE, Alarm, At, Clock, Turn


def test_phases_of_a_cycle_come_in_their_order_and_cycles_in_theirs() -> None:
    clock, seen = Clock(), list[tuple[int, str]]()
    for cycle in (7, 3):
        for phase, name in ((SAMPLE, "sample"), (MEMORY, "memory"), (FETCH, "fetch"), (LOAD, "load")):
            turn = Turn(clock, cycle, phase)
            turn.callbacks.append(lambda _, name=name: seen.append((clock.cycle, name)))
        At(clock, cycle, lambda _: seen.append((clock.cycle, "first")))
    clock.run()
    assert seen == [(cycle, name) for cycle in (3, 7) for name in ("first", "load", "fetch", "memory", "sample")]


@given(
    st.lists(st.integers(1, 30), max_size=8),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=8),
)
def test_an_alarm_wakes_in_time_and_never_outside_of_what_was_asked(
    waits: list[int], forward: list[tuple[int, int]]
) -> None:
    """The process wants to be woken after each of `waits`; others want it woken `ahead` of cycles `at`."""
    clock = Clock()
    alarm, woken, wanted = Alarm(clock, MEMORY), list[int](), set[int]()

    def process() -> Generator[simpy.Event, None, None]:
        for wait in waits:
            wanted.add(clock.cycle + wait)
            yield alarm.wait(clock.cycle + wait)
            woken.append(clock.cycle)
        yield alarm.wait(float("inf"))
        woken.append(clock.cycle)

    def ask(cycle: int) -> None:
        wanted.add(cycle)
        alarm.bring_forward(cycle)

    running = clock.process(process())
    for at, ahead in forward:
        At(clock, at, lambda _, ahead=ahead: running.is_alive and ask(clock.cycle + ahead))
    clock.run()
    assert woken == sorted(woken) and set(woken) <= wanted
    assert running.is_alive == (len(woken) == len(waits))
    for number, (wait, at) in enumerate(zip(waits, woken, strict=False)):
        assert at <= ([0, *woken][number]) + wait


@given(st.integers(0, 9), st.integers(1, 9), st.integers(0, 3))
def test_time_passes_without_an_event_only_where_none_is_up_to_it(begin: int, ahead: int, phase: int) -> None:
    clock, seen = Clock(begin), list[int]()
    turn = Turn(clock, begin + ahead, (LOAD, FETCH, MEMORY, SAMPLE)[phase])
    turn.callbacks.append(lambda _: seen.append(clock.cycle))
    for cycle in range(begin, begin + ahead):
        assert clock.pass_quietly(cycle) and clock.cycle == cycle
    for cycle in (begin + ahead, begin + ahead + 1):
        assert not clock.pass_quietly(cycle) and clock.cycle == begin + ahead - 1
    clock.run()
    assert seen == [begin + ahead]
    assert clock.pass_quietly(10**6) and clock.cycle == 10**6
