"""Training rules: what OTTT and e-prop are by their own equations, said naively, and where OTTT is BPTT."""

from __future__ import annotations

import numpy as np
import pytest
from float_replay import FloatReplay
from hypothesis import given, settings
from hypothesis import strategies as st
from stated_neurons import lists_of

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.family import given as given_neuron
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.fired import fired_in
from deltatrain.workloads.network.network import Network, Sizes, forward, from_flat, initial_parameters
from deltatrain.workloads.rules import RULES, bptt, eprop, ottt, truncated
from deltatrain.workloads.workload import Workload

ALPHA, K, BETA = 0.95, 0.5, 10.0
CLASSES = 3
CAPPED = LeakyNeuron(listed_share=0.25)
seeds = st.integers(0, 2**32 - 1)
readouts = st.sampled_from(["last", "every"])


def _case(cell: str, hidden: tuple[int, ...], readout: str, seed: int):
    rng = np.random.default_rng(seed)
    sizes = Sizes(given_neuron(CELLS.load(cell), neuron=CAPPED), 5, hidden, CLASSES)
    network = Network(sizes, ((0.0, 0.0),) * len(hidden), readout, 0.0)
    parameters = from_flat(5 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat(), sizes)
    lengths = rng.integers(1, 9, 4)
    x = (rng.random((lengths.max(), 4, 5)) < 0.5).astype(np.float64)
    return network, parameters, x, lengths, rng.integers(0, CLASSES, 4)


def _neurons(parameters, x: Array) -> list[tuple[list[Array], list[Array]]]:
    """Return for each layer potentials in published units and spikes, of one sample, step after step."""
    found, below = [], list(x)
    for layer in parameters.layers:
        width = len(layer.bias)
        us, spikes, u, s = [], [], np.zeros(width), np.zeros(width)
        for seen in below:
            current = layer.W_x @ seen + (layer.W_h @ s if len(layer.W_h) else 0) + layer.bias
            u = np.where(u > 1, 0, ALPHA * u) + K * current
            s = np.zeros(width)
            s[lists_of(CAPPED, u / K)[1]] = 1
            us.append(u)
            spikes.append(s)
        found.append((us, spikes))
        below = spikes
    return found


def _slope(u: Array) -> Array:
    """The derivative of a spike with respect to the sum of its currents; 0 for neurons that are not listed."""
    _, spikes, marks = lists_of(CAPPED, u / K)
    slope = np.zeros(len(u))
    for j in [*spikes, *marks]:
        slope[j] = K / (BETA * abs(u[j] - 1) + 1) ** 2
    return slope


def _stated(rule: str, network: Network, parameters, x: Array, lengths: Array, labels: Array) -> list[Array]:
    """Return the gradients of OTTT or e-prop with each trace written out as its sum over the past."""
    total = [np.zeros_like(array) for array in parameters.arrays()]
    for sample, length in enumerate(lengths):
        layers = _neurons(parameters, x[:length, sample])
        for t in range(length):
            if network.readout == "last" and t < length - 1:
                continue
            logits = parameters.W_out @ layers[-1][1][t] + parameters.bias_out
            power = np.exp(logits - logits.max())
            g_logits = power / power.sum() - (np.arange(CLASSES) == labels[sample])
            g_logits = g_logits / (len(lengths) * (1 if network.readout == "last" else length))
            total[-2] += np.outer(g_logits, layers[-1][1][t])
            total[-1] += g_logits
            g = parameters.W_out.T @ g_logits
            for number in reversed(range(len(layers))):
                us, spikes = layers[number]
                if rule == "eprop" and number < len(layers) - 1:
                    g = eprop.broadcast(number, CLASSES, len(us[t]), network.sizes.hidden[-1]).T @ g_logits
                g = g * _slope(us[t])
                below = list(x[:length, sample]) if number == 0 else layers[number - 1][1]
                for past in range(t + 1):
                    leak = ALPHA ** (t - past)
                    total[3 * number] += leak * np.outer(g, below[past])
                    if past and len(parameters.layers[number].W_h):
                        total[3 * number + 1] += leak * np.outer(g, spikes[past - 1])
                total[3 * number + 2] += sum(ALPHA**past for past in range(t + 1)) * g
                g = parameters.layers[number].W_x.T @ g
    return total


