"""Cycles that the manual tells are those of the laws."""

from __future__ import annotations

import re
from pathlib import Path

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import matvec, outer, reduce, update

GUIDES = Path(__file__).parents[1] / "reports/manual/pages/guides"
TILES = {"tiles.count": 8, "tiles.exchange_bytes_per_cycle": 8, "tiles.exchange_latency_cycles": 20}


def told(page: str, pattern: str) -> list[int]:
    """Return the numbers that a page tells where its text, its lines joined, is as `pattern`."""
    found = re.findall(pattern, " ".join((GUIDES / page).read_text().split()))
    assert len(found) == 1, pattern
    return [int(number) for number in (found[0] if isinstance(found[0], tuple) else found)]


def test_until_results_of_the_lanes_are_ready():
    (fixed,) = told("machines.md", r"results are ready (\d+) \+ log2 P cycles later")
    for lanes, levels in ((4, 2), (8, 3)):
        assert matvec.drain_cycles(Architecture.named("tiny", {"engine.lanes": lanes}).engine) == fixed + levels


def test_until_results_of_the_exchange_are_ready():
    machine = Architecture.named("tiny", TILES)
    (fixed,) = told("tiles.md", r"ready `exchange_latency_cycles` \+ log2 tiles \+ (\d+) cycles later")
    assert reduce.drain_cycles(machine.engine, machine.tiles) == 20 + 3 + fixed


def test_until_a_word_is_stored_that_was_addressed():
    least, most = told("machines.md", r"store a word (\d+) or (\d+) cycles after they addressed it")
    assert {*outer.RETURN_CYCLES, *update.RETURN_CYCLES} == {least, most}
