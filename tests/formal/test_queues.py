"""Queues of `rtl.parts`: no item is lost, doubled, changed or overtaken, for all inputs and all times.

Items have one bit: no queue looks at them, so what holds for two different items holds for all.
"""

from __future__ import annotations

from amaranth.hdl import Signal, unsigned
from proofs import proofs
from proving import Claims, needs_prover
from stream_claims import claim_passage, surround

from deltatrain.rtl.parts.fall_through_queue import FallThroughQueue
from deltatrain.rtl.parts.memory_queue import MemoryQueue
from deltatrain.rtl.parts.read_buffer import ReadBuffer
from deltatrain.rtl.parts.registered_queue import RegisteredQueue
from deltatrain.rtl.parts.reserved_queue import ReservedQueue
from deltatrain.rtl.tiles.fork import Fork

pytestmark = needs_prover

ITEM = unsigned(1)


def memory_queue(component, depth=3):
    claims = Claims()
    claims.m.submodules.queue = queue = component(shape=ITEM, depth=depth)
    surround(claims, queue)
    comes, goes = queue.i.valid & queue.i.ready, queue.o.valid & queue.o.ready
    inside = claim_passage(claims, comes=comes, item=queue.i.payload, goes=goes, gone=queue.o.payload, most=depth)
    claims.claim("what is inside is offered", queue.o.valid == ((inside != 0) | queue.i.valid))
    claims.claim("it is ready while it has room", queue.i.ready == (inside != depth))
    return claims


def registered_queue(component, depth=3):
    claims = Claims()
    claims.m.submodules.queue = queue = component(shape=ITEM, depth=depth)
    surround(claims, queue)
    comes, goes = queue.i.valid & queue.i.ready, queue.o.valid & queue.o.ready
    inside = claim_passage(claims, comes=comes, item=queue.i.payload, goes=goes, gone=queue.o.payload, most=depth)
    claims.claim("what is inside is offered", queue.o.valid == (inside != 0))
    claims.claim("it is ready while it has room", queue.i.ready == (inside != depth))
    return claims


def reserving(component, depth, falls_through):
    """Return the claims of a queue with places to reserve: it pushes what it promised, at any time after."""
    claims = Claims()
    claims.m.submodules.queue = queue = component(shape=ITEM, depth=depth)
    surround(claims, queue)
    taken = queue.o.valid & queue.o.ready
    inside = claim_passage(claims, comes=queue.push, item=queue.item, goes=taken, gone=queue.o.payload, most=depth)
    promised = Signal(range(depth + 2))
    claims.m.d.sync += promised.eq(promised + queue.reserve - queue.push)
    claims.assume(~queue.reserve | queue.free)
    claims.assume(~queue.push | (promised != 0))
    claims.claim("promises and items never exceed the places", promised + inside <= depth)
    claims.claim("a place is free while one is", queue.free == (promised + inside != depth))
    claims.claim("what is inside is offered", queue.o.valid == ((inside != 0) | (queue.push & falls_through)))
    return claims


def fall_through_queue(component, depth=3):
    return reserving(component, depth, falls_through=1)


def reserved_queue(component, depth=3):
    return reserving(component, depth, falls_through=0)


def read_buffer(component):
    """Return the claims of a buffer behind a memory that keeps its answer until it is asked again."""
    claims = Claims()
    claims.m.submodules.buffer = buffer = component(shape=ITEM)
    surround(claims, buffer, driven=("item",))
    asked, answer = claims.any(ITEM, "asked"), Signal(ITEM)
    with claims.m.If(buffer.read):
        claims.m.d.sync += answer.eq(asked)
    claims.m.d.comb += buffer.item.eq(answer)
    claims.assume(~buffer.read | buffer.free)
    inside = claim_passage(
        claims, comes=buffer.read, item=asked, goes=buffer.o.valid & buffer.o.ready, gone=buffer.o.payload, most=2
    )
    claims.claim("what is inside is offered", buffer.o.valid == (inside != 0))
    claims.claim("a place is free while one is", buffer.free == (inside != 2))
    return claims


def fork(component, outlet=0):
    """Return the claims of one outlet of three: it gets every item once."""
    claims = Claims()
    claims.m.submodules.fork = fork = component(shape=ITEM, outlets=3)
    surround(claims, fork)
    o, had = fork.o[outlet], Signal()
    claims.m.d.sync += had.eq((had | (o.valid & o.ready)) & ~(fork.i.valid & fork.i.ready))
    claims.claim("it gets what is offered, once", o.valid == (fork.i.valid & ~had))
    claims.claim("it gets the item itself", ~o.valid | (o.payload == fork.i.payload))
    claims.claim("none leaves before all have it", ~(fork.i.valid & fork.i.ready) | had | (o.valid & o.ready))
    return claims


SUBJECTS = {
    memory_queue: (
        MemoryQueue,
        [
            ("self.i.ready.eq(level != self._depth)", "self.i.ready.eq(1)"),
            ("some | self.i.valid", "1"),
            ("some.eq(several)", "some.eq(0)"),
        ],
    ),
    registered_queue: (
        RegisteredQueue,
        [
            ("self.i.valid & (others.r_rdy | ~free)", "self.i.valid & ~free"),
            ("m.If(free)", "m.If(1)"),
        ],
    ),
    fall_through_queue: (
        FallThroughQueue,
        [
            ("self.free.eq(held != self._depth)", "self.free.eq(1)"),
            ("queue.o.valid, queue.o.payload", "~self.push, queue.o.payload"),
        ],
    ),
    reserved_queue: (
        ReservedQueue,
        [
            ("self.reserve - taken", "self.reserve - self.o.ready"),
            ("queue.o.ready.eq(self.o.ready)", "queue.o.ready.eq(1)"),
        ],
    ),
    read_buffer: (ReadBuffer, [("(beside | ~taken)", "beside")]),
    fork: (
        Fork,
        [
            ("self.i.valid & ~had[number]", "self.i.valid"),
            ("(had | takes).all()", "takes.any()"),
            ("outlet.payload.eq(self.i.payload)", "outlet.payload.eq(self.i.payload & ~had[number - 1])"),
        ],
    ),
}

test_nothing_is_lost_doubled_or_overtaken, test_a_fault_breaks_each_claim = proofs(SUBJECTS)
