"""Off-chip: columns become segments that keep their limits and are all made; write-backs wait.

Numbers of columns and words have few bits here; nothing but their range depends on that.
"""

from __future__ import annotations

import pytest
from amaranth.hdl import Mux, Signal, unsigned
from narrowing import narrow
from proofs import proofs
from proving import Claims, assert_proved, needs_prover
from stream_claims import claim_passage, surround

from deltatrain.rtl.off_chip import segment_splitter
from deltatrain.rtl.off_chip.posts import Posts
from deltatrain.rtl.off_chip.segment_splitter import SegmentSplitter

pytestmark = needs_prover

BITS = 2


@pytest.fixture(autouse=True)
def few_bits(monkeypatch):
    narrow(monkeypatch, INDEX_BITS=BITS, ADDRESS_BITS=2 * BITS)
    for matrix in ("weights", "gradients"):
        monkeypatch.setitem(segment_splitter.WHAT_IS_FETCHED, f"{matrix}_address", unsigned(1))


def splitter(component, most_columns=2, bits=BITS):
    """Return the claims about segments; `made` says how far the op of the segment on offer was before it."""
    claims = Claims()
    m = claims.m
    m.submodules.splitter = splitter = component()
    surround(claims, splitter)
    op, column = splitter.ops.payload, splitter.columns.payload
    claims.assume((op.segment_words != 0) & (op.segment_words <= op.words))
    claims.assume(op.count <= most_columns)
    free = splitter.segments.ready | ~splitter.segments.valid
    its_op, its_column = Signal.like(op), Signal.like(column)
    with m.If(free):
        m.d.sync += [its_op.eq(op), its_column.eq(column)]
    segment, offered = splitter.segments.payload, splitter.segments.valid
    taken = offered & splitter.segments.ready
    columns, words = Signal(bits + 1), Signal(bits + 1)
    of_column = offered & ~segment.empty
    ends = Signal()
    m.d.comb += ends.eq(words + segment.words == its_op.words)
    last = segment.empty | (ends & (columns + 1 == its_op.count))
    with m.If(taken):
        m.d.sync += [
            words.eq(Mux(segment.empty | ends, 0, words + segment.words)),
            columns.eq(Mux(last, 0, columns + ends)),
        ]
    claims.claim("a segment has a word at least", ~of_column | (segment.words != 0))
    claims.claim("it is no longer than a segment may be", ~of_column | (segment.words <= its_op.segment_words))
    claims.claim("it does not cross the end of its column", ~of_column | (words + segment.words <= its_op.words))
    claims.claim("it is as long as it may be", ~of_column | ends | (segment.words == its_op.segment_words))
    place = (segment.first_word == its_column * its_op.words) & (segment.word == words)
    claims.claim("it lies behind the one before", ~of_column | place)
    claims.claim("the first of an op begins it", ~offered | (segment.begins == ((columns == 0) & (words == 0))))
    claims.claim("an op has as many columns as it says", ~offered | segment.empty | (columns < its_op.count))
    claims.claim("an op without columns is one empty segment", ~offered | (segment.empty == (its_op.count == 0)))
    # A segment is on offer in the cycle after it was made.
    is_new = claims.before(free) & offered
    column_leaves = claims.before(splitter.columns.valid & splitter.columns.ready)
    op_leaves = claims.before(splitter.ops.valid & splitter.ops.ready)
    claims.claim("a column leaves with its last segment", column_leaves == (is_new & ~segment.empty & ends))
    claims.claim("an op leaves with its last segment", op_leaves == (is_new & last))
    can = splitter.ops.valid & ((op.count == 0) | splitter.columns.valid) & free
    claims.claim("a segment is made in every cycle that has room and a column", claims.before(can) == is_new)
    return claims


def posts(component):
    """Return the claims about write-backs; no more enter than there is room for, and the lanes take what entered."""
    depth, delay = 2, 2
    claims = Claims()
    claims.m.submodules.posts = posts = component(delay_cycles=delay, depth=depth)
    surround(claims, posts)
    goes = posts.requests.valid & posts.requests.ready
    item = posts.segments.payload
    claims.assume(item.address[1:] == 0)
    claims.assume(item.words == 0)
    inside = claim_passage(
        claims, comes=posts.segments.valid, item=item, goes=goes, gone=posts.requests.payload, most=depth
    )
    taken, due = Signal(range(depth + 1)), Signal(range(depth + 1))
    claims.assume(~posts.segments.valid | (inside != depth))
    claims.assume(~posts.taken | (taken != inside))
    late = posts.taken
    for _ in range(delay):
        late = claims.before(late)
    claims.m.d.sync += [taken.eq(taken + posts.taken - goes), due.eq(due + late - goes)]
    claims.claim("a request waits until it is due, and no longer", posts.requests.valid == ((due + late) != 0))
    return claims


SUBJECTS = {
    splitter: (
        SegmentSplitter,
        [
            ("self.segments.ready | ~self.segments.valid)", "1)"),
            ("rest <= of_segment", "rest < of_segment"),
            ("m.If(self.segments.ready)", "m.If(self.segments.ready & self.ops.valid)"),
        ],
    ),
    posts: (Posts, [("some.eq(several)", "some.eq(1)")]),
}

test_columns_keep_their_limits_and_end, test_a_fault_breaks_each_claim = proofs(SUBJECTS)


@pytest.mark.long
def test_wider_columns(monkeypatch):
    narrow(monkeypatch, INDEX_BITS=BITS + 1, ADDRESS_BITS=2 * BITS + 2)
    assert_proved(splitter(SegmentSplitter, bits=BITS + 1))
