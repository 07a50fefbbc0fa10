"""The machine's integers step by step: one sample of the golden model, restarted, run backwards and reversed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltatrain.accel.modes import loss, matvec, matvec_t, outer
from deltatrain.accel.modes.encode import Fired
from deltatrain.accel.number import Integers
from deltatrain.workloads.training import integer_layer
from deltatrain.workloads.training.integer_layer import LayerState, LayerStep, with_one
from deltatrain.workloads.training.integer_parameters import IntegerParameters
from deltatrain.workloads.training.integer_training import IntegerNetwork, read_steps


class LayerResidue(NamedTuple):
    """What of a layer's step cannot be run backwards: its lists, and the gates' ``STATE`` that it took."""

    fired_x: Fired
    fired_h: Fired
    cell_state_before: Integers


class StepTape(NamedTuple):
    """The tape of one step.

    Attributes
    ----------
    layers
        One for each.
    gates_before
        For each layer the gates' ``STATE`` before the step, which lies on its tape too.
    h, g_logits
        Where the step is classified: h of the last layer and the gradient of the logits; empty elsewhere.
    """

    layers: tuple[LayerStep, ...]
    cell_state_before: tuple[Integers, ...]
    h: Integers
    g_logits: Integers


class StepResidue(NamedTuple):
    """What of a step cannot be run backwards: that of each layer, and the gradient of the logits."""

    layers: tuple[LayerResidue, ...]
    g_logits: Integers


_NONE = np.zeros(0, dtype=np.int64)


class IntegerReplay:
    """A network on one sample; a `checkpoint_execution.Replay`.

    Parameters
    ----------
    network, parameters
        As in `workloads.training.integer_training.training_step`.
    x
        Input, in ``formats.activation``, shape (T, F).
    label
        The wanted class.
    gradients
        What the sample's gradients are added to.
    """

    def __init__(
        self,
        network: IntegerNetwork,
        parameters: IntegerParameters,
        x: Integers,
        label: int,
        gradients: IntegerParameters,
    ) -> None:
        self._network, self._parameters, self._x, self._label = network, parameters, x, label
        self._cell, self._engine = network.cell, network.engine
        self._gradients = gradients
        self._adjoints = [integer_layer.last_adjoint(self._cell, layer) for layer in parameters.layers]
        self._read = set(read_steps(network, len(x)))

    @property
    def steps(self) -> int:
        """T."""
        return len(self._x)

    def first_state(self) -> tuple[LayerState, ...]:
        """Return the state before step 0."""
        return tuple(integer_layer.first_state(self._cell, layer) for layer in self._parameters.layers)

    def forward(self, t: int, state: tuple[LayerState, ...]) -> tuple[tuple[LayerState, ...], StepTape]:
        """Return the state after step t and its tape."""
        below, after, steps = self._x[t], [], []
        for layer, least, before in zip(self._parameters.layers, self._network.thresholds, state, strict=True):
            now, step = integer_layer.forward(self._cell, layer, least, before, below, first=t == 0)
            after.append(now)
            steps.append(step)
            below = now.h
        h, g_logits = self._classified(t, self._cell.encoder.emitted(below))
        return tuple(after), StepTape(tuple(steps), tuple(layer.cell_state for layer in state), h, g_logits)

    def residue(self, tape: StepTape) -> StepResidue:
        """Return the lists and the gates' state before the step."""
        kept = tuple(
            LayerResidue(step.fired_x, step.fired_h, before)
            for step, before in zip(tape.layers, tape.cell_state_before, strict=True)
        )
        return StepResidue(kept, tape.g_logits)

    def backtrack(
        self, t: int, state: tuple[LayerState, ...], residue: StepResidue
    ) -> tuple[tuple[LayerState, ...], StepTape]:
        """Return the state before step t, but for its h, and the tape of step t."""
        undone = [
            integer_layer.undo(self._cell, layer, after, *kept)
            for layer, after, kept in zip(self._parameters.layers, state, residue.layers, strict=True)
        ]
        states, steps, hs = zip(*undone, strict=True)
        h = hs[-1] if t in self._read else _NONE
        return states, StepTape(steps, tuple(layer.cell_state for layer in states), h, residue.g_logits)

    def reverse(self, t: int, tape: StepTape) -> None:
        """Back-propagate step t."""
        formats, readout = self._engine.formats, self._parameters.readout
        g_above = np.zeros(readout.shape[1] - 1, dtype=np.int64)
        if t in self._read:
            g_above = matvec_t.result(readout[:, :-1], tape.g_logits, self._engine.lanes, formats)
            dW = self._gradients.readout
            dW[:] = outer.result(dW, tape.g_logits, with_one(self._engine, tape.h), formats)
        for number in reversed(range(len(tape.layers))):
            layer, step = self._parameters.layers[number], tape.layers[number]
            dW_layer = self._gradients.layers[number]
            adjoint, _ = integer_layer.backward(self._cell, layer, step, self._adjoints[number], g_above, dW_layer)
            if number:
                adjoint, g_above = integer_layer.input_gradient(self._cell, layer, step, adjoint)
            self._adjoints[number] = adjoint

    def state_bytes(self, state: tuple[LayerState, ...]) -> int:
        """Return the bytes of a state in the engine's formats."""
        formats, held = self._engine.formats, self._cell.encoder.HELD
        return sum(
            self._cell.arithmetic.KEPT * layer.memory.size * formats.memory.bytes
            + layer.cell_state.size * formats.state.bytes
            + (layer.h.size + held * (layer.x_hat.size + layer.h_hat.size)) * formats.activation.bytes
            for layer in state
        )

    def tape_bytes(self, tape: StepTape | StepResidue) -> int:
        """Return the bytes of lists and gate values in the engine's formats; what the loss needs is no tape.

        How long a list's entry is, the mode knows that lists. The bias column is known.
        """
        formats, entry = self._engine.formats, self._cell.encoder.list_entry_bytes(self._engine)
        total = 0
        left: tuple[LayerStep | LayerResidue, ...] = tape.layers
        for layer, step in zip(self._parameters.layers, left, strict=True):
            widths = (
                layer.W_x.shape[1] - self._cell.arithmetic.BIAS_X,
                layer.W_h.shape[1] - self._cell.arithmetic.BIAS_H,
            )
            lists = zip((step.fired_x, step.fired_h), widths, strict=True)
            total += entry * sum(int((fired.columns < width).sum()) for fired, width in lists)
            if isinstance(step, LayerResidue):
                total += step.cell_state_before.size * formats.state.bytes
            else:
                total += step.tape.size * formats.gate.bytes
        return total

    def _classified(self, t: int, h: Integers) -> tuple[Integers, Integers]:
        """Return h and the gradient of the logits if step t is classified."""
        if t not in self._read:
            return _NONE, _NONE
        formats, readout = self._engine.formats, self._parameters.readout
        start = np.zeros(len(readout), dtype=np.int64)
        logits = matvec.result(start, readout, with_one(self._engine, h), formats)
        return h, loss.result(logits, self._label, formats)
