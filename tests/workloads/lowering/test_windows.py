"""Windows of steps: samples of their own, whose masks are those of the steps, and what their program counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import recorded_step

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.program import PHASES
from deltatrain.sim.fidelity import analytic, cycle
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.windows import in_windows, window_lengths

TINY = Architecture.named("tiny")
SHAPE = Shape.of("lif_recurrent", 5, (7, 6), 3)


@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4), steps=st.integers(1, 13), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_windows_are_the_steps_of_each_sample_in_their_order(lengths: list[int], steps: int, seed: int) -> None:
    whole = recorded_step(SHAPE, np.array(lengths), 0.4, seed)
    cut = in_windows(whole, steps)
    assert in_windows(whole, None) is whole
    stated = [min(steps, length - start) for length in lengths for start in range(0, length, steps)]
    assert cut.lengths.tolist() == window_lengths(np.array(lengths), steps).tolist() == stated
    for name, masks in whole.masks().items():
        for mask, of_windows in zip(masks, cut.masks()[name], strict=True):
            assert len(of_windows) == max(stated)
            window = 0
            for sample, length in enumerate(lengths):
                for start in range(0, length, steps):
                    rows = of_windows[: stated[window], window]
                    np.testing.assert_array_equal(rows, mask[start : start + stated[window], sample])
                    assert not of_windows[stated[window] :, window].any()
                    window += 1


@pytest.mark.parametrize("steps", [1, 3, 20])
def test_a_machine_keeps_the_tape_of_a_window_and_carries_nothing_back_over_its_beginning(steps: int) -> None:
    lengths = np.array([9, 5])
    whole = recorded_step(SHAPE, lengths, 0.4, 3)
    long, short = (lower(TINY, SHAPE, one, "every") for one in (whole, in_windows(whole, steps)))
    assert short.local_bytes["tape"] <= long.local_bytes["tape"] * min(1, steps / 5)
    assert analytic.count(short).cycles <= cycle.count(short).cycles
    macs = {phase: [one.own.work(one.ops.is_phase(phase))["macs"] for one in (long, short)] for phase in PHASES}
    for phase in ("FP", "WG", "WU"):
        assert macs[phase][0] == macs[phase][1]
    crossed = sum(
        int(mask[t, sample].sum()) * width
        for mask, width in zip(whole.asked_h, SHAPE.hidden, strict=True)
        for sample, length in enumerate(lengths)
        for t in range(steps, length, steps)
    )
    assert macs["BP"][0] - macs["BP"][1] == crossed
