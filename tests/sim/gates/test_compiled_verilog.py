"""The Verilog that gates are compiled from."""

from __future__ import annotations

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from deltatrain.sim.gates.compiled.verilog import replicated

MEMBERS = st.sampled_from(["a", "aa", "b[3]", "b[31]", "b[3:0]", "\\gates.word[0] [15]", "\\gates.word[0] ", "2'h0"])


def members_of(concatenation):
    """Return what a concatenation joins, replications written out."""
    inner = concatenation.removeprefix("{ ").removesuffix(" }")
    found = []
    for member in inner.split(", "):
        times = re.fullmatch(r"\{(\d+)\{(.*)\}\}", member)
        found += [times[2]] * int(times[1]) if times else [member]
    return found


@given(st.lists(MEMBERS, min_size=1, max_size=12))
def test_a_replication_joins_what_the_concatenation_did(members):
    text = f"  assign y = {{ {', '.join(members)} }} + c;\n  assign z = a, a;\n"
    first, second = replicated(text).splitlines()
    concatenation = first.removeprefix("  assign y = ").removesuffix(" + c;")
    assert members_of(concatenation) == members
    shown = concatenation.removeprefix("{ ").removesuffix(" }").split(", ")
    assert all(one != next_one for one, next_one in itertools.pairwise(shown))
    assert second == "  assign z = a, a;"
