"""Overflow and rounding of two's complement values, combinational and equal to `accel.number`."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Mux, Value, signed

from deltatrain.accel.number import NumberFormat

__all__ = ["cut_off", "fit", "half", "move_point", "rescale", "shift_right_nearest_even"]


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
    return Mux(above.all() | ~above.any(), kept, _end(value[-1], number))


def shift_right_nearest_even(value: Value, shift: int) -> Value:
    """Return value / 2**shift rounded to the nearest integer, ties to even; `value` signed, shift >= 0."""
    return cut_off(value + half(shift), shift) if shift else value


def half(shift: int) -> int:
    """Return what is to be added to a value before `cut_off` rounds it: the half of 2**shift, or 0 if shift <= 0."""
    return 1 << (shift - 1) if shift > 0 else 0


def cut_off(raised: Value, shift: int) -> Value:
    """Return (raised - half(shift)) / 2**shift rounded to the nearest integer, ties to even; `raised` signed.

    Bits behind the point are cut off, which rounds ties up. After a tie they are zeros; the last bit before the point
    then becomes zero, so that the result is even. The half may be one more term of a sum: rounding has no adder.
    """
    if shift <= 0:
        return raised.shift_left(-shift)
    wide = Cat(raised, raised[-1].replicate(max(0, shift + 2 - len(raised))))
    return Cat(wide[shift] & wide[:shift].any(), wide[shift + 1 :]).as_signed()


def move_point(value: Value, fraction_bits: int, to_fraction_bits: int) -> Value:
    """Return `value`, which has `fraction_bits`, with `to_fraction_bits`, rounded to nearest even and not fitted."""
    shift = fraction_bits - to_fraction_bits
    return shift_right_nearest_even(value, shift) if shift >= 0 else value.shift_left(-shift)


def rescale(value: Value, fraction_bits: int, number: NumberFormat) -> Value:
    """Return `value`, which has `fraction_bits`, in the format `number`: rounded to nearest even, then fitted.

    Whether it is out of range is seen before it is rounded, as that takes time. Rounding alone leaves the range only at
    its upper end.
    """
    rounded, shift = move_point(value, fraction_bits, number.fraction_bits), fraction_bits - number.fraction_bits
    if number.overflow == "wrap" or shift <= 0 or len(rounded) <= number.bits:
        return fit(rounded, number)
    above, kept = value[shift + number.bits - 1 :], rounded[: number.bits].as_signed()
    inside = (above.all() | ~above.any()) & (value[-1] | ~kept[-1])
    return Mux(inside, kept, _end(value[-1], number))


def _end(negative: Value, number: NumberFormat) -> Value:
    """Return the end of the range of `number` on that side of zero."""
    return Mux(negative, Const(number.lowest, signed(number.bits)), Const(number.highest, signed(number.bits)))
