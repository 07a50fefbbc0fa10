"""A program of online learning done op by op in floating point, in any order that its units and its waits allow.

Everything lies in places that are written again and again, as on the machine: an op that began too early would read
what is not there yet, or find it gone. Of each op the list of columns is compared with what the network has spiked.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from deltatrain.accel.program import MODE_NAMES, NO_OP, PHASES, STREAMS, Program
from deltatrain.workloads.arrays.layer import Layer
from deltatrain.workloads.arrays.packing import Array, packing_of
from deltatrain.workloads.network.network import Network, Parameters
from deltatrain.workloads.rules import eprop
from deltatrain.workloads.tasks._losses import softmax_loss

_LISTS, _INPUTS = 4, 3
"""Places of the lists of steps, and of input vectors. Steps take them in turn, those of all samples in one row."""


class OnlineReplay:
    """A mini-batch of a spiking network; arguments as of `workloads.rules`.

    A step is number t of its sample, and number n of all.
    """

    def __init__(
        self, network: Network, parameters: Parameters, x: Array, lengths: Array, labels: Array, *, broadcasts: bool
    ) -> None:
        self._network, self._parameters, self._broadcasts = network, parameters, broadcasts
        self._x, self._lengths, self._labels = x, lengths, labels
        self._first = np.cumsum(lengths) - lengths
        self.gradients = Parameters(
            tuple(Layer(*map(np.zeros_like, layer)) for layer in parameters.layers),
            np.zeros_like(parameters.W_out),
            np.zeros_like(parameters.bias_out),
        )

    def run(self, program: Program, seed: int) -> Parameters:
        """Do all ops but the updates in an order drawn from `seed`, and return the gradients."""
        ops, random = program.ops, np.random.default_rng(seed)
        rows = np.flatnonzero(~ops.is_phase("WU"))
        queues = [deque(rows[program.unit[rows] == unit].tolist()) for unit in np.unique(program.unit[rows])]
        done = np.zeros(len(ops) + 1, np.bool_)
        done[NO_OP] = True
        self._program, self._place = program, dict[object, Array]()
        while queues:
            ready = [queue for queue in queues if done[[*ops.depends[queue[0]], ops.list_from[queue[0]]]].all()]
            queue = ready[random.integers(len(ready))]
            row = queue.popleft()
            self._do(row)
            done[row] = True
            queues = [queue for queue in queues if queue]
        return self.gradients

    def _do(self, row: int) -> None:
        ops = self._program.ops
        mode, phase, stream = MODE_NAMES[ops.mode[row]], PHASES[ops.phase[row]], STREAMS[ops.stream[row]]
        name = f"{mode}_readout" if stream == "readout" else mode
        if mode == "encode_spikes":
            name = "encode_traces" if phase == "WG" else "encode"
        layer, t, sample = (int(of[row]) for of in (ops.layer, ops.step, ops.sample))
        getattr(self, f"_{name}")(row, layer, t, int(self._first[sample]) + t, sample, stream)

    def _columns(self, row: int) -> list[int]:
        start, count = int(self._program.ops.list_start[row]), int(self._program.ops.count[row])
        return self._program.columns[start : start + count].tolist()

    def _seen(self, layer: int, n: int, stream: str) -> Array:
        """Return what an encoder reads: minus zero, a mark, is told from zero."""
        if stream == "h":
            return self._place["h", layer, (n - 1) % 2]
        return self._place["input", n % _INPUTS] if layer == 0 else self._place["h", layer - 1, n % 2]

    def _load(self, row: int, layer: int, t: int, n: int, sample: int, stream: str) -> None:
        self._place["input", n % _INPUTS] = self._x[t, sample]

    def _encode(self, row: int, layer: int, t: int, n: int, sample: int, stream: str) -> None:
        self._place["list", layer, stream, n % _LISTS] = seen = self._seen(layer, n, stream).copy()
        assert self._program.ops.count[row] == np.count_nonzero((seen != 0) | np.signbit(seen))

    def _matvec(self, row: int, layer: int, t: int, n: int, sample: int, stream: str) -> None:
        spikes, W = self._place["list", layer, stream, n % _LISTS], self._parameters.layers[layer]
        bias = [len(spikes)] if stream == "x" else []
        assert self._columns(row) == [*np.flatnonzero(spikes), *bias]
        product = W.W_x @ spikes + W.bias if stream == "x" else W.W_h @ spikes
        before = self._place["M", layer, n % 2] if stream == "h" else 0.0
        self._place["M", layer, n % 2] = before + product

    def _cell_forward(self, row: int, layer: int, t: int, n: int, sample: int, stream: str) -> None:
        cell, M = self._network.sizes.cell, self._place["M", layer, n % 2][None]
        before = np.zeros((len(cell.VALUES), 1, M.shape[1]))
        if t:
            before[cell.VALUES.index("u")] = self._place["u", layer]
        now = np.zeros_like(before)
        cell.forward(M, before, now)
        self._place["u", layer] = now[cell.VALUES.index("u"), 0]
        self._place["h", layer, n % 2] = now[cell.VALUES.index("h"), 0]

    def _matvec_readout(self, row: int, layer: int, t: int, n: int, sample: int, stream: str) -> None:
        self._place["logits"] = self._parameters.W_out @ self._place["h", layer, n % 2] + self._parameters.bias_out

    def _loss_readout(self, row: int, layer: int, t: int, n: int, sample: int, stream: str) -> None:
        steps = 1 if self._network.readout == "last" else self._lengths[sample]
        weight = np.array([1 / (len(self._lengths) * steps)])
        _, g = softmax_loss(self._place["logits"][None], self._labels[[sample]], weight)
        self._place["g_logits", n % 2] = g[0]

    def _outer_readout(self, row: int, layer: int, t: int, n: int, sample: int, stream: str) -> None:
        g = self._place["g_logits", n % 2]
        self.gradients.W_out[...] += np.outer(g, self._place["h", layer, n % 2])
        self.gradients.bias_out[...] += g

    def _matvec_t_readout(self, row: int, layer: int, t: int, n: int, sample: int, stream: str) -> None:
        """Bring the gradient of the logits to a layer, by the read-out or by a matrix of its own."""
        hidden, g = self._network.sizes.hidden, self._place["g_logits", n % 2]
        last = layer == len(hidden) - 1
        B = self._parameters.W_out if last else eprop.broadcast(layer, len(g), hidden[layer], hidden[-1])
        assert self._program.ops.count[row] == hidden[layer]
        self._place["g_h", layer] = g @ B

    def _matvec_t(self, row: int, layer: int, t: int, n: int, sample: int, stream: str) -> None:
        assert not self._broadcasts and layer > 0 and stream == "x"
        listed = self._place["list", layer, "x", n % _LISTS]
        asked = (listed != 0) | np.signbit(listed)
        assert sorted(self._columns(row)) == np.flatnonzero(asked).tolist()
        self._place["g_h", layer - 1] = np.where(
            asked, self._place["g_u", layer] @ self._parameters.layers[layer].W_x, 0
        )

    def _cell_backward(self, row: int, layer: int, t: int, n: int, sample: int, stream: str) -> None:
        cell, u = self._network.sizes.cell, self._place["u", layer]
        values = np.zeros((len(cell.VALUES), 2, len(u)))
        values[cell.VALUES.index("u"), 1] = u
        slope = cell.backward_factors(values, np.arange(1), packing_of(np.ones(1, np.int64)))[0, 0]
        self._place["g_u", layer] = self._place.pop(("g_h", layer)) * slope

    def _trace(self, row: int, layer: int, t: int, n: int, sample: int, stream: str) -> None:
        leak, spikes = self._network.sizes.cell.NEURON.decay, self._place["list", layer, stream, n % _LISTS]
        begins = t == (stream == "h")
        before = np.zeros(len(spikes)) if begins else self._place["trace", layer, stream]
        self._place["trace", layer, stream] = leak * before + spikes
        if stream == "x":
            self._place["trace of one", layer] = leak * (0 if t == 0 else self._place["trace of one", layer]) + 1.0

    def _encode_traces(self, row: int, layer: int, t: int, n: int, sample: int, stream: str) -> None:
        self._place["traces", layer, stream] = listed = np.flatnonzero(self._place["trace", layer, stream])
        assert self._program.ops.count[row] == len(listed)

    def _outer(self, row: int, layer: int, t: int, n: int, sample: int, stream: str) -> None:
        g_u, trace, gradient = (
            self._place["g_u", layer],
            self._place["trace", layer, stream],
            self.gradients.layers[layer],
        )
        bias = [len(trace)] if stream == "x" else []
        assert self._columns(row) == [*self._place["traces", layer, stream], *bias]
        (gradient.W_x if stream == "x" else gradient.W_h)[...] += np.outer(g_u, trace)
        if stream == "x":
            gradient.bias[...] += g_u * self._place["trace of one", layer]
