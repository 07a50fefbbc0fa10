"""What there are no gates for, as far as the description of a machine says it; each limit is stated here, once."""

from __future__ import annotations

from collections.abc import Collection

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.engine import Engine
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.machine_optimiser import MachineOptimiser
from deltatrain.rtl.elementwise import activation, cells
from deltatrain.rtl.off_chip.tape_walk import VALUE_BITS
from deltatrain.rtl.parts.arguments import unequal_units

__all__ = [
    "limits",
    "machine_limits",
    "neuron_limits",
    "program_limits",
    "sparse_limits",
    "spiking_limits",
    "state_limits",
    "update_limits",
]

_UPDATES = ("update", "update_momentum")
"""Modes by which gates update weights."""

_MOST_GROUP_STEPS = 8
"""A column of each is compared with those of all others in a cycle."""

_NEVER_MOVE = ("segment", "revolve", "reversible")
"""Checkpoint policies that run steps again, and move nothing off-chip."""

_LEAST_LANES = 4
"""So that a word of the tape holds two entries."""


def limits(architecture: Architecture, cell: str, off_chip: Collection[str]) -> list[str]:
    """Return a line for each reason why there are no gates of a machine for a member of `accel.cells`.

    Parameters
    ----------
    architecture
        The machine.
    cell
        A member of `accel.cells`.
    off_chip
        Which of "weights", "gradients" and "tape" are known to live in off-chip memory.
    """
    return [
        *cells.limits(cell),
        *spiking_limits(architecture, cell, off_chip),
        *program_limits(architecture),
        *machine_limits(architecture, off_chip),
    ]


def neuron_limits(neuron: LeakyNeuron | None, tiles: int = 1) -> list[str]:
    """Return why there are no gates of so many tiles for such neurons; None of a cell that does not spike."""
    if neuron is None or neuron.listed_share == 1:
        return []
    if tiles > 1:
        return [
            "the gates count what a list has room for in one tile: neuron.listed_share must be 1, or left out, not "
            f"{neuron.listed_share:g}, or tiles.count 1, not {tiles}"
        ]
    if neuron.listed_first == "lowest":
        return []
    return [
        "the gates list a layer from its first neuron on, as another one is drawn from all that want to be listed: "
        f"neuron.listed_first must be 'lowest', not {neuron.listed_first!r}"
    ]


def spiking_limits(architecture: Architecture, cell: str, off_chip: Collection[str] = ()) -> list[str]:
    """Return why there are no gates of a machine for a cell that spikes; `off_chip` as of `limits`."""
    if cells.neuron_of(cell) is None:
        return []
    why, reasons = "the gates of spiking cells ", []
    checkpoint, arrays = architecture.checkpoint, architecture.engine.arrays
    if checkpoint.runs_again and architecture.tiles.count > 1:
        reasons.append(
            f"{why}in several tiles run no step again: checkpoint.policy must be 'store_all', not {checkpoint.policy!r}"
        )
    if checkpoint.policy == "optimal":
        reasons.append(
            f"{why}move no tapes while they run steps again: checkpoint.policy must not be {checkpoint.policy!r}"
        )
    if arrays > 1 and "tape" in off_chip:
        reasons.append(
            f"{why}on several arrays keep their tape in local memory: placement.tape must be 'local', or engine.arrays "
            f"1, not {arrays}"
        )
    if (steps := architecture.engine.outer_steps) > 1:
        reasons.append(f"{why}add weight gradients step by step: engine.outer_steps must be 1, not {steps}")
    return reasons


def update_limits(optimiser: MachineOptimiser) -> list[str]:
    """Return why there are no gates of a machine that updates weights by this optimiser."""
    if set(optimiser.modes) <= set(_UPDATES):
        return []
    return [f"the gates do no {optimiser.words}: training.machine_optimiser must be momentum alone, or left out"]


def sparse_limits(architecture: Architecture) -> list[str]:
    """Return why the gates of a machine have no compressed columns, of sparse weights."""
    needed = {
        "engine.arrays": (1, architecture.engine.arrays),
        "engine.outer_steps": (1, architecture.engine.outer_steps),
    }
    why = {"engine.arrays": ", as arrays add to one accumulator at once, and compressed columns reach different ones"}
    return [
        f"the gates of sparse weights, whose columns are compressed, need {name} = {wanted}, not {own}"
        + why.get(name, "")
        for name, (wanted, own) in needed.items()
        if own != wanted
    ]


