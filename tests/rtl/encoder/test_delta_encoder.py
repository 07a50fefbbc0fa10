"""The encoder's gates against `accel.modes.encode`: results bit for bit, times cycle for cycle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from components import assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import always, pattern, run, stream_get, stream_put

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import encode
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.encoder.delta_encoder import DeltaEncoder, least_field

FEW = settings(max_examples=30)
DEPTH = 32
IN_FLIGHT = 4  # groups that the pipeline and its queue hold together

patterns = st.lists(st.booleans(), min_size=1, max_size=12).filter(any).map(pattern)
seeds = st.integers(0, 2**32 - 1)


class Case(NamedTuple):
    """Ops for an encoder, and what `accel` says of them: entries, scan cycles, entries of each group."""

    engine: object
    ops: list
    words: list
    lists: list
    scan: list
    groups: list

    def gates(self):
        formats = self.engine.formats
        return DeltaEncoder(elements=self.engine.encoder_elements, value_bits=formats.activation.bits, depth=DEPTH)

    @property
    def entries(self):
        return [entry for one in self.lists for entry in one]

    def run(self, *, ops=always, values=always, entries=always, counts=always, not_before=None):
        dut = self.gates()
        taken_ops, taken_words, listed, lengths = run(
            dut,
            lambda ctx: stream_put(ctx, dut.ops, self.ops, ops, not_before),
            lambda ctx: stream_put(ctx, dut.values, self.words, values),
            lambda ctx: stream_get(ctx, dut.entries, len(self.entries), entries),
            lambda ctx: stream_get(ctx, dut.counts, len(self.ops), counts),
        )
        assert [(entry["index"], entry["value"]) for _, entry in listed] == self.entries
        assert [length for _, length in lengths] == [len(one) for one in self.lists]
        return taken_ops, taken_words, [cycle for cycle, _ in listed], [cycle for cycle, _ in lengths]


def engine_of(elements, activation):
    engine = Architecture.named("tiny").engine
    formats = engine.formats.model_copy(update={"activation": activation})
    return engine.model_copy(update={"encoder_elements": elements, "formats": formats})


def case_of(engine, requests):
    """Return the case of `requests`: (base, values, least, first), vectors of one base always of one width."""
    elements, formats = engine.encoder_elements, engine.formats
    held, found = {}, Case(engine, [], [], [], [], [])
    for base, values, least, first in requests:
        groups = -(-len(values) // elements)
        before = np.zeros(len(values), dtype=np.int64) if first else held.get((base, len(values)), values * 0)
        fired, held[base, len(values)] = encode.result(values, before, least, formats)
        mask = np.zeros(groups * elements, dtype=np.bool_)
        mask[fired.columns] = True
        field = least_field(least, formats.activation.bits)
        found.ops.append({"base": base, "least": field, "width": len(values), "first": first})
        padded = np.full(groups * elements, formats.activation.lowest)  # what is in lanes behind the end is ignored
        padded[: len(values)] = values
        found.words.extend(padded.reshape(-1, elements).tolist())
        found.lists.append(list(zip(fired.columns.tolist(), fired.delta.tolist(), strict=True)))
        found.scan.append(int(encode.scan_cycles(mask[: len(values)], engine)))
        found.groups.append(mask.reshape(-1, elements).sum(axis=1).tolist() or [0])
    return found


@st.composite
def cases(draw, most_ops=8):
    """Draw vectors, some without elements on the place of another, and ops that often repeat and often do not move."""
    elements = draw(st.sampled_from([1, 2, 4, 4, 8]))
    activation = NumberFormat(bits=draw(st.integers(2, 16)), fraction_bits=0)
    rng = np.random.default_rng(draw(seeds))
    widths = draw(st.lists(st.integers(1, 3 * elements), min_size=1, max_size=3))
    bases = np.cumsum([0, *(-(-width // elements) for width in widths)]).tolist()
    ends = [activation.lowest, activation.highest, 0]
    last, requests = {}, []
    for _ in range(draw(st.integers(1, most_ops))):
        vector = draw(st.integers(0, len(widths) - 1))
        base = bases[vector]
        if draw(st.integers(0, 7)) == 0:
            requests.append((base, np.zeros(0, dtype=np.int64), 0, draw(st.booleans())))
            continue
        fresh = rng.choice([rng.integers(*ends[:2], widths[vector], endpoint=True), rng.choice(ends, widths[vector])])
        moves = rng.random(widths[vector]) < rng.choice([0, 0.1, 0.5, 1])
        last[vector] = np.where(moves, fresh, last.get(vector, fresh * 0))
        span = 2 ** (activation.bits + 1)
        least = draw(st.one_of(st.integers(0, 3), st.integers(0, span), st.just(span**4)))
        requests.append((base, last[vector], least, draw(st.integers(0, 3)) == 0))
    return case_of(engine_of(elements, activation), requests)


def expected_cycles(case, taken_words, *, entries, counts):
    """Return when entries and counts go, if words are taken as `taken_words` tells; one word or empty op a group."""

    def first_of(ready, cycle):
        while not ready(cycle):
            cycle += 1
        return cycle

    sent, told, left = [], [], []
    for fired_of_groups in case.groups:
        for number, fired in enumerate(fired_of_groups):
            arrives = taken_words[len(left)] + encode.PIPELINE_CYCLES
            cycle = max(arrives, left[-1] + 1 if left else 0)
            for k in range(fired):
                cycle = first_of(entries, cycle + (k > 0))
                sent.append(cycle)
            if number == len(fired_of_groups) - 1:
                cycle = max(cycle, told[-1] if told else 0)  # the place of the count before is free again
                told.append(first_of(counts, cycle + 1))
            left.append(cycle)
    return sent, told, left


@FEW
@given(cases())
def test_results_and_law_without_stalls(case):
    told = case.run()[-1]
    assert told == (np.cumsum(case.scan) + encode.PIPELINE_CYCLES).tolist()


@FEW
@given(cases(), st.data())
def test_ops_are_timed_as_the_simulated_machine_times_them(case, data):
    """An op starts when what it waits for is done and the op before has been issued; it is done a drain after."""
    known = np.cumsum([data.draw(st.integers(0, 20)) for _ in case.ops]).tolist()
    free, done = 0, []
    for cycle, scan in zip(known, case.scan, strict=True):
        free = max(free, cycle) + scan
        done.append(free + encode.PIPELINE_CYCLES)
    assert case.run(not_before=known)[-1] == done


@FEW
@given(cases(), patterns, patterns, patterns, patterns)
def test_stalls_on_every_port_lose_nothing_and_cost_what_they_last(case, ops, values, entries, counts):
    taken_ops, taken_words, sent, told = case.run(ops=ops, values=values, entries=entries, counts=counts)
    taken, words, begin = [], iter(taken_words), -1
    for op, cycle in zip(case.ops, taken_ops, strict=True):
        taken += [next(words) for _ in range(-(-op["width"] // case.engine.encoder_elements))] or [cycle]
        assert begin < taken[-1] == cycle, "an op is taken with its last word, after the op before"
        begin = cycle
    expected = expected_cycles(case, taken, entries=entries, counts=counts)
    assert (sent, told) == expected[:2]
    left = expected[2]
    offered = -1  # the earliest that a word may have been offered
    for number, cycle in enumerate(taken):
        waits = left[number - IN_FLIGHT] + 1 if number >= IN_FLIGHT else 0
        assert cycle >= max(waits, offered + 1)
        offered = cycle


@FEW
@given(cases(), patterns, patterns)
def test_words_wait_for_nothing_but_a_place_in_the_queue(case, entries, counts):
    taken_ops, taken_words, *_ = case.run(entries=entries, counts=counts)
    taken, words = [], iter(taken_words)
    for op, cycle in zip(case.ops, taken_ops, strict=True):
        taken += [next(words) for _ in range(-(-op["width"] // case.engine.encoder_elements))] or [cycle]
    left = expected_cycles(case, taken, entries=entries, counts=counts)[2]
    for number, cycle in enumerate(taken):
        place = left[number - IN_FLIGHT] + 1 if number >= IN_FLIGHT else 0
        assert cycle == max(place, taken[number - 1] + 1 if number else 0)


def test_every_pair_of_values_and_every_threshold_of_three_bits():
    engine = engine_of(8, NumberFormat(bits=3, fraction_bits=0))
    before, now = (axis.ravel() for axis in np.mgrid[-4:4, -4:4])
    requests = []
    for least in range(10):
        requests += [(0, before, 0, True), (0, now, least, False), (0, now, 0, False)]
    case = case_of(engine, requests)
    assert any(value in (-4, 3) for _, value in case.lists[1])
    case.run()


def test_one_group_again_and_again_is_not_read_before_it_is_written():
    """Vectors of one group in every order within the pipeline, vectors without elements on the same place between."""
    engine = engine_of(4, NumberFormat(bits=8, fraction_bits=0))
    rng = np.random.default_rng(5)
    requests = []
    for base, width in zip(rng.integers(0, 2, 150).tolist(), rng.choice([0, 4, 4], 150).tolist(), strict=True):
        requests.append((base, rng.integers(-2, 2, width), 2, width == 0))
    case = case_of(engine, requests)
    told = case.run()[-1]
    assert told == (np.cumsum(case.scan) + encode.PIPELINE_CYCLES).tolist()


def test_bases_and_widths_up_to_their_ends():
    engine = engine_of(1, NumberFormat(bits=4, fraction_bits=0))
    case_of(engine, [(0, np.arange(DEPTH) % 7, 3, False), (DEPTH - 1, np.array([-8]), 0, True)]).run()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"elements": 3}, "elements must be a power of two, not 3"),
        ({"elements": 0}, "elements must be an integer of at least 1, not 0"),
        ({"value_bits": 1}, "value_bits must be an integer of at least 2, not 1"),
        ({"value_bits": 8.0}, "value_bits must be an integer of at least 2, not 8.0"),
        ({"depth": True}, "depth must be an integer of at least 2, not True"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    assert_refused(DeltaEncoder, message, **{"elements": 4, "value_bits": 16, "depth": 64} | arguments)
