"""Ops that go ahead of the time against ops that begin one by one: nobody can tell which it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from observers import KeptSpans
from programs import programs

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.observer import Observers
from deltatrain.accel.program import Program
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.machine.kept_bytes import KeptBytes
from deltatrain.sim.machine.machine import Machine
from deltatrain.sim.machine.ops_ahead import OpsAhead
from deltatrain.sim.run import synthetic_trace
from deltatrain.workloads.workload import Workload


class _Spans(KeptSpans):
    """All that units did; the memory is not watched."""

    watches_memory = False


def _ran(program: Program, *watching: _Spans) -> tuple[dict[str, Any], bool]:
    kept, shares = KeptBytes(), []
    machine = Machine(program, shares.append, Observers([kept, *watching]))
    found: dict[str, Any] = {"cycles": machine.run(), "done": list(machine.scoreboard.done_at)}
    tallies = [*machine.record.units, *machine.record.engine_phases]
    found["busy"] = [tally.busy_cycles for tally in tallies]
    found["stalls"] = [list(tally.stall_cycles.items()) for tally in tallies]  # in the order of their first
    found["free"] = [tally.free for tally in machine.record.units]
    found["kept"], found["ops"] = kept.over_time(), machine.record.retired
    port = machine.memory.port
    found["bytes"] = port.read_bytes, port.write_bytes
    if (channels := port.memory.channels) is not None:
        found["rows"], found["bus"] = channels.counts, channels.bus_ticks(channels.now)
        found["now"], found["active"] = channels.now, channels.active_cycles(channels.now)
    assert shares == sorted(shares)
    return found, isinstance(machine.scoreboard, OpsAhead)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(programs(most_tiles=3).filter(lambda program: not program.remote_word_bytes.any()))
def test_all_that_units_and_memory_do_is_the_same(program: Program) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deltatrain.sim.machine.machine._WORTH_LOADING_NUMBA_OPS", 0)
        (ahead, goes_ahead), (one_by_one, other) = _ran(program), _ran(program, _Spans())
    assert (goes_ahead, other) == (program.architecture.local.ports != 1, False)
    assert ahead == one_by_one


@settings(max_examples=10)
@given(st.integers(0, 2**16), st.sampled_from(["local", "remote"]))
def test_a_long_step_with_its_tape_anywhere_too(seed: int, tape: str) -> None:
    homes = dict.fromkeys(("placement.weights", "placement.gradients"), "local") | {"placement.tape": tape}
    sizes = {"hidden": [8, 8], "training.batch": 2, "training.seed": seed, "synthetic.steps": 60}
    machine = Architecture.named("edge", {"local.bytes": 2**24, **homes})
    trace = synthetic_trace(Workload.named("synthetic", sizes))
    program = cycle.program(machine, trace, trace.recorded[-1])
    ahead, one_by_one = _ran(program), _ran(program, _Spans())
    assert ahead[1] and not one_by_one[1]
    assert ahead[0] == one_by_one[0]
