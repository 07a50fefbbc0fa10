from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from deltatrain.sim.sweep.pareto import Front, hypervolume, on_front, scaled

small = st.integers(0, 5).map(float)


def losses(most: int = 12, objectives: tuple[int, int] = (1, 4)) -> st.SearchStrategy[np.ndarray]:
    shapes = st.tuples(st.integers(1, most), st.integers(*objectives))
    return shapes.flatmap(lambda shape: hnp.arrays(np.float64, shape, elements=small))


def beats(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one <= other).all() and (one < other).any())


@given(losses())
def test_the_front_is_what_nobody_beats(points: np.ndarray) -> None:
    naive = [not any(beats(other, point) for other in points) for point in points]
    assert on_front(points).tolist() == naive


@given(losses())
def test_a_front_that_grows_is_the_front_of_all(points: np.ndarray) -> None:
    front = Front()
    for point in points:
        front.add(point.tolist())
    assert len(front) == len(np.unique(points[on_front(points)], axis=0))


@given(losses())
def test_hypervolume_counts_the_unit_cells_that_some_point_beats(points: np.ndarray) -> None:
    reference = [6.0] * points.shape[1]
    cells = itertools.product(range(6), repeat=points.shape[1])
    naive = sum(any((point <= cell).all() for point in points) for cell in map(np.array, cells))
    assert hypervolume(points, reference) == pytest.approx(naive)


@given(losses(20, (2, 3)), st.floats(0.1, 9), st.floats(-3, 3))
def test_hypervolume_scales_with_the_axes(points: np.ndarray, scale: float, shift: float) -> None:
    reference = np.full(points.shape[1], 5.5)
    expected = hypervolume(points, reference.tolist()) * scale ** points.shape[1]
    assert hypervolume(points * scale + shift, (reference * scale + shift).tolist()) == pytest.approx(expected)


def test_points_beyond_the_reference_have_none() -> None:
    assert hypervolume(np.array([[2.0, 0.0]]), [1.0, 1.0]) == 0.0
    assert hypervolume(np.empty((0, 2)), [1.0, 1.0]) == 0.0


@given(losses(12, (1, 3)))
def test_a_scaled_front_lies_between_0_and_1(points: np.ndarray) -> None:
    front = points[on_front(points)]
    found = scaled(front, front)
    assert found.min(axis=0).tolist() == [0.0] * points.shape[1]
    assert all(worst in (0.0, 1.0) for worst in found.max(axis=0).tolist())
