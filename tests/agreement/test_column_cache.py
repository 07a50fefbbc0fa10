"""What the column cache keeps against a cache that is looked through slot by slot (`plain_cache`), and what moves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from plain_cache import PlainCache
from programs import cached_programs
from request_log import machine_with_log

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.column_cache import NOTHING, CachedRuns
from deltatrain.accel.program import PHASES, Program
from deltatrain.sim.fidelity import analytic, cycle
from deltatrain.sim.programs import recorded_program
from deltatrain.workloads.trace import Trace

GOLDEN = Path(__file__).parents[1] / "golden"
_SLOW = settings(max_examples=60, suppress_health_check=list(HealthCheck))


def _has_columns_off_chip(program: Program) -> bool:
    return program.cached_runs is not None


def _runs(program: Program) -> CachedRuns:
    found = program.cached_runs
    assert found is not None
    return found


@_SLOW
@given(cached_programs(most_tiles=3).filter(_has_columns_off_chip))
def test_every_run_finds_what_it_finds_in_a_plain_cache(program: Program) -> None:
    plain, ours = PlainCache(program), _runs(program)
    counted = np.zeros((len(PHASES), 3), int)
    read, written, filled, at = 0, 0, 0, 0
    for op in range(len(program.ops)):
        matrices, phase = program.remote_matrices[op], program.ops.phase[op]
        if program.ops.second_tensor[op] >= 0:
            if matrices and program.list_words[op]:
                outs = plain.flush()
                assert [tuple(place) for place in _places(ours, ours.flushed[op])] == [
                    plain.places[run] for run in outs
                ]
                assert ours.gone[op] == plain.gone
                counted[phase, 2] += len(outs)
                written += sum(plain.places[run][1] for run in outs)
            continue
        if not matrices:
            continue
        for column in plain.columns(op):
            for run in plain.numbers[matrices[0], column]:
                hit, out, behind = plain.look_up(op, column, run, written=bool(program.writes_back[op]))
                assert _places(ours, [ours.line[at]])[0] == plain.places[run]
                assert (ours.hit[at], ours.behind[at]) == (hit, behind)
                assert ours.out[at] == NOTHING if out is None else _places(ours, [ours.out[at]])[0] == plain.places[out]
                counted[phase] += hit, not hit, out is not None
                read += 0 if hit else plain.places[run][1]
                filled += 0 if hit or program.writes_back[op] else plain.places[run][1]
                written += 0 if out is None else plain.places[out][1]
                at += 1
    assert at == len(ours.line)
    counters = cycle.count(program)
    told = [[one.hits, one.misses, one.write_backs] for one in counters.cache.values()]
    assert told == counted.tolist()
    lanes = program.own.whole  # what the laws of modes count, which take words from buffer or cache alike
    assert counters.work["local_read_bytes"] == lanes["local_read_bytes"] + written
    assert counters.work["local_write_bytes"] == lanes["local_write_bytes"] + filled
    passed = ~program.is_cached
    others = np.where(program.ops.is_mode("load"), program.ops.count, program.streamed_bytes)
    stored = np.where(program.ops.is_mode("store"), program.ops.count, program.streamed_bytes * program.writes_back)
    assert counters.remote.read_bytes == read + others[passed].sum()
    assert counters.remote.write_bytes == written + stored[passed].sum()


def _places(runs: CachedRuns, lines: list[int]) -> list[tuple[int, int, int]]:
    found = runs.lines
    return [(int(found.address[n]), int(found.size_bytes[n]), int(found.words[n])) for n in lines]


@_SLOW
@given(cached_programs().filter(_has_columns_off_chip))
def test_what_is_read_off_chip_is_what_was_written_last(program: Program) -> None:
    """Every word of dW is read as its last version, and the last versions are off-chip when the update reads them."""
    machine, listener = machine_with_log(program)
    machine.run()
    runs, versions, there, here = _runs(program), {}, {}, {}
    # What the lanes do, in their order: the version of each run that they work on, and that which goes out.
    goes_out: list[tuple[int, int]] = []
    comes_in: list[tuple[int, int]] = []
    lines = runs.lines
    for op in np.flatnonzero(program.is_cached | np.isin(np.arange(len(program.ops)), list(runs.flushed))).tolist():
        goes_out += [(int(lines.address[line]), here.pop(line)) for line in runs.flushed.get(op, [])]
        for at in range(runs.start[op], runs.start[op + 1]):
            line, out = int(runs.line[at]), int(runs.out[at])
            if not runs.hit[at]:
                comes_in.append((int(lines.address[line]), versions.get(line, 0)))
                here[line] = versions.get(line, 0)
            if program.writes_back[op]:
                versions[line] = here[line] = versions.get(line, 0) + 1
            if out != NOTHING:
                goes_out.append((int(lines.address[out]), here.pop(out)))
    sent, came = iter(goes_out), iter(comes_in)
    next_sent, next_came = next(sent, None), next(came, None)
    for _, kind, address, _size in listener.requests:
        if kind == "write" and next_sent is not None and address == next_sent[0]:
            there[address] = next_sent[1]
            next_sent = next(sent, None)
        elif kind == "read" and next_came is not None and address == next_came[0]:
            assert there.get(address, 0) == next_came[1]
            next_came = next(came, None)
    assert next_sent is None
    assert next_came is None
    if runs.flushed:
        assert all(there[int(lines.address[line])] == version for line, version in versions.items())


@pytest.mark.parametrize("policy", ["lru", "reverse"])
def test_the_recorded_digits_move_less_than_half_in_the_memory_that_edge_has_left(policy: str) -> None:
    """Counted by going through the lists of what fired with a plain cache, and by the law; without one 25.4 MB."""
    trace = Trace.load(GOLDEN / "digits.npz")
    machine = Architecture.named(GOLDEN / "edge.toml", {"cache.bytes": "auto", "cache.policy": policy})
    program = recorded_program(machine, trace, trace.recorded[-1])
    plain, ops = PlainCache(program), program.ops
    hits, misses, outs, moved = 0, 0, 0, 2 * sum(tensor.bytes for tensor in program.tensors)  # that is the update
    for op in np.flatnonzero(program.remote_word_bytes).tolist():
        if ops.second_tensor[op] >= 0:
            gone = plain.flush()
            outs, moved = outs + len(gone), moved + sum(plain.places[run][1] for run in gone)
            continue
        for column in plain.columns(op):
            for run in plain.numbers[int(ops.tensor[op]), column]:
                hit, out, _ = plain.look_up(op, column, run, written=bool(program.writes_back[op]))
                hits, misses, outs = hits + hit, misses + (not hit), outs + (out is not None)
                moved += 0 if hit else plain.places[run][1]
                moved += 0 if out is None else plain.places[out][1]
    assert _runs(program).counted(ops.phase).sum(axis=0).tolist() == [hits, misses, outs]
    transfers = ops.is_mode("load", "store")
    assert program.asked_bytes == moved + int(ops.count[transfers].sum())
    assert program.asked_bytes < 11.5e6


@_SLOW
@given(cached_programs(most_tiles=2).filter(_has_columns_off_chip))
def test_a_bound_stays_one(program: Program) -> None:
    least, ran = analytic.count(program), cycle.count(program)
    assert least.cycles <= ran.cycles
    assert (least.remote.read_bytes, least.remote.write_bytes) == (ran.remote.read_bytes, ran.remote.write_bytes)
    assert least.cache == ran.cache
    assert least.remote.activates <= ran.remote.activates
    assert least.remote.read_bursts <= ran.remote.read_bursts
    assert least.remote.write_bursts <= ran.remote.write_bursts


@_SLOW
@given(cached_programs().filter(_has_columns_off_chip))
def test_nobody_misses_less_than_who_knows_the_future(program: Program) -> None:
    cache = program.architecture.cache
    assert cache is not None
    best = program.architecture.model_copy(update={"cache": cache.model_copy(update={"policy": "belady"})})
    assert (~_runs(replace(program, architecture=best)).hit).sum() <= (~_runs(program).hit).sum()