@pytest.mark.parametrize("hidden", [(8,), (12, 8)])
@pytest.mark.parametrize("cell", ["lif", "lif_recurrent"])
@pytest.mark.parametrize("rule", ["ottt", "eprop"])
@given(seed=seeds, readout=readouts)
@settings(max_examples=10)
def test_an_online_rule_is_its_equations(
    rule: str, cell: str, hidden: tuple[int, ...], seed: int, readout: str
) -> None:
    case = _case(cell, hidden, readout, seed)
    learned = RULES.load(rule).training_step(*case)
    for found, wanted in zip(learned.gradients.arrays(), _stated(rule, *case), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


@given(seed=seeds, readout=readouts)
@settings(max_examples=20)
def test_ottt_is_exact_in_a_single_layer_whose_spikes_do_not_come_back(seed: int, readout: str) -> None:
    case = _case("lif", (8,), readout, seed)
    online, through_time = ottt.training_step(*case), bptt.training_step(*case)
    assert online.loss == pytest.approx(through_time.loss, rel=1e-12)
    for found, wanted in zip(online.gradients.arrays(), through_time.gradients.arrays(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


@given(seed=seeds, readout=readouts)
@settings(max_examples=5)
def test_eprop_of_one_layer_is_ottt_and_of_two_is_not(seed: int, readout: str) -> None:
    one, two = (_case("lif_recurrent", hidden, readout, seed) for hidden in ((8,), (12, 8)))
    found, wanted = (rule.training_step(*one).gradients.flat() for rule in (eprop, ottt))
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    first, other = (rule.training_step(*two).gradients.layers[0].W_x for rule in (eprop, ottt))
    assert not first.any() or not np.allclose(first, other)


@pytest.mark.parametrize("cell", ["lif", "lif_recurrent"])
def test_ottt_is_biased_where_time_and_space_mix(cell: str) -> None:
    differ = 0
    for seed in range(5):
        case = _case(cell, (12, 8), "every", seed)
        one, other = (rule.training_step(*case).gradients.flat() for rule in (ottt, bptt))
        differ += not np.allclose(one, other, rtol=1e-6, atol=1e-12)
    assert differ


@pytest.mark.parametrize("cell", ["lif", "lif_recurrent"])
@given(seed=seeds)
@settings(max_examples=10)
def test_ottt_counts_what_fires(cell: str, seed: int) -> None:
    network, parameters, x, lengths, labels = _case(cell, (12, 8), "every", seed)
    assert ottt.training_step(network, parameters, x, lengths, labels).fired == fired_in(
        network.sizes.cell, forward(network, parameters, x, lengths)
    )


@pytest.mark.parametrize("name", RULES.names())
def test_a_rule_says_for_whom_it_is(name: str) -> None:
    rule, delta = RULES.load(name), {"training.rule": name, "cell": "delta_gru", "theta_x": 0.1, "theta_h": 0.1}
    if rule.SPIKES_ONLY:
        with pytest.raises(ConfigError, match=f"training.rule '{name}' is for spiking cells, not for 'delta_gru'"):
            Workload.named("spikes", delta)
    else:
        Workload.named("spikes", delta)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"theta_h": 0.1}, "theta_h must be 0 or left out"),
        ({"training.dense_epochs": 1}, "training.dense_epochs must be 0, not 1"),
        ({"few_bit.bits": 3}, "few_bit must be left out: cell 'lif' has no sigmoid or tanh to keep codes of"),
        ({"training.rule": "ottt", "training.beta": 0.1}, "training.beta must be 0 with rule 'ottt'"),
        ({"training.rule": "truncated"}, "training.gradient_steps must be given with rule 'truncated'"),
        ({"training.gradient_steps": 5}, "training.gradient_steps must be left out, not 5: rule 'bptt' has no windows"),
        (
            {"training.rule": "truncated", "training.gradient_steps": 5, "readout": "last"},
            "readout must be 'every' with rule 'truncated', whose windows need a loss, not 'last'",
        ),
        ({"training.rule": "otttt"}, "training rule 'otttt' is not known, did you mean 'ottt'?"),
    ],
)
def test_what_does_not_fit_a_spiking_cell_is_refused_in_one_line(changes: dict, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault) as caught:
        Workload.named("spikes", changes)
    assert len(str(caught.value).splitlines()) <= 2


def test_the_default_rule_leaves_digests_as_they_were() -> None:
    assert "rule" not in Workload.named("spikes").model_dump(mode="json")["training"]
    other = Workload.named("spikes", {"training.rule": "ottt"})
    assert Workload.from_table(other.model_dump(mode="json", exclude_none=True), "again") == other
    assert other.digest() != Workload.named("spikes").digest()


@pytest.mark.parametrize("hidden", [(8,), (12, 8)])
@pytest.mark.parametrize("cell", ["lif", "lif_recurrent"])
@given(seed=seeds, steps=st.integers(1, 9))
@settings(max_examples=4)
def test_truncated_gradients_are_those_of_windows_reversed_by_themselves(
    cell: str, hidden: tuple[int, ...], seed: int, steps: int
) -> None:
    case = _case(cell, hidden, "every", seed)
    learned = truncated.training_step(case[0]._replace(gradient_steps=steps), *case[1:])
    run, longest, tapes = FloatReplay(*case), int(case[3].max()), []
    state = run.first_state()
    for t in range(longest):
        state, tape = run.forward(t, state)
        tapes.append(tape)
    total, loss = 0.0, 0.0
    for start in range(0, longest, steps):
        window = FloatReplay(*case)
        for t in reversed(range(start, min(start + steps, longest))):
            window.reverse(t, tapes[t])
        total, loss = total + window.gradients().flat(), loss + window.loss
    np.testing.assert_allclose(learned.gradients.flat(), total, rtol=1e-9, atol=1e-12)
    assert learned.loss == pytest.approx(loss)
    whole = bptt.training_step(*case).fired
    assert learned.fired._replace(carried_h=(), carried_steps_h=(), asked_h=whole.asked_h) == whole
    assert all(np.array(learned.fired.asked_h) <= whole.asked_h)  # to what was before a window no gradient goes
    assert (learned.fired.carried_h != ()) == (steps < longest)


@pytest.mark.parametrize("cell", ["lif", "lif_recurrent"])
@given(seed=seeds)
@settings(max_examples=3)
def test_one_window_of_all_steps_is_back_propagation(cell: str, seed: int) -> None:
    network, *batch = _case(cell, (12, 8), "every", seed)
    one = truncated.training_step(network._replace(gradient_steps=9), *batch)
    np.testing.assert_allclose(
        one.gradients.flat(), bptt.training_step(network, *batch).gradients.flat(), rtol=1e-9, atol=1e-12
    )
