"""The recurrent cells of a layer for one step, backward: the gradients of M, c and h from those of the step after."""

from __future__ import annotations

from deltatrain.accel.cell_arithmetic import CellArithmetic, bytes_of
from deltatrain.accel.engine import Formats
from deltatrain.accel.modes import cell_forward
from deltatrain.accel.number import Integers
from deltatrain.accel.tape_words import coded_values, value_bytes

UNIT = "elementwise"
WRITES_BACK = False
RETURN_CYCLES: tuple[int, ...] = ()


def neuron_slots(arithmetic: CellArithmetic) -> int:
    """Return the cycles that one neuron holds its lane: its multiplications, shared out between two multipliers."""
    return -(-arithmetic.BACKWARD_MULTIPLIES // cell_forward.PORTS)


def neuron_bytes(
    arithmetic: CellArithmetic, formats: Formats, code_bits: int | None = None
) -> cell_forward.NeuronBytes:
    """Return what a neuron reads, the tape, g(h) and g(M) of the step after, and what it writes: g(M).

    g(h) comes in two parts where there is a recurrent matrix: from above, and from the step after. A cell that carries
    a gradient reads and writes that too. For each code on the tape the value's part of a word is read that holds it.
    """
    gradients = arithmetic.ACCUMULATORS + arithmetic.CARRIES
    parts = 1 + bool(arithmetic.BLOCKS_H)
    coded, gradient = coded_values(arithmetic, code_bits), formats.gradient.bytes
    tape = bytes_of(arithmetic, (name for name in arithmetic.TAPE if name not in coded), formats)
    tape += len(coded) * value_bytes(formats)
    return cell_forward.NeuronBytes(tape + (parts + gradients) * gradient, gradients * gradient)


issue_cycles = cell_forward.issue_cycles
drain_cycles = cell_forward.drain_cycles
work = cell_forward.work


def result(
    arithmetic: CellArithmetic, g_h: Integers, carry: Integers, tape: Integers, g_memory: Integers, formats: Formats
) -> tuple[Integers, Integers]:
    """Return g(M) of this step, shape (A*H,), and what is carried to the step before, shape (H,).

    Parameters
    ----------
    arithmetic
        A member of `accel.cells`.
    g_h
        Gradient of h, in ``formats.gradient``, shape (H,).
    carry
        What the step after returned, zero at the last step, shape (H,).
    tape
        What `cell_forward` left, shape (K, H).
    g_memory
        g(M) of the step after, zero at the last step, in ``formats.gradient``, shape (A*H,).
    formats
        The engine's formats.
    """
    blocks, before = arithmetic.backward(g_h, carry, tape, g_memory.reshape(arithmetic.ACCUMULATORS, -1), formats)
    return blocks.ravel(), before
