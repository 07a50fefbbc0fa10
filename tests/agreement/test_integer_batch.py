"""All samples side by side against the integer training step that goes sample after sample: the same integers.

Also where formats saturate, so that the order of every sum is part of the result, and where they wrap.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.number import Integers, quantise
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.network import Sizes, from_flat, initial_parameters
from deltatrain.workloads.training import integer_batch
from deltatrain.workloads.training.integer_parameters import IntegerParameters, quantised
from deltatrain.workloads.training.integer_training import IntegerNetwork, training_step

FEATURES, HIDDEN, CLASSES = 3, (7, 5), 4


def _formats(memory: str, weight_gradient: str, bits: int) -> Formats:
    return Formats(
        weight={"bits": 8, "fraction_bits": 8},
        activation={"bits": 8, "fraction_bits": 7},
        gate={"bits": 16, "fraction_bits": 14},
        state={"bits": 16, "fraction_bits": 11},
        gradient={"bits": 8, "fraction_bits": 11},
        learning_rate={"bits": 16, "fraction_bits": 15},
        memory_bits=bits,
        memory_overflow=memory,
        weight_gradient_bits=bits,
        weight_gradient_overflow=weight_gradient,
    )


def _case(
    cell: str, readout: str, formats: Formats, lengths: list[int], least: int, seed: int, code_bits: int | None = None
) -> tuple[IntegerNetwork, IntegerParameters, list[Integers], list[int], int]:
    rng = np.random.default_rng(seed)
    floating = CELLS.load(cell)
    arithmetic = CELL_ARITHMETIC.load(floating.ARITHMETIC)
    drawn = initial_parameters(Sizes(floating, FEATURES, HIDDEN, CLASSES), rng, np.dtype(np.float64))
    parameters = from_flat(6 * drawn.flat(), Sizes(floating, FEATURES, HIDDEN, CLASSES))
    engine = Engine(clock_hz=10**8, lanes=3, encoder_elements=4, elementwise_lanes=3, formats=formats)
    network = IntegerNetwork(arithmetic, engine, ((least, least),) * len(HIDDEN), readout, code_bits=code_bits)
    samples = [_input(cell, rng, steps, formats) for steps in lengths]
    labels: list[int] = rng.integers(0, CLASSES, len(lengths)).tolist()
    return network, quantised(parameters, arithmetic, formats), samples, labels, 2000


def _input(cell: str, rng: np.random.Generator, steps: int, formats: Formats) -> Integers:
    values: Array = rng.normal(scale=2, size=(steps, FEATURES))
    return (
        (values > 0) * np.int64(formats.activation.highest)
        if cell.startswith("lif")
        else quantise(values, formats.activation)
    )


@pytest.mark.parametrize("cell", CELLS.names())
@given(
    readout=st.sampled_from(["last", "every"]),
    overflow=st.tuples(st.sampled_from(["saturate", "wrap"]), st.sampled_from(["saturate", "wrap"])),
    bits=st.sampled_from([16, 32]),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    least=st.sampled_from([0, 20, 200]),
    code_bits=st.sampled_from([None, 1, 3]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=25, deadline=None)  # the first example compiles
def test_all_samples_side_by_side_give_the_integers_of_one_after_another(
    cell: str,
    readout: str,
    overflow: tuple[str, str],
    bits: int,
    lengths: list[int],
    least: int,
    code_bits: int | None,
    seed: int,
) -> None:
    case = _case(cell, readout, _formats(*overflow, bits), lengths, least, seed, code_bits)
    step = training_step(*case)
    for found, expected in zip(integer_batch.gradients(*case[:4]).matrices(), step.gradients.matrices(), strict=True):
        np.testing.assert_array_equal(found, expected)
    for found, expected in zip(integer_batch.updated(*case).matrices(), step.updated.matrices(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_narrow_formats_do_saturate() -> None:
    formats = _formats("saturate", "saturate", 16)
    step = training_step(*_case("delta_lstm", "every", formats, [6] * 5, 0, 0))
    ends = (formats.weight_gradient.lowest, formats.weight_gradient.highest)
    assert any(np.isin(dW, ends).any() for dW in step.gradients.matrices())
    assert any(
        np.isin(ran.memory, (formats.memory.lowest, formats.memory.highest)).any()
        for record in step.samples
        for ran in record.forward
    )
