"""A network of spiking neurons stated in PyTorch, snnTorch-like: what the trainer is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.data.recordings import Sequences

Tensor = Any
ALPHA, K, BETA = 0.95, 0.5, 10.0


def _spike_of(torch: Any) -> Any:
    """Return the spike and the leak as functions of their own, whose backward is not their derivative."""

    class Spike(torch.autograd.Function):
        """As in snnTorch, with gradient-only neurons; u in published units, shape (B, H)."""

        @staticmethod
        def forward(ctx: Any, u: Tensor) -> Tensor:
            ctx.save_for_backward(u, u > 0.9)
            return (u > 1).to(u.dtype)

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Tensor:
            u, listed = ctx.saved_tensors
            return g * listed / (BETA * (u - 1).abs() + 1) ** 2

    class Leak(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, u: Tensor) -> Tensor:
            return torch.where(u > 1, torch.zeros_like(u), ALPHA * u)

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Tensor:
            return ALPHA * g

    return Spike, Leak


class TorchNetwork:
    """Layers of spiking neurons and a linear read-out of every step, in PyTorch alone."""

    def __init__(self, torch: Any, arrays: tuple[Array, ...]) -> None:
        self.torch, (self.spike, self.leak) = torch, _spike_of(torch)
        self.tensors = [torch.tensor(array.copy(), requires_grad=True) for array in arrays]

    def logits(self, x: Array) -> Tensor:
        """Return those of every step of padded input, shape (T, B, classes)."""
        torch, (*recurrent, W, b) = self.torch, self.tensors
        sequence = list(torch.tensor(x, dtype=self.tensors[0].dtype))
        for first in range(0, len(recurrent), 3):
            W_x, W_h, bias = recurrent[first : first + 3]
            u = s = torch.zeros(x.shape[1], len(bias), dtype=bias.dtype)
            spikes = []
            for seen in sequence:
                current = seen @ W_x.T + (s @ W_h.T if len(W_h) else 0) + bias
                u = self.leak.apply(u) + K * current
                s = self.spike.apply(u)
                spikes.append(s)
            sequence = spikes
        return torch.stack([s @ W.T + b for s in sequence])

    def loss(self, x: Array, lengths: Array, labels: Array) -> Tensor:
        """Return the mean over samples of the mean over steps of the cross-entropy."""
        logits = self.torch.log_softmax(self.logits(x), dim=2)
        of_steps = -logits[:, np.arange(len(labels)), labels]
        running = self.torch.tensor(np.arange(len(x))[:, None] < lengths)
        return (of_steps * running / self.torch.tensor(lengths)).sum() / len(labels)

    def accuracy(self, part: Sequences) -> float:
        """Return the share of sequences that are decided rightly."""
        right = 0
        with self.torch.no_grad():
            for chosen in np.array_split(np.arange(len(part)), max(1, len(part) // 100)):
                x, lengths = part.padded(chosen)
                running = self.torch.tensor(np.arange(len(x))[:, None] < lengths)
                decided = (self.logits(x) * running[:, :, None]).sum(dim=0).argmax(dim=1).numpy()
                right += int((decided == part.labels[chosen]).sum())
        return right / len(part)
