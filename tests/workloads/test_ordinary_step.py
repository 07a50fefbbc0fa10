"""The step of torch.nn that stands for "what one has": its shapes, its gradients, and that it learns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from deltatrain.accel.errors import ConfigError

torch = pytest.importorskip("torch", reason="PyTorch is what is measured")

from deltatrain.workloads.torch import ordinary_step  # noqa: E402
from deltatrain.workloads.torch.ordinary_step import CELLS, OrdinaryStep, Sizes, devices, refuse_cell  # noqa: E402


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Compute such small layers with one thread: several would wait for each other."""
    with ordinary_step.one_thread():
        yield


@dataclass
class Given:
    cell: str = "delta_lstm"
    hidden: tuple[int, ...] = (6, 6)
    lengths: tuple[int, ...] = (5, 5, 5)
    every: bool = False
    numbers: bool = False
    learns: bool = True
    words: int = 0


def step(given: Given) -> OrdinaryStep:
    lengths = np.array(given.lengths)
    told = given.every, given.numbers, given.learns, given.words
    return OrdinaryStep(Sizes(given.cell, 4, given.hidden, 3, lengths, *told))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("hidden", [(6,), (6, 6), (6, 9)])
@pytest.mark.parametrize("lengths", [(5, 5, 5), (2, 7, 4)])
@pytest.mark.parametrize("every", [False, True])
def test_a_row_for_each_step_that_is_read(
    cell: str, hidden: tuple[int, ...], lengths: tuple[int, ...], every: bool
) -> None:
    outputs = step(Given(cell, hidden, lengths, every)).outputs()
    assert outputs.shape == (sum(lengths) if every else len(lengths), 3)


@pytest.mark.parametrize("numbers", [False, True])
@pytest.mark.parametrize("lengths", [(5, 5, 5), (2, 7, 4)])
def test_a_step_updates_every_parameter_and_lowers_the_loss(numbers: bool, lengths: tuple[int, ...]) -> None:
    one = step(Given(lengths=lengths, numbers=numbers))
    parameters = [*one._layers.parameters(), *one._readout.parameters()]
    before = [parameter.detach().clone() for parameter in parameters]

    def loss() -> float:
        kind = torch.nn.functional.mse_loss if numbers else torch.nn.functional.cross_entropy
        return float(kind(one.outputs(), one._wanted).detach())

    first = loss()
    for _ in range(50):
        one()
    assert all((now != then).any() for now, then in zip(parameters, before, strict=True))
    assert loss() < first


def test_the_last_step_of_a_packed_sample_is_what_it_is_alone() -> None:
    one = step(Given(lengths=(2, 7, 4)))
    padded, lengths = torch.nn.utils.rnn.pad_packed_sequence(one._x)
    outputs = one.outputs()
    for sample, length in enumerate(lengths):
        alone, _ = one._layers[0](padded[:length, sample : sample + 1])
        torch.testing.assert_close(one._readout(alone[-1, 0]), outputs[sample])


def test_inference_computes_no_gradient() -> None:
    one = step(Given(learns=False))
    one()
    assert all(parameter.grad is None for parameter in one._layers.parameters())


def test_it_is_timed_on_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordinary_step, "_ENOUGH_S", 0.01)
    assert "cpu" in devices()
    timed = step(Given()).timed()
    assert timed.seconds > 0 and 1 <= timed.steps <= 200


def test_a_step_that_takes_long_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**6, 7))
    monkeypatch.setattr(ordinary_step.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(ordinary_step.time, "process_time", lambda: 0.0)
    assert step(Given()).timed() == (7, 1, 1.0)


def test_spikes_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"torch\.nn has no cell like lif: it has those of delta_rnn, delta_gru"):
        refuse_cell("lif")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("lengths", [(5, 5, 5), (2, 7, 4)])
def test_words_are_looked_up_in_a_table_whose_rows_that_occur_learn(cell: str, lengths: tuple[int, ...]) -> None:
    one = step(Given(cell, lengths=lengths, every=True, words=50))
    table = one._table.weight
    before = table.detach().clone()
    one()
    words = getattr(one._x, "data", one._x)
    occurring = np.unique(words)
    assert words.numel() == sum(lengths) and one.outputs().shape == (sum(lengths), 3)
    changed = np.flatnonzero((table != before).any(dim=1))
    np.testing.assert_array_equal(changed, occurring)
