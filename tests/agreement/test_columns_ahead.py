"""Columns that go ahead of the time against columns that are asked for one by one: nobody can tell which it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from observers import KeptSpans
from programs import ARRAYS, cached_programs, programs

from deltatrain.accel.program import Program
from deltatrain.sim.dram import transfers
from deltatrain.sim.machine.columns import ColumnStream
from deltatrain.sim.machine.machine import Machine

_SLOW = settings(max_examples=30, suppress_health_check=list(HealthCheck))


class _Spans(KeptSpans):
    """All that units did; the memory is not watched."""

    watches_memory = False


def _ran(program: Program, **named: Any) -> tuple[dict[str, Any], Machine]:
    spans = _Spans()
    machine = Machine(program, None, spans, **named)
    found: dict[str, Any] = {"cycles": machine.run(), "done": machine.scoreboard.done_at}
    found["spans"] = [[span._replace(gaps=list(span.gaps)) for span in of_unit] for of_unit in spans.spans.values()]
    found["levels"], port = spans.levels, machine.memory.port
    found["bytes"] = port.read_bytes, port.write_bytes
    if (channels := port.memory.channels) is not None:
        found["rows"], found["bus"] = channels.counts, channels.bus_ticks(channels.now)
        found["now"], found["active"] = channels.now, channels.active_cycles(channels.now)
    return found, machine


def _check_equal(program: Program) -> None:
    ahead, machine = _ran(program)
    one_by_one, other = _ran(program, on_bursts=lambda *_: None)
    assert isinstance(other.columns, ColumnStream)
    assert isinstance(machine.columns, ColumnStream) == (
        machine.memory.port.memory.channels is None or not program.remote_word_bytes.any()
    )
    assert ahead == one_by_one


@_SLOW
@given(programs(most_tiles=3))
def test_all_that_units_and_memory_do_is_the_same(program: Program) -> None:
    _check_equal(program)


@settings(_SLOW, max_examples=10)
@given(programs(widest=60, most_steps=3))
def test_columns_larger_than_the_buffer_and_than_a_row_too(program: Program) -> None:
    _check_equal(program)


@_SLOW
@given(programs(arrays=ARRAYS))
def test_on_arrays_that_take_different_columns_too(program: Program) -> None:
    _check_equal(program)


@_SLOW
@given(cached_programs(most_tiles=3))
def test_with_a_column_cache_too(program: Program) -> None:
    _check_equal(program)


@settings(_SLOW, max_examples=30)
@given(programs())
def test_the_ring_of_tickets_grows_as_it_must(program: Program) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfers, "_FIRST_TICKETS", 1)
        _check_equal(program)
