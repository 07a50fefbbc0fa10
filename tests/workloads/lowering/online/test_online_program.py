"""Programs of online learning: their gradients, done op by op, what they count, and what they keep."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from online_replay import OnlineReplay
from programs import recorded_step

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.family import given as given_neuron
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.program import Program
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.online.lowering import lower_online, lower_online_dense
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.network.network import Network, Sizes, forward, from_flat, initial_parameters
from deltatrain.workloads.recorded_step import RecordedStep
from deltatrain.workloads.rules import RULES

CLASSES, FEATURES = 3, 5
seeds = st.integers(0, 2**32 - 1)
readouts = st.sampled_from(["last", "every"])
TINY = Architecture.named("tiny")


def online(shape: Shape, rule: str) -> Shape:
    return replace(shape, online=True, broadcasts=RULES.load(rule).BROADCASTS)


def _case(cell: str, hidden: tuple[int, ...], readout: str, seed: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    neuron = LeakyNeuron(listed_share=rng.choice([0.5, 1.0]))
    sizes = Sizes(given_neuron(CELLS.load(cell), neuron=neuron), FEATURES, hidden, CLASSES)
    network = Network(sizes, ((0.0, 0.0),) * len(hidden), readout, 0.0)
    parameters = from_flat(5 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat(), sizes)
    lengths = rng.integers(1, 7, 3)
    x = (rng.random((lengths.max(), 3, FEATURES)) < 0.3).astype(np.float64)
    return network, parameters, x, lengths, rng.integers(0, CLASSES, 3)


def _recorded(case: tuple[Any, ...]) -> RecordedStep:
    """Return what fires in the forward pass of the trainer."""
    network, parameters, x, lengths, _ = case
    ran = forward(network, parameters, x, lengths)
    packing, steps = ran.packing, lengths.max()
    below, masks = ran.inputs, [[], [], [], []]
    for tape in ran.tapes:
        h = tape.values[network.sizes.cell.VALUES.index("h"), packing.samples :]
        for number, rows in ((0, below), (1, h)):
            padded = np.zeros((steps + 1, len(lengths), rows.shape[1]))
            for t, (n, start) in enumerate(zip(packing.active, packing.start, strict=True)):
                padded[t + number, packing.order[:n]] = rows[start : start + n]
            there = (np.arange(steps)[:, None] < lengths) & (number == 0 or bool(network.sizes.cell.TARGETS_H))
            seen = np.where(there[..., None], padded[:steps], 0.0)
            masks[number].append(seen != 0)
            masks[2 + number].append((seen != 0) | np.signbit(seen))
        below = h
    return RecordedStep(0, 0, lengths, *map(tuple, masks))


@pytest.mark.parametrize("hidden", [(8,), (7, 6)])
@pytest.mark.parametrize("cell", ["lif", "lif_recurrent"])
@pytest.mark.parametrize("rule", ["ottt", "eprop"])
@given(seed=seeds, readout=readouts)
@settings(max_examples=5)
def test_a_program_does_what_its_rule_says_in_whatever_order_it_allows(
    rule: str, cell: str, hidden: tuple[int, ...], seed: int, readout: str
) -> None:
    case = _case(cell, hidden, readout, seed)
    shape = online(Shape.of(cell, FEATURES, hidden, CLASSES), rule)
    program = lower_online(TINY, shape, _recorded(case), readout)
    found = OnlineReplay(*case, broadcasts=shape.broadcasts).run(program, seed)
    wanted = RULES.load(rule).training_step(*case).gradients
    for one, other in zip(found.arrays(), wanted.arrays(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def _ever(mask: np.ndarray, sample: int, t: int) -> int:
    """Return how many elements have spiked up to a step."""
    return len({j for past in range(t + 1) for j in range(mask.shape[2]) if mask[past, sample, j]})


def _drawn(cell: str, rule: str, steps: int = 6) -> tuple[Shape, RecordedStep]:
    shape = online(Shape.of(cell, FEATURES, (7, 6), CLASSES), rule)
    return shape, recorded_step(shape, np.array([steps, steps // 2]), 0.2, 5)


def _counted(program: Program, mode: str, phase: str, stream: str, layer: int) -> int:
    ops = program.ops
    return int(ops.count[ops.is_mode(mode) & ops.is_phase(phase) & ops.is_stream(stream) & (ops.layer == layer)].sum())


@pytest.mark.parametrize("readout", ["last", "every"])
@pytest.mark.parametrize("rule", ["ottt", "eprop"])
def test_weights_learn_from_all_that_has_ever_spiked(rule: str, readout: str) -> None:
    shape, step = _drawn("lif_recurrent", rule)
    program = lower_online(TINY, shape, step, readout)
    learned = [(b, t) for b, n in enumerate(step.lengths) for t in range(n) if readout == "every" or t == n - 1]
    spiked, elements = 0, 0
    for layer in range(2):
        of_x = sum(_ever(step.fired_x[layer], b, t) for b, t in learned)
        of_h = sum(_ever(step.fired_h[layer], b, t) for b, t in learned)
        assert _counted(program, "outer", "WG", "x", layer) == of_x + len(learned)  # the bias
        assert _counted(program, "outer", "WG", "h", layer) == of_h
        assert _counted(program, "encode_spikes", "WG", "x", layer) == of_x
        elements += int(step.lengths.sum()) * shape.inputs[layer]
        elements += int((step.lengths - 1).sum()) * shape.hidden[layer]
        spiked += of_x + of_h
    own = program.own.work(program.ops.is_mode("trace"))
    assert (own["multiplies"], own["local_read_bytes"], own["local_write_bytes"]) == (
        elements,
        2 * elements,
        2 * elements,
    )
    assert 0 < spiked < elements
    signals = int((program.ops.is_mode("matvec_t") & (program.ops.layer == 0)).sum())
    assert signals == len(learned) * (rule == "eprop")


@pytest.mark.parametrize("rule", ["ottt", "eprop"])
def test_off_chip_memory_brings_what_lists_name_and_no_tape(rule: str) -> None:
    off_chip = Architecture.named("tiny", {"placement.weights": "remote", "placement.gradients": "remote"})
    shape, step = _drawn("lif", rule)
    program = lower_online(off_chip, shape, step, "every")
    asked = 0
    for row in range(len(program.ops)):
        both = (int(program.ops.tensor[row]), int(program.ops.second_tensor[row]))
        for tensor in (program.tensors[number] for number in both if number >= 0):
            moved = int(program.ops.count[row]) * tensor.words * tensor.word_bytes
            asked += moved * (2 if program.writes_back[row] else 1)
    inputs = int(program.ops.count[program.ops.is_mode("load")].sum())
    assert program.asked_bytes == asked + inputs
    assert inputs == program.remote_bytes["inputs"]
    assert not program.ops.is_mode("store").any()
    assert len([one for one in program.tensors if one.kind == "weights"]) == 3 + (rule == "eprop")
    assert len([one for one in program.tensors if one.kind == "gradients"]) == 3


@pytest.mark.parametrize("rule", ["ottt", "eprop"])
def test_memory_does_not_grow_with_the_steps(rule: str) -> None:
    kept, of_tape = [], []
    for steps in (6, 60):
        shape, step = _drawn("lif_recurrent", rule, steps)
        kept.append(lower_online(TINY, shape, step, "every").local_bytes)
        of_tape.append(lower(TINY, replace(shape, online=False, broadcasts=False), step, "every").local_bytes["tape"])
    assert kept[0] == kept[1] and kept[0]["tape"] == 0
    assert of_tape[1] > 9 * of_tape[0]
    lanes = TINY.engine.lanes
    elements = [FEATURES, 7, 7, 6]
    words = sum(-(-width // lanes) * lanes for width in elements)
    assert kept[0]["traces"] == 2 * words + (2 + 2) * sum(elements)


def test_a_dense_machine_has_every_trace() -> None:
    shape, step = _drawn("lif_recurrent", "ottt")
    program = lower_online_dense(TINY, shape, step.lengths, "every")
    steps, again = int(step.lengths.sum()), int((step.lengths - 1).sum())
    for layer in range(2):
        assert _counted(program, "outer", "WG", "x", layer) == steps * (shape.inputs[layer] + 1)
        assert _counted(program, "outer", "WG", "h", layer) == again * shape.hidden[layer]
    assert (program.ops.dense_count >= program.ops.count * (program.ops.tensor >= 0)).all()


def test_a_first_step_has_no_traces_of_what_comes_back() -> None:
    shape, _ = _drawn("lif_recurrent", "ottt")
    one = recorded_step(shape, np.array([1]), 0.5, 2)
    ops = lower_online(TINY, shape, one, "last").ops
    assert not (ops.is_mode("trace", "outer", "matvec") & ops.is_stream("h")).any()
    assert ops.is_mode("trace").sum() == 2
