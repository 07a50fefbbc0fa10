"""One delta layer as a function of PyTorch: forward and backward are the trainer's own, in NumPy on the host.

There is one statement of the arithmetic, `workloads.cells`, so what is trained here is what deltatrain trains. The
backward pass is the exact gradient of the thresholded layer, the masks taken as constants, and skips what did not fire.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.arrays.layer import LayerTape
from deltatrain.workloads.arrays.packing import Array, Packing
from deltatrain.workloads.cells import Cell, _recurrence
from deltatrain.workloads.interchange.torch_layers import bias_gradients, layer_of


class DeltaStep(NamedTuple):
    """What a layer is run with beside its tensors, and where its tape goes.

    Attributes
    ----------
    cell
        A member of `workloads.cells`.
    theta_x, theta_h
        Its thresholds.
    packing
        Where the steps lie.
    tapes
        Every forward pass adds its tape.
    """

    cell: Cell
    theta_x: float
    theta_h: float
    packing: Packing
    tapes: list[LayerTape]


class DeltaLayer(torch.autograd.Function):
    """h of all steps, packed, (N, H), and c of all steps, to which no gradient comes back."""

    @staticmethod
    def forward(ctx: Any, step: DeltaStep, x: Tensor, W_ih: Tensor, W_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Any:
        """Run the layer on `x`, packed, (N, I); weights as PyTorch has them."""
        cell, packing = step.cell, step.packing
        layer = layer_of(cell, *map(host_array, (W_ih, W_hh, b_ih, b_hh)))
        tape = _recurrence.forward(cell, layer, host_array(x), step.theta_x, step.theta_h, packing)
        step.tapes.append(tape)
        ctx.step, ctx.layer, ctx.tape, ctx.device = step, layer, tape, x.device
        h, c = (_values(cell, tape, packing, name) for name in ("h", "c" if "c" in cell.VALUES else "h"))
        both = _tensor(h, x.device), _tensor(c, x.device)
        ctx.mark_non_differentiable(both[1])
        return both

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_h: Tensor, g_c: Tensor) -> Any:
        """Return the gradients of what `forward` takes, None for the step."""
        cell, packing = ctx.step.cell, ctx.step.packing
        given = np.ascontiguousarray(host_array(g_h))
        gradients, g_M = _recurrence.backward(cell, ctx.layer, ctx.tape, given, 0.0, packing)
        g_x = None
        if ctx.needs_input_grad[1]:
            g_x = _tensor(_recurrence.input_gradient(cell, ctx.layer, ctx.tape, g_M, 0.0, packing), ctx.device)
        found = (gradients.W_x, gradients.W_h, *bias_gradients(cell, gradients.bias))
        return None, g_x, *(_tensor(gradient, ctx.device) for gradient in found)


def host_array(tensor: Tensor) -> Array:
    """Return the numbers of a tensor, wherever it lives; anything but float32 and float64 is a `ConfigError`."""
    if tensor.dtype not in (torch.float32, torch.float64):
        raise ConfigError(f"a delta layer takes float32 or float64, not {tensor.dtype}")
    return np.asarray(tensor.detach().cpu().numpy())


def _values(cell: Cell, tape: LayerTape, packing: Packing, name: str) -> Array:
    values: Array = tape.values[cell.VALUES.index(name), packing.samples :]
    return values


def _tensor(array: Array, device: torch.device) -> Tensor:
    return torch.from_numpy(np.array(array)).to(device)
