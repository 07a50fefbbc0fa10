"""What training begins with, beside torch.nn.LSTM: how far weights are spread, and which gate has the forget bias."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deltatrain.workloads.arrays.layer import Layer
from deltatrain.workloads.arrays.packing import unpack
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.network import Network, Parameters, Sizes, forward, initial_parameters, outputs

torch = pytest.importorskip("torch", reason="PyTorch is the independent oracle: pip install '.[torch]'")

FEATURES = 4
LSTM, GRU = CELLS.load("delta_lstm"), CELLS.load("delta_gru")


def _drawn(sizes: Sizes, forget_bias: float) -> Parameters:
    return initial_parameters(sizes, np.random.default_rng(4), np.dtype(np.float64), forget_bias)


def _torch_lstm(layer: Layer, forget_bias: float) -> Any:
    """Return torch's LSTM with the weights of `layer`, and the usual line that raises the bias of its forget gate."""
    width = layer.W_h.shape[1]
    stack = torch.nn.LSTM(FEATURES, width).double()
    arrays = (layer.W_x, layer.W_h, layer.bias, np.zeros_like(layer.bias))
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    stack.load_state_dict({name: torch.tensor(array) for name, array in zip(names, arrays, strict=True)})
    with torch.no_grad():
        stack.bias_ih_l0[width : 2 * width] += forget_bias  # torch's order of gates: input, forget, cell, output
    return stack


@pytest.mark.parametrize("forget_bias", [0.0, 1.0, -2.5])
def test_the_network_begins_as_torch_s_with_the_bias_added_to_its_forget_gate(forget_bias: float) -> None:
    sizes, lengths = Sizes(LSTM, FEATURES, (6,), 3), np.array([7, 3, 1])
    x = np.random.default_rng(9).standard_normal((lengths.max(), len(lengths), FEATURES))
    network = Network(sizes, None, "last", 0.0)
    ran = forward(network, _drawn(sizes, forget_bias), x, lengths)
    found = unpack(outputs(network, ran.tapes[0], ran.packing), ran.packing)

    stack = _torch_lstm(_drawn(sizes, 0.0).layers[0], forget_bias)
    packed = torch.nn.utils.rnn.pack_padded_sequence(torch.tensor(x), torch.tensor(lengths), enforce_sorted=False)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(stack(packed)[0])
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=0, atol=1e-14)


def test_weights_are_spread_as_torch_spreads_them() -> None:
    torch.manual_seed(3)
    stack, (layer,) = torch.nn.LSTM(FEATURES, 400), _drawn(Sizes(LSTM, FEATURES, (400,), 3), 0.0).layers
    for found, tensor in zip(layer, (stack.weight_ih_l0, stack.weight_hh_l0, stack.bias_ih_l0), strict=True):
        expected = tensor.detach().numpy().ravel()
        tenths = np.linspace(0, 1, 11)
        np.testing.assert_allclose(np.quantile(found, tenths), np.quantile(expected, tenths), rtol=0, atol=0.004)


def test_only_the_forget_gate_of_an_lstm_has_a_bias_of_its_own() -> None:
    for cell, moved in ((LSTM, [0.0, 1.0, 0.0, 0.0]), (GRU, [0.0] * 4)):
        sizes = Sizes(cell, FEATURES, (6, 5), 3)
        for one, other in zip(_drawn(sizes, 1.0).layers, _drawn(sizes, 0.0).layers, strict=True):
            np.testing.assert_array_equal(one.W_x, other.W_x)
            np.testing.assert_array_equal(one.W_h, other.W_h)
            np.testing.assert_allclose((one.bias - other.bias).reshape(4, -1).T, np.tile(moved, (len(one.W_h.T), 1)))
