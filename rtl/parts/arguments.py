"""Checks of constructor arguments: one clear line that names the argument, its value and what is accepted."""

from __future__ import annotations

from deltatrain.accel.engine import Engine

__all__ = ["check_at_least", "check_power_of_two", "unequal_units"]


def check_at_least(name: str, value: object, lowest: int) -> None:
    """Raise ValueError unless `value` is an integer of at least `lowest`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
        raise ValueError(f"{name} must be an integer of at least {lowest}, not {value!r}")


def check_power_of_two(name: str, value: object) -> None:
    """Raise ValueError unless `value` is 1, 2, 4, 8, ...; element and word then share the bits of an index."""
    check_at_least(name, value, 1)
    assert isinstance(value, int)
    if value & (value - 1):
        raise ValueError(f"{name} must be a power of two, not {value!r}")


def unequal_units(engine: Engine) -> list[str]:
    """Return why the units of a tile cannot share its words: lanes and element-wise unit have a word in hand.

    The encoder may have some words, or a part of one.
    """
    lanes, elements, reasons = engine.lanes, engine.encoder_elements, []
    if lanes != engine.elementwise_lanes or lanes & (lanes - 1):
        reasons.append(
            "the gates need engine.lanes = engine.elementwise_lanes, a power of two, "
            f"not {lanes} and {engine.elementwise_lanes}"
        )
    if elements & (elements - 1):
        reasons.append(f"the gates need engine.encoder_elements to be a power of two, not {elements}")
    return reasons
