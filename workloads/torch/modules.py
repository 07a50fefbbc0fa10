"""DeltaRNN, DeltaGRU and DeltaLSTM: torch.nn's own, with thresholds, for a training loop that is there already.

Their parameters have the names and shapes of torch.nn's, so a state_dict goes from one to the other. They compute on
the host in float32 or float64; tensors of another device go there and come back.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.arrays.layer import LayerTape
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.given_masks import each_layer
from deltatrain.workloads.interchange.torch_layers import second_alone
from deltatrain.workloads.torch.stack import CELL_OF_MODE, run


class DeltaModule(nn.RNNBase):
    """What the three modules share.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, device, dtype
        As for torch.nn.LSTM.
    theta_x, theta_h
        Thresholds of the input and the recurrent stream, at least 0: one number for all layers, or one for each. At 0
        the module computes what torch.nn's does.

    Raises
    ------
    ConfigError
        When a threshold is no number of at least 0.
    """

    MODE: str
    thresholds: tuple[tuple[float, float], ...]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        theta_x: float | tuple[float, ...],
        theta_h: float | tuple[float, ...],
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            self.MODE, input_size, hidden_size, num_layers, bias, batch_first, dropout, device=device, dtype=dtype
        )
        self.thresholds = each_layer(theta_x, theta_h, num_layers)

    def forward(self, given: Tensor | PackedSequence, hx: Any = None) -> tuple[Tensor | PackedSequence, Any]:
        """Return the top layer's h of all steps, and h_n; of an LSTM (h_n, c_n).

        Parameters
        ----------
        given
            Steps, samples and features as for torch.nn.LSTM: (T, B, I), with `batch_first` (B, T, I), (T, I), or a
            packed sequence.
        hx
            None, or zeros: a delta network begins with zero.

        Notes
        -----
        No gradient comes back through c_n.
        """
        tapes: list[LayerTape] = []
        return run(self, given, hx, self.thresholds, tapes)

    def join_biases(self) -> None:
        """Move what ``bias_hh`` shares with ``bias_ih`` into that one for good, as in deltatrain's trainer.

        PyTorch trains two biases where their sum alone matters, so the sum moves twice as far in each update. Of a GRU
        the two biases of n stay two.
        """
        if not self.bias:
            raise ConfigError("join_biases: the module has no biases (bias=False)")
        alone = torch.from_numpy(second_alone(CELLS.load(CELL_OF_MODE[self.MODE]), self.hidden_size))
        for layer in range(self.num_layers):
            first, second = (getattr(self, f"bias_{kind}_l{layer}") for kind in ("ih", "hh"))
            kept = alone.to(second)
            with torch.no_grad():
                first += second * (1 - kept)
                second *= kept
            second.register_hook(kept.mul)

    def extra_repr(self) -> str:
        """Return what is said between the parentheses of the module's name."""
        theta_x, theta_h = zip(*self.thresholds, strict=True)
        return f"{super().extra_repr()}, theta_x={theta_x}, theta_h={theta_h}"


class DeltaRNN(DeltaModule):
    """The plain recurrent cell, tanh, with thresholds; parameters as `DeltaModule`."""

    MODE = "RNN_TANH"


class DeltaGRU(DeltaModule):
    """The gated recurrent unit with thresholds; parameters as `DeltaModule`."""

    MODE = "GRU"


class DeltaLSTM(DeltaModule):
    """The long short-term memory with thresholds; parameters as `DeltaModule`."""

    MODE = "LSTM"
