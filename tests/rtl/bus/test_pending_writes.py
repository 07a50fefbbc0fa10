"""Writes that have no response, against a list of them."""

from __future__ import annotations

import random

from streams import run

from deltatrain.rtl.bus.pending_writes import PendingWrites
from deltatrain.rtl.bus.words import Kind

CYCLES = 400


def test_a_read_overlaps_exactly_what_is_pending():
    dut, rng, pending = PendingWrites(depth=4), random.Random(1), []
    seen = {"overlaps": 0, "full": 0, "none": 0}

    async def drive(ctx):
        for number in range(CYCLES):
            first, read = rng.randrange(40), rng.randrange(40)
            piece = {"address": first, "end": first + rng.randrange(1, 6)}
            wanted = {"address": read, "end": read + rng.randrange(1, 6)}
            enters, leaves = rng.random() < 0.5, bool(pending) and rng.random() < 0.5
            ctx.set(dut.moves.payload, {"kind": Kind.GRADIENTS, "words": number, "piece": piece})
            ctx.set(dut.moves.valid, enters)
            ctx.set(dut.ends, leaves)
            ctx.set(dut.read, wanted)
            shared = any(wanted["address"] < end and start < wanted["end"] for start, end, _ in pending)
            assert ctx.get(dut.overlaps) == shared
            assert ctx.get(dut.any) == bool(pending)
            assert ctx.get(dut.moves.ready) == (len(pending) < 4)
            if pending:
                assert ctx.get(dut.oldest.words) == pending[0][2]
            seen["overlaps"] += shared
            seen["full"] += len(pending) == 4
            seen["none"] += not pending
            taken = enters and len(pending) < 4
            if leaves:
                pending.pop(0)
            if taken:
                pending.append((piece["address"], piece["end"], number))
            await ctx.tick()

    run(dut, drive)
    assert min(seen.values()) > 5
