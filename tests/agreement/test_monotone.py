"""More tiles, lanes or SRAM never make a run slower, beyond what is stated here and why.

Each unit takes its ops in a fixed order and each op waits for fixed others, so a run is a longest path: it grows by no
more than the ops on the way grow. Where everything is local and the port has no banks that is a theorem, and the bounds
are exact. What may grow is little:

- a tree over more tiles or lanes is deeper: one stage for each doubling, for each op that passes it;
- an input vector is moved in whole words, and of wider words the last has more padding;
- words of P neurons are dealt out whole, so with wider words fewer tiles may have work: lanes are compared within one
  tile, or with as many encoder elements and element-wise lanes more;
- from one tile to several there is an exchange to pass, which one tile does not have;
- what fits better may push out what comes later in the order of placement: weights that become local may send the tape
  off-chip, which costs moving the tape out and in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from programs import READOUTS, recordings, shapes

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import FitError
from deltatrain.accel.program import MODE_NAMES, NO_OP, UNITS, Program
from deltatrain.sim.fidelity import cycle
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.trace import RecordedStep

_SLOW = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
Case = tuple[Shape, RecordedStep, str]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    shape = draw(shapes(widest=40))
    return shape, draw(recordings(shape, most_steps=4)), draw(READOUTS)


def _local(draw_of: dict[str, Any]) -> Architecture:
    """Return a machine with everything but the inputs in SRAM, and a port without banks."""
    homes = dict.fromkeys(("placement.weights", "placement.gradients", "placement.tape"), "local")
    room = {"local.bytes": 2**26, "dma.bytes_per_cycle": 8, "dma.buffer_bytes": 4096}
    return Architecture.named("reneta", homes | room | draw_of)


def _costs(program: Program) -> np.ndarray:
    return program.issue_cycles + program.drain_cycles


ENGINES = st.fixed_dictionaries(
    {
        "engine.lanes": st.integers(1, 8),
        "engine.encoder_elements": st.integers(1, 8),
        "engine.elementwise_lanes": st.integers(1, 8),
    }
)
EXCHANGES = st.fixed_dictionaries(
    {
        "tiles.exchange_bytes_per_cycle": st.integers(1, 8),
        "tiles.exchange_latency_cycles": st.integers(0, 20),
    }
)


@_SLOW
@given(cases(), ENGINES, EXCHANGES, st.integers(2, 8), st.integers(1, 8))
def test_more_tiles(case: Case, engine: dict[str, int], wires: dict[str, int], tiles: int, more: int) -> None:
    few, many = (lower(_local(engine | wires | {"tiles.count": n}), *case) for n in (tiles, tiles + more))
    longer = (many.issue_cycles - few.issue_cycles).clip(0)
    # No op is slower, but that what fired may have been dealt out to several of few tiles and lie in one of many.
    assert not longer[many.unit != UNITS.index("encoder")].any()
    deeper = many.architecture.tiles.adder_stages - few.architecture.tiles.adder_stages
    passes = int((few.unit == UNITS.index("exchange")).sum())
    assert cycle.count(many).cycles <= cycle.count(few).cycles + passes * deeper + int(longer.sum())


@_SLOW
@given(cases(), ENGINES, EXCHANGES, st.integers(2, 8))
def test_several_tiles_in_place_of_one(case: Case, engine: dict[str, int], wires: dict[str, int], tiles: int) -> None:
    """Not slower by more than all that passes the exchange takes, and for each passage the depth of the lanes, as what
    is sent waits for the lanes to be done with what was there. Where every step is classified, its logits also wait for
    the lists of the step.
    """
    one, several = (lower(_local(engine | wires | {"tiles.count": n}), *case) for n in (1, tiles))
    exchange = several.unit == UNITS.index("exchange")
    depth = int(one.drain_cycles[one.unit == UNITS.index("engine")].max())
    encoders = several.unit == UNITS.index("encoder")
    more = int((_costs(several)[exchange] + depth).sum()) + (case[2] == "every") * int(_costs(several)[encoders].sum())
    assert cycle.count(several).cycles <= cycle.count(one).cycles + more


@_SLOW
@given(cases(), ENGINES, st.integers(1, 8))
def test_more_lanes(case: Case, engine: dict[str, int], more: int) -> None:
    lanes = engine["engine.lanes"]
    few, many = (lower(_local(engine | {"engine.lanes": n}), *case) for n in (lanes, lanes + more))
    longer = (many.issue_cycles - few.issue_cycles).clip(0)
    assert not longer[many.unit != UNITS.index("load")].any()
    deeper = (lanes + more - 1).bit_length() - (lanes - 1).bit_length()
    passes = int((few.unit == UNITS.index("engine")).sum())
    assert cycle.count(many).cycles <= cycle.count(few).cycles + passes * deeper + int(longer.sum())


@_SLOW
@given(cases(), ENGINES, EXCHANGES, st.integers(2, 8), st.integers(2, 3))
def test_wider_tiles(case: Case, engine: dict[str, int], wires: dict[str, int], tiles: int, times: int) -> None:
    """All widths of a tile grow alike. What an op may take longer, because its words are dealt out to fewer tiles, is
    what the run may.
    """
    wide = {name: times * width for name, width in engine.items()}
    one, other = (lower(_local(widths | wires | {"tiles.count": tiles}), *case) for widths in (engine, wide))
    longer = (_costs(other) - _costs(one)).clip(0)
    assert cycle.count(other).cycles <= cycle.count(one).cycles + int(longer.sum())


@_SLOW
@given(cases(), st.sampled_from(["tiny", "edge"]), st.integers(1, 4), st.floats(0, 1), st.floats(0, 1))
def test_more_sram(case: Case, name: str, tiles: int, share: float, more: float) -> None:
    """On DRAM, where what is fetched changes with what is not, and with it which row is open: 5 % and one refresh."""
    auto = {f"placement.{what}": "auto" for what in ("weights", "gradients", "tape")} | {"cache.bytes": 0}
    auto |= {"tiles.count": tiles, "tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 4}
    every = lower(Architecture.named(name, auto | {"local.bytes": 2**26}), *case).local_bytes
    needed = sum(every[what] for what in every if what not in ("weights", "gradients", "tape"))
    room = needed + int(share * (sum(every.values()) - needed))
    rooms = (room, room + int(more * needed))
    try:
        small, large = (lower(Architecture.named(name, auto | {"local.bytes": size}), *case) for size in rooms)
    except FitError:  # for the buffer of a tape off-chip, if gradients have taken its room: refused, not slower
        assume(False)
    before, after = cycle.count(small), cycle.count(large)
    if small.remote_bytes == large.remote_bytes:
        assert before == after
        return
    tape = _moved_tape_cycles(large) if "tape" in large.remote_bytes and "tape" not in small.remote_bytes else 0
    refresh = 50 + 260e-9 * small.architecture.engine.clock_hz  # tRFC of the devices, and what waits behind it
    assert after.cycles <= 1.05 * before.cycles + refresh + tape


def _moved_tape_cycles(program: Program) -> int:
    """Return the cycles of every move of the tape, one after the other: through the port, over the bus, and latency."""
    ops, architecture = program.ops, program.architecture
    stores = ops.mode == MODE_NAMES.index("store")
    loads = (ops.mode == MODE_NAMES.index("load")) & (ops.depends[:, 0] != NO_OP)
    moved = int(ops.count[stores | loads].sum())
    bus = moved / architecture.remote_peak_bytes_per_second * architecture.engine.clock_hz
    port = moved / architecture.dma.bytes_per_cycle
    latency = 50 + architecture.dma.request_cycles
    return int(bus + port) + int((stores | loads).sum()) * latency