def program_limits(architecture: Architecture) -> list[str]:
    """Return why the gates cannot run the machine's programs, by what its checkpoint policy keeps and moves."""
    policy, reasons = architecture.checkpoint.policy, []
    if not architecture.checkpoint.runs_again:
        return []
    reasons += _encoder_limits(architecture.engine, "that run steps again")
    overflow = architecture.engine.formats.memory_overflow
    if policy == "reversible" and overflow != "wrap":
        reasons.append(
            f"the gates undo steps where M wraps: engine.formats.memory_overflow must be 'wrap', not {overflow!r}"
        )
    if (arrays := architecture.engine.arrays) > 1:
        reasons.append(
            f"the gates of one array run steps again: engine.arrays must be 1, not {arrays}, or checkpoint.policy "
            "'store_all'"
        )
    if (tiles := architecture.tiles.count) > 1 and policy not in _NEVER_MOVE:
        reasons.append(
            "the gates of several tiles run steps again and move nothing: checkpoint.policy must be "
            f"{', '.join(map(repr, _NEVER_MOVE))} or 'store_all', not {policy!r}, or tiles.count 1, not {tiles}"
        )
    return reasons


def machine_limits(architecture: Architecture, off_chip: Collection[str]) -> list[str]:
    """Return why the gates of the machine cannot be built, whatever runs on them; arguments as of `limits`."""
    engine = architecture.engine
    reasons = [*unequal_units(engine), *activation.limits(engine.formats.gate), *_other_schedules(engine)]
    reasons += _bank_limits(architecture, off_chip)
    if engine.outer_steps > 1:
        reasons += _group_limits(architecture, off_chip)
    if engine.arrays > 1:
        reasons += _array_limits(architecture)
    if architecture.column_cache is not None:
        reasons += _policy_limits(architecture.column_cache.policy, off_chip)
    reasons += _port_limits(architecture, off_chip)
    if architecture.tiles.count > 1:
        reasons += _encoder_limits(engine, "of several tiles")
    if "tape" in off_chip:
        reasons += _tape_limits(engine)
    return reasons


def state_limits(architecture: Architecture, memory_words: Collection[tuple[int, int]]) -> list[str]:
    """Return why the gates cannot move states off-chip.

    Parameters
    ----------
    architecture
        The machine.
    memory_words
        For each layer the words of M, and as many as there would be if every gate began with a word.
    """
    engine, size = architecture.engine, architecture.engine.formats.memory.bytes
    word_bytes, reasons = engine.lanes * VALUE_BITS // 8, _tape_limits(engine)
    if engine.formats.state.bytes != VALUE_BITS // 8:
        reasons.append(
            f"the gates need engine.formats.state of {VALUE_BITS - 7} to {VALUE_BITS} bits to move states off-chip, "
            f"not {engine.formats.state.bits}"
        )
    if size % 2 and any(padded % 2 for _, padded in memory_words):
        reasons.append(
            "the gates move states in whole words: with engine.formats.memory_bits of an odd number of bytes every "
            "layer needs an even number of words of M, padded gate by gate, not "
            f"{[padded for _, padded in memory_words]}"
        )
    if any(words > padded for words, padded in memory_words):
        reasons.append(
            "the gates move states of a gru if every gate begins with a word: widths must be multiples of "
            f"{engine.lanes}"
        )
    if architecture.dma.bytes_per_cycle > word_bytes:
        reasons.append(
            f"the gates move states by words of {engine.lanes} activations: dma.bytes_per_cycle must be {word_bytes} "
            f"at most, not {architecture.dma.bytes_per_cycle}"
        )
    return reasons


def _policy_limits(policy: str, off_chip: Collection[str]) -> list[str]:
    """Return why there are no gates of a column cache's policy."""
    if policy == "belady":
        return ["no gates know the future: cache.policy must be 'lru' or 'reverse', not 'belady'"]
    if policy == "reverse" and "gradients" in off_chip and "weights" not in off_chip:
        return [
            "the gates learn from the columns of W that they fetch what fired: with cache.policy = 'reverse' weights "
            "must be off-chip where gradients are (placement)"
        ]
    return []


def _bank_limits(architecture: Architecture, off_chip: Collection[str]) -> list[str]:
    """Return why there are no gates of the banks that W and dW are in."""
    local, reasons = architecture.local, list[str]()
    if local.ports == 2:
        return reasons
    if architecture.column_cache is not None:
        reasons.append("the gates of a column cache read and write a word at once: they need local.ports = 2, not 1")
    if {"weights", "gradients"}.issubset(off_chip):
        return reasons
    if architecture.engine.arrays > 1:
        reasons.append("the gates of several arrays wait for no bank: they need local.ports = 2, not 1")
    return reasons


