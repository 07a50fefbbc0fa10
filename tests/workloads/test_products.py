"""Products over listed columns alone against products over all of them, alone and in whole networks."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.cells import CELLS, _gathered, _products
from deltatrain.workloads.network.network import Network, Sizes, from_flat, initial_parameters, training_step

seeds = st.integers(0, 2**32 - 1)
occupancies = st.sampled_from([0.0, 0.1, 0.6, 1.0])
dtypes = st.sampled_from([np.float64, np.float32])


def _ways(monkeypatch: pytest.MonkeyPatch, compute: object) -> tuple[object, object]:
    """Return what `compute` returns over all columns, and over listed ones wherever any product may be."""
    found = []
    for most in (-1.0, 1.0):
        with monkeypatch.context() as patch:
            patch.setattr(_products, "SMALLEST_PRODUCT", 0)
            patch.setattr(_products, "SMALLEST_MATRIX", 0)
            patch.setattr(_products, "MOST_LISTED", most)
            found.append(compute())
    return tuple(found)


@given(
    rows=st.integers(1, 9),
    width=st.integers(1, 37),
    outputs=st.integers(1, 37),
    share=occupancies,
    seed=seeds,
    dtype=dtypes,
)
@settings(deadline=None)  # the first example compiles
def test_listed_columns_give_what_all_columns_give(
    rows: int, width: int, outputs: int, share: float, seed: int, dtype: type
) -> None:
    rng = np.random.default_rng(seed)
    fired = rng.random((rows, width)) < share
    delta = (rng.standard_normal((rows, width)) * fired).astype(dtype)
    W, g_M = (rng.standard_normal((n, m)).astype(dtype) for n, m in ((outputs, width), (rows, outputs)))
    close = {"rtol": 0, "atol": 1e3 * np.finfo(dtype).eps}
    W_T, dW = np.empty((width, outputs), dtype), np.empty_like(W)
    M, g = np.ones_like(g_M), np.full_like(delta, np.nan)
    _gathered.transpose(W, W_T)
    np.testing.assert_array_equal(W_T, W.T)
    _gathered.add(delta, fired, W_T, M)
    np.testing.assert_allclose(M, 1 + delta @ W.T, **close)
    _gathered.back(g_M, fired, W_T, g)
    np.testing.assert_allclose(g, (g_M @ W) * fired, **close)
    _gathered.outer(g_M, delta, fired, dW)
    np.testing.assert_allclose(dW, g_M.T @ delta, **close)


@given(
    cell=st.sampled_from(CELLS.names()),
    theta=st.sampled_from([0.0, 0.05, 0.3]),
    beta=st.sampled_from([0.0, 0.1]),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5).map(np.array),
    seed=seeds,
)
@settings(deadline=None)
def test_a_network_learns_the_same_whichever_way_its_products_are_made(
    cell: str, theta: float, beta: float, lengths: Array, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    sizes = Sizes(CELLS.load(cell), 3, (5, 4), 4)
    network = Network(sizes, ((theta, theta),) * 2, "every", beta)
    parameters = from_flat(3 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat(), sizes)
    x, labels = rng.standard_normal((int(lengths.max()), len(lengths), 3)), np.arange(len(lengths)) % 4
    with pytest.MonkeyPatch.context() as patch:
        every, listed = _ways(patch, lambda: training_step(network, parameters, x, lengths, labels))
    assert listed.loss == pytest.approx(every.loss, rel=1e-6)
    np.testing.assert_allclose(listed.gradients.flat(), every.gradients.flat(), rtol=1e-6, atol=1e-9)
    for one, other in zip(every.forward.tapes, listed.forward.tapes, strict=True):
        np.testing.assert_array_equal(one.fired_x, other.fired_x)
        np.testing.assert_array_equal(one.fired_h, other.fired_h)


@pytest.mark.parametrize(
    ("rows", "width", "outputs", "dtype"),
    [
        (2, 64, 256, np.float32),
        (31, 67, 268, np.float32),
        (1111, 13, 256, np.float32),
        (1300, 48, 192, np.float32),
        (32, 64, 256, np.float64),
        (1110, 13, 256, np.float64),
    ],
)
def test_listing_changes_no_bit_where_blas_sums_in_pieces_as_listed_columns_do(
    rows: int, width: int, outputs: int, dtype: type
) -> None:
    if not any(library.get("architecture") == "SkylakeX" for library in threadpool_info()):
        pytest.skip("the pieces are those of OpenBLAS for machines with AVX-512")
    rng = np.random.default_rng(0)
    fired = rng.random((rows, width)) < 0.2
    delta = (rng.standard_normal((rows, width)) * fired).astype(dtype)
    W_T, g_M = (rng.standard_normal((n, outputs)).astype(dtype) for n in (width, rows))
    M, dW = np.zeros_like(g_M), np.empty((outputs, width), dtype)
    _gathered.add(delta, fired, W_T, M)
    _gathered.outer(g_M, delta, fired, dW)
    with threadpool_limits(limits=1, user_api="blas"):  # as in training; threads share a sum in another way
        np.testing.assert_array_equal(M, delta @ W_T)
        np.testing.assert_array_equal(dW, g_M.T @ delta)


@given(count=st.integers(0, 5000), most=st.sampled_from([384, 448]))
def test_a_sum_is_made_in_pieces_none_of_which_is_too_long(count: int, most: int) -> None:
    ends = _gathered._piece_ends(count, most)
    sizes = np.diff(ends)
    assert (ends[0], ends[-1]) == (0, count)
    assert all((sizes > 0) & (sizes <= most))
    assert len(sizes) == -(-count // most)


def test_listed_columns_are_chosen_where_few_fired_and_the_product_is_large() -> None:
    fired = np.zeros((10, 512), np.bool_)
    fired[:, : int(512 * _products.MOST_LISTED)] = True
    outputs = -(-_products.SMALLEST_PRODUCT // fired.size)
    assert _products._few(fired, outputs)
    assert not _products._few(fired, outputs - 1)
    fired[0, -10:] = True
    assert not _products._few(fired, outputs)


def test_what_trains_small_matrices_for_a_few_steps_does_not_load_numba() -> None:
    code = (
        "import sys, numpy as np\n"
        "from deltatrain.workloads.cells import CELLS\n"
        "from deltatrain.workloads.network.network import Network, Sizes, initial_parameters, training_step\n"
        "sizes = Sizes(CELLS.load('delta_lstm'), 13, (40, 40), 10)\n"
        "parameters = initial_parameters(sizes, np.random.default_rng(0), np.dtype(np.float32))\n"
        "x, one = np.ones((2, 1, 13), np.float32), np.ones(1, np.int64)\n"
        "training_step(Network(sizes, ((0.5, 0.5),) * 2, 'last', 0.0), parameters, x, 2 * one, one)\n"
        "sys.exit('numba' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
