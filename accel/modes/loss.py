"""Softmax cross-entropy of a read-out: g = probabilities - one-hot label.

Each logit is rounded to 16 bits (`LOGIT`). With d its distance to the largest, exp(-d) = 2**(-d * log2(e)) comes from
the table of `accel.activation.power_of_two`; d * log2(e) drops the bits that the table does not read. A restoring
divider gives floor(exp(-d) * 2**f / sum), f the fraction bits of ``formats.gradient``.
"""

from __future__ import annotations

import numpy as np

from deltatrain.accel.activation import POWER_FRACTION_BITS, POWER_INPUT_FRACTION_BITS, power_of_two
from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.modes import cell_forward
from deltatrain.accel.number import Integers, NumberFormat, fit, rescale
from deltatrain.accel.work import Counts, Work

UNIT = "elementwise"
WRITES_BACK = False
RETURN_CYCLES: tuple[int, ...] = ()

LOGIT = NumberFormat(bits=16, fraction_bits=11)
"""What the logits are rounded to: -16..16."""

ROUNDS = 3
"""How often a logit is read: to seek the largest, for the sum of exponentials, for the quotient."""

LOG2_E = 378_194
"""log2(e) with `LOG2_E_FRACTION_BITS`."""

LOG2_E_FRACTION_BITS = 18


def error_bound(classes: int, formats: Formats) -> float:
    """Return the most that `result` is away from softmax - one-hot of the logits as rounded to `LOGIT`.

    An exponential is wrong by a share of at most 2**-15 (table 2**-16, dropped bits of its argument ln(2) * 2**-16,
    `LOG2_E` less than 2**-17) and by the one unit that the shift drops; the quotient of two of them by twice the share.
    The divider rounds down.
    """
    unit = 2.0**-POWER_FRACTION_BITS
    return 2.0**-14 + (1 + classes) * unit + 2.0**-formats.gradient.fraction_bits


def result(logits: Integers, label: int | Integers, formats: Formats) -> Integers:
    """Return the gradient of the logits, in ``formats.gradient``, shape (..., C).

    Parameters
    ----------
    logits
        In ``formats.memory``, as `matvec` leaves them, shape (..., C).
    label
        The wanted class of each, shape (...).
    formats
        The engine's formats.
    """
    rounded = rescale(logits, formats.memory.fraction_bits, LOGIT)
    distance = (rounded.max(axis=-1, keepdims=True) - rounded) * LOG2_E
    power = power_of_two(distance >> (LOGIT.fraction_bits + LOG2_E_FRACTION_BITS - POWER_INPUT_FRACTION_BITS))
    probability = (power << formats.gradient.fraction_bits) // power.sum(axis=-1, keepdims=True)
    wanted = np.arange(logits.shape[-1]) == np.asarray(label)[..., None]
    one_hot = wanted.astype(np.int64) << formats.gradient.fraction_bits
    return fit(probability - one_hot, formats.gradient)


def class_cycles(formats: Formats) -> int:
    """Return the cycles of one class: to seek the largest, for the exponential, for each bit of a quotient up to 1."""
    return 2 + (formats.gradient.fraction_bits + 1)


def issue_cycles(count: Counts, words: Counts) -> Counts:
    """Return `words`, which for this mode are the cycles of one class (`class_cycles`), for each of `count` classes."""
    return count * words


drain_cycles = cell_forward.drain_cycles


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: a division is as many additions as bits, priced as one multiplication.

    Each logit is read in `ROUNDS`, each gradient written once.
    """
    formats = engine.formats
    read_bytes = ROUNDS * count * formats.memory.bytes
    return Work(multiplies=count, local_read_bytes=read_bytes, local_write_bytes=count * formats.gradient.bytes)