def _port_limits(architecture: Architecture, off_chip: Collection[str]) -> list[str]:
    """Return why the gates do not use the off-chip port as it is described."""
    engine, dma, reasons = architecture.engine, architecture.dma, list[str]()
    word_bytes = engine.lanes * engine.formats.activation.bytes
    if dma.bytes_per_cycle <= word_bytes:
        return reasons
    most = f"dma.bytes_per_cycle must be {word_bytes} at most, not {dma.bytes_per_cycle}"
    if architecture.tiles.count > 1 and "tape" in off_chip:
        reasons.append(
            f"the gates of several tiles move a word of the tape a cycle, of {engine.lanes} activations, of all of "
            f"them together: {most}"
        )
    elif architecture.checkpoint.runs_again and "tape" in off_chip:
        reasons.append(f"the gates that run steps again store a word of {engine.lanes} activations a cycle: {most}")
    return reasons


def _other_schedules(engine: Engine) -> list[str]:
    """Return why the gates do not keep the schedule and the cycles that an engine states."""
    why = "the gates have a schedule and cycles of their own: engine."
    reasons = [f"{why}in_turn must be false, not true"] if engine.in_turn else []
    stated = {"neuron_cycles": engine.neuron_cycles, "layer_cycles": engine.layer_cycles}
    return reasons + [
        f"{why}{name} must be left out, not {value}" for name, value in stated.items() if value is not None
    ]


def _group_limits(architecture: Architecture, off_chip: Collection[str]) -> list[str]:
    """Return why there are no gates that add the weight gradients of several steps in one op."""
    steps, reasons = architecture.engine.outer_steps, list[str]()
    field = f"engine.outer_steps must be 1, not {steps}"
    if steps > _MOST_GROUP_STEPS:
        reasons.append(
            "the gates read the lists of a group's steps at once, each from a memory of its own: engine.outer_steps "
            f"must be at most {_MOST_GROUP_STEPS}, not {steps}"
        )
    if architecture.tiles.count > 1:
        reasons.append(f"the gates of several tiles send the lists of each step: {field}")
    if "tape" in off_chip or architecture.checkpoint.runs_again:
        reasons.append(f"the gates keep the lists of a group until its end, in local memory: {field}, for such a tape")
    width, word_bytes = architecture.dma.bytes_per_cycle, architecture.gradient_word_bytes
    if "gradients" in off_chip and width > word_bytes:
        reasons.append(
            "the gates take a word of dW a cycle, and those of a group once all of a column has come: with "
            f"engine.outer_steps = {steps} dma.bytes_per_cycle must be {word_bytes} at most, not {width}"
        )
    if architecture.local.ports == 1:
        reasons.append(f"the gates of local.ports = 1 take a word of dW in a cycle: {field}")
    return reasons


def _encoder_limits(engine: Engine, gates: str) -> list[str]:
    """Return why such gates have no encoder of another width than the lanes'."""
    if engine.encoder_elements == engine.lanes:
        return []
    return [
        f"the gates {gates} have encoders as wide as words: engine.encoder_elements must be engine.lanes, "
        f"{engine.lanes}, not {engine.encoder_elements}"
    ]


def _array_limits(architecture: Architecture) -> list[str]:
    """Return why there are no gates of several arrays."""
    arrays, reasons = architecture.engine.arrays, []
    if architecture.tiles.count > 1:
        reasons.append(f"the gates of several tiles have one array each: engine.arrays must be 1, not {arrays}")
        return reasons
    if architecture.column_cache is not None:
        reasons.append(f"the gates of a column cache have one array: engine.arrays must be 1, not {arrays}")
    return reasons


def _tape_limits(engine: Engine) -> list[str]:
    """Return why the gates cannot move a tape that lives off-chip."""
    formats, reasons = engine.formats, []
    if engine.lanes < _LEAST_LANES:
        reasons.append(
            f"the gates need engine.lanes of at least {_LEAST_LANES} for a tape off-chip (placement.tape), "
            f"not {engine.lanes}"
        )
    if formats.activation.bytes != VALUE_BITS // 8:
        reasons.append(
            f"the gates need engine.formats.activation of {VALUE_BITS - 7} to {VALUE_BITS} bits for a tape off-chip "
            f"(placement.tape), not {formats.activation.bits}"
        )
    for name, number in (("gate", formats.gate), ("state", formats.state)):
        if number.bits > VALUE_BITS:
            reasons.append(
                f"the gates need engine.formats.{name} of {VALUE_BITS} bits at most for a tape off-chip "
                f"(placement.tape), not {number.bits}"
            )
    return reasons
