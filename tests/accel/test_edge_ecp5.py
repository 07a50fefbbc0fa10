"""Preset `edge_ecp5`: the memory of `edge` in the same nanoseconds, at the clock that the part gives it."""

from __future__ import annotations

import math

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramPart

CYCLES_AT_LEAST = {"tRRD_S": 4, "tRRD_L": 4, "tWTR_S": 4, "tWTR_L": 4, "tRTP": 4, "tCCD_S": 4, "tCCD_L": 4}  # JESD79-3
IN_CYCLES = {"CL": 6, "CWL": 5, "tRTW": 2, "tRTRS": 1}  # of the clock, or of the bus; JESD79-3: CL and CWL at 2.5 ns


def test_it_is_edge_but_for_clock_cache_and_memory() -> None:
    edge, found = Architecture.named("edge"), Architecture.named("edge_ecp5")
    assert found.cache.bytes == 0
    assert found.engine.clock_hz < edge.engine.clock_hz
    as_edge = {name: getattr(edge, name) for name in ("engine", "remote", "cache", "name", "about")}
    assert found.model_copy(update=as_edge) == edge
    assert found.engine.model_copy(update={"clock_hz": edge.engine.clock_hz}) == edge.engine
    assert found.remote.model_copy(update={"device": edge.remote.device}) == edge.remote


def test_its_memory_keeps_the_nanoseconds_of_the_part_at_half_the_clock() -> None:
    part, found = DramPart.named("ddr3_1600"), Architecture.named("edge_ecp5").remote.device
    assert isinstance(found, DramPart) and found.tck_ps == 2 * part.tck_ps
    for name, cycles in part.timing.model_dump(exclude_unset=True).items():
        least = math.ceil(cycles * part.tck_ps / found.tck_ps)
        assert getattr(found.timing, name) == IN_CYCLES.get(name, max(least, CYCLES_AT_LEAST.get(name, 1))), name
    same = {"timing": part.timing, "tck_ps": part.tck_ps, "about": part.about, "source": part.source}
    assert found.model_copy(update=same) == part
