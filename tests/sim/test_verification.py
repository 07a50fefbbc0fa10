"""Random steps that `verify` draws."""

from __future__ import annotations

import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError, FitError
from deltatrain.sim import verification
from deltatrain.sim.gates.layout import Layout


def _with_local(count: int) -> Architecture:
    tiny = Architecture.named("tiny")
    return tiny.model_copy(update={"local": tiny.local.model_copy(update={"bytes": count})})


def test_steps_that_do_not_fit_a_small_memory_are_drawn_again() -> None:
    seeds = [[0, 0, case] for case in range(12)]
    small, large = _with_local(2048), Architecture.named("tiny")
    lowered = [verification._fitting(small, "lstm", seed).program for seed in seeds]
    first = [verification._drawn(large, "lstm", seed, 1).program for seed in seeds]
    as_before = sum(len(one.ops) == len(other.ops) for one, other in zip(lowered, first, strict=True))
    assert 0 < as_before < len(seeds)  # what fits at once is what larger memories get, too


def test_a_memory_that_no_step_fits_is_refused_with_what_is_missing() -> None:
    with pytest.raises(FitError, match=r"local\.bytes = 512 is too small"):
        verification.verify(_with_local(512), "rnn", cases=1, engine="amaranth")


def test_steps_whose_states_gates_do_not_move_are_drawn_again() -> None:
    changes = {"placement.weights": "local", "placement.gradients": "local", "checkpoint.local_bytes": 90}
    machine = Architecture.named("tiny", changes | {"checkpoint.policy": "segment_dram"})
    first, found = verification._drawn(machine, "rnn", [1, 3], 1), verification._fitting(machine, "rnn", [1, 3])
    with pytest.raises(ConfigError, match="an even number of words of M"):
        Layout(first.program, first.shape, first.network.readout)
    assert found.program.ops.is_mode("store").any()
    Layout(found.program, found.shape, found.network.readout)
