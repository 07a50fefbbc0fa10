"""A loss takes as many cycles as its law says, whatever the numbers, and gives each output of the network once.

The numbers are as wide as those of `tiny`: no claim depends on them, so ABC drops them. Outputs are three at most.
"""

from __future__ import annotations

from amaranth.hdl import Mux, Signal
from proofs import proofs
from proving import Claims, needs_prover
from stream_claims import claim_passage, surround

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import MODES
from deltatrain.rtl.elementwise.loss import Loss
from deltatrain.rtl.elementwise.op import CoreOp
from deltatrain.rtl.elementwise.squared_loss import SquaredLoss

pytestmark = needs_prover

MOST = 3
LANES = dict.fromkeys(("engine.lanes", "engine.encoder_elements", "engine.elementwise_lanes"), 2)
ENGINE = Architecture.named(
    "tiny", LANES | {"dma.bytes_per_cycle": 4, "engine.formats.gradient.fraction_bits": 2}
).engine


def op(wanted=0):
    sizes = dict.fromkeys(("accumulator_words", "vector_words", "state_words", "tape_words"), 2)
    return CoreOp(**sizes, most_count=MOST, wanted=wanted, number_bits=ENGINE.formats.memory.bits)


def offered(claims, loss):
    """Assume that an op has outputs, and is offered until its last cycle; return the cycles since it began."""
    count, since = loss.op.count, Signal(range(1 << 6))
    surround(claims, loss)
    claims.assume((count != 0) & (count <= MOST))
    goes_on = claims.before(loss.valid & ~loss.ends)
    claims.assume(~goes_on | (loss.valid & (count == claims.before(count))))
    claims.m.d.sync += since.eq(Mux(loss.valid & ~loss.ends, since + 1, 0))
    return since


def classes(component):
    """Return the claims about a loss of classes."""
    claims = Claims()
    claims.m.submodules.loss = loss = component(engine=ENGINE, op=op(), most_classes=MOST)
    since, count, given = offered(claims, loss), loss.op.count, Signal(range(MOST + 2))
    cycles = MODES.load("loss").class_cycles(ENGINE.formats)
    claims.m.d.sync += given.eq(Mux(loss.ends, 0, given + loss.result.valid))
    claims.claim("it ends in time", loss.ends == (loss.valid & (since + 1 == count * cycles)))
    in_time = loss.valid & (since >= 2) & (since < count + 2)
    claims.claim("each logit leaves two cycles after it is first read", loss.result.valid == in_time)
    claims.claim("the last one is told", ~loss.result.valid | (loss.result.last == (given + 1 == count)))
    claims.claim("all have left at its end", ~loss.ends | (given + loss.result.valid == count))
    return claims


def numbers(component):
    """Return the claims about a squared loss."""
    claims = Claims()
    claims.m.submodules.loss = loss = component(engine=ENGINE, op=op(wanted=MOST))
    since, result = offered(claims, loss), loss.result
    claims.claim("it ends in time", loss.ends == (loss.valid & (since + 1 == loss.op.count)))
    claim_passage(claims, comes=loss.valid, item=loss.ends, goes=result.valid, gone=result.last, most=2)
    claims.claim(
        "an output leaves two cycles after it was read", result.valid == claims.before(claims.before(loss.valid))
    )
    return claims


SUBJECTS = {
    classes: (
        Loss,
        [
            ("& look.last & ~waits", "& ~waits"),
            ("self.result.valid.eq(stage[2].seeks)", "self.result.valid.eq(stage[3].seeks)"),
            ("self.result.last.eq(stage[2].last)", "self.result.last.eq(stage[3].last)"),
            ("next_number == op.count", "number == op.count"),
        ],
    ),
    numbers: (
        SquaredLoss,
        [
            ("self.ends.eq(self.valid & last)", "self.ends.eq(last)"),
            ("self.result.last.eq(stage[2].last)", "self.result.last.eq(stage[1].last)"),
            ("self.result.valid.eq(stage[2].reads)", "self.result.valid.eq(stage[3].reads)"),
            ("look.reads.eq(self.valid)", "look.reads.eq(1)"),
        ],
    ),
}

test_a_loss_ends_in_time_and_gives_its_outputs, test_a_fault_breaks_each_claim = proofs(SUBJECTS)
