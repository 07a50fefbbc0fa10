"""Overflow and rounding of two's complement values, combinational and equal to `accel.number`."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Mux, Value, signed

from deltatrain.accel.number import NumberFormat

__all__ = ["fit", "move_point", "rescale", "shift_right_nearest_even"]


def fit(value: Value, number: NumberFormat) -> Value:
    """Return `value` brought into the range of `number` by its overflow rule, signed, at most ``number.bits`` wide.

    Parameters
    ----------
    value
        Signed. It is used several times: hand over a signal where it is more than wires.
    number
        The format.
    """
    if len(value) <= number.bits:
        return value
    kept = value[: number.bits].as_signed()
    if number.overflow == "wrap":
        return kept
    above = value[number.bits - 1 :]  # the sign, and all that must equal it
    end = Mux(value[-1], Const(number.lowest, signed(number.bits)), Const(number.highest, signed(number.bits)))
    return Mux(above.all() | ~above.any(), kept, end)


def shift_right_nearest_even(value: Value, shift: int) -> Value:
    """Return value / 2**shift rounded to the nearest integer, ties to even; `value` signed, shift >= 0.

    A half is added, and what is behind the point cut off: that rounds ties up. After a tie nothing is left behind the
    point; its last bit before it then becomes zero, so that the result is even. No adder waits for another gate.
    """
    if shift == 0:
        return value
    missing = max(0, shift + 1 - len(value))
    wide = Cat(value, value[-1].replicate(missing)).as_signed()
    raised = wide + (1 << (shift - 1))
    return Cat(raised[shift] & raised[:shift].any(), raised[shift + 1 :]).as_signed()


def move_point(value: Value, fraction_bits: int, to_fraction_bits: int) -> Value:
    """Return `value`, which has `fraction_bits`, with `to_fraction_bits`, rounded to nearest even and not fitted."""
    shift = fraction_bits - to_fraction_bits
    return shift_right_nearest_even(value, shift) if shift >= 0 else value.shift_left(-shift)


def rescale(value: Value, fraction_bits: int, number: NumberFormat) -> Value:
    """Return `value`, which has `fraction_bits`, in the format `number`: rounded to nearest even, then fitted."""
    return fit(move_point(value, fraction_bits, number.fraction_bits), number)
