"""The registers of a machine of one tile on a bus (AXI4-Lite): the one description of which all else is made.

The gates' decoder (`rtl/bus`), the table in Markdown, the SVD, the C header and the names in Python come from
`REGISTERS`. A value of 64 bits is two registers, ``NAME_low`` and ``NAME_high``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from deltatrain.accel.bus.register import REGISTER_BYTES, Access, Field, Register
from deltatrain.accel.counters import causes
from deltatrain.accel.op_table import PHASES, TILE_UNITS

__all__ = [
    "ADDRESS_BITS",
    "BASES",
    "CAPACITIES",
    "FORMATS",
    "LAYOUT_VERSION",
    "NO_THRESHOLD",
    "REGISTERS",
    "SPENT",
    "THRESHOLDS",
]

LAYOUT_VERSION = 2
"""Counts changes of this description that an older driver would not survive."""

ADDRESS_BITS = 12
"""Of the bus of registers: 4 KiB."""

BASES = ("weights", "gradients", "tape", "inputs")
"""The regions of memory that have a base address: it is added to the addresses of the program's requests."""

THRESHOLDS = 16
"""How many thresholds there are: of x and of h of each layer, numbered ``2 * layer + (stream == "h")``."""

NO_THRESHOLD = 0xFF
"""In place of the number of a threshold, in a command that takes none from a register."""

SPENT = (
    "encoder",
    *(f"engine_{phase.lower()}" for phase in PHASES),
    *(unit for unit in TILE_UNITS if unit not in ("encoder", "engine")),
)
"""Whose busy and stalled cycles are counted: units in the order of `TILE_UNITS`, the engine by phase."""


def _flags(*flags: tuple[str, str]) -> tuple[Field, ...]:
    return tuple(Field(name, bit, 1, meaning) for bit, (name, meaning) in enumerate(flags))


def _whole(name: str, bits: int = 32, *, signed: bool = False) -> tuple[Field, ...]:
    return (Field(name, 0, bits, "The value", signed),)


def _bytes(*parts: tuple[str, str]) -> tuple[Field, ...]:
    return tuple(Field(name, 8 * number, 8, meaning) for number, (name, meaning) in enumerate(parts))


FORMATS = ("activation", "weight", "weight_gradient", "learning_rate")
"""Members of ``engine.formats`` that a driver must know."""

CAPACITIES = {
    "input_words": "Words of P values in the memory of x",
    "vector_words": "Words in the memory of h",
    "state_words": "Words in the memory of states",
    "tape_words": "Words in the memory of the tape",
    "lists": "Lists that may be in use at once",
    "list_entries": "Entries of all lists that may be in use at once",
    "weight_words": "Words of W in the tile, 0 where it lives in memory",
    "gradient_words": "Words of dW in the tile, 0 where it lives in memory",
    "most_classes": "Outputs of the network",
}
"""Members of `rtl.commands.sizes.TileSizes`."""


def _facts() -> Iterator[Register]:
    """Yield what does not change: who the machine is."""
    facts: list[tuple[str, tuple[Field, ...], str]] = [
        ("identity_low", _whole("identity"), "Identity of the drawn tile, lower half: a program is for one identity"),
        ("identity_high", _whole("identity"), "Identity of the drawn tile, upper half"),
        (
            "version",
            (Field("layout", 0, 16, "Of this description"), Field("commands", 16, 16, "Of the program's format")),
            "What a driver must know",
        ),
        ("lanes", _whole("lanes", 16), "P, values in a word"),
        ("bits", _bytes(*((name, f"Bits of formats.{name}") for name in FORMATS)), "Widths of values"),
        (
            "fractions",
            _bytes(*((name, f"Fraction bits of formats.{name}") for name in FORMATS)),
            "Where the binary point is",
        ),
        (
            "features",
            (
                Field("weights_local", 0, 1, "W lives in the tile"),
                Field("gradients_local", 1, 1, "dW lives in the tile"),
                Field("tape_local", 2, 1, "The tape lives in the tile"),
                Field("counters", 3, 1, "Busy and stalled cycles are counted; where not they read as 0"),
                Field("stream_in", 4, 1, "Input vectors may come over a stream"),
                Field("stream_out", 5, 1, "Results leave over a stream"),
                Field("data_bytes", 8, 8, "Bytes of a beat on the bus of the memory"),
                Field("burst_beats", 16, 16, "Most beats of a burst"),
            ),
            "What the machine has",
        ),
    ]
    for number, (name, fields, meaning) in enumerate(facts):
        yield Register(name, REGISTER_BYTES * number, "read-only", fields, meaning, None)
    for number, (name, meaning) in enumerate(CAPACITIES.items()):
        yield Register(f"capacity_{name}", 0x20 + REGISTER_BYTES * number, "read-only", _whole(name), meaning, None)


_COMMANDS = _flags(
    ("start", "Run the program at program_address; ignored unless idle"),
    ("abort", "Stop: take no more commands, end bursts in flight, then be idle; memories are kept, dW too"),
    ("clear_gradients", "Make dW in the tile zero; ignored unless idle. dW in memory is for the host to clear"),
    ("reset_counters", "Make all counters zero; ignored unless idle. Each start does it too"),
    ("load_weights", "Read W in the tile from memory at weights_base; ignored unless idle"),
    ("save_weights", "Write W in the tile to memory at weights_base; ignored unless idle"),
    ("save_gradients", "Write dW in the tile to memory at gradients_base; ignored unless idle"),
)

_STATES = (
    ("idle", "Nothing runs: commands are taken"),
    ("running", "A program or a move of matrices runs"),
)

_ENDS = (
    ("finished", "The program, or the move of matrices, came to its end"),
    ("aborted", "It was stopped by abort"),
    ("read_error", "Memory answered a read with an error: the run was stopped"),
    ("write_error", "Memory answered a write with an error: the run was stopped"),
    ("program_error", "A record of the program names no unit, or not the length of its commands: the run was stopped"),
)
"""How a run can end. They stay until the next one starts."""


def _control() -> Iterator[Register]:
    """Yield what a host tells the machine, and what it is told."""
    ends = tuple(Field(name, 8 + bit, 1, meaning) for bit, (name, meaning) in enumerate(_ENDS))
    registers: list[tuple[str, Access, tuple[Field, ...], str]] = [
        ("control", "command", _COMMANDS, "What to do; abort alone counts in its write, and of what runs the lowest"),
        ("status", "read-only", (*_flags(*_STATES), *ends), "What is done, and how the last run ended"),
        ("interrupt_enable", "read-write", _flags(*_ENDS), "Which ends interrupt"),
        (
            "interrupt_status",
            "write-one-clears",
            _flags(*_ENDS),
            "Ends since they were cleared; enabled they interrupt",
        ),
        (
            "error_address",
            "read-only",
            _whole("address"),
            "First byte of the burst or record that ended a run",
        ),
        ("program_address", "read-write", _whole("address"), "First byte of the program, a multiple of 8"),
        ("program_bytes", "read-write", _whole("bytes"), "Length of the program, a multiple of 8"),
        *(
            (f"{name}_base", "read-write", _whole("address"), f"Added to addresses of {name}, a multiple of a beat")
            for name in BASES
        ),
        ("learning_rate", "read-write", _whole("rate", 32, signed=True), "In formats.learning_rate"),
        (
            "streams",
            "read-write",
            _flags(
                ("inputs", "Input vectors come over s_axis, instead of from memory at inputs_base"),
                (
                    "results",
                    "What the network puts out leaves over m_axis, and the machine waits while it is not taken",
                ),
            ),
            "What comes and leaves over a stream",
        ),
        (
            "results",
            "read-only",
            (
                Field("made", 0, 16, "That became whole since the start"),
                Field("waiting", 16, 8, "That are whole and not taken, of whichever run"),
            ),
            "Packets of results",
        ),
    ]
    for number, (name, access, fields, meaning) in enumerate(registers):
        reset = 1 if name == "status" else 0
        yield Register(name, 0x80 + REGISTER_BYTES * number, access, fields, meaning, reset)
    for number, unit in enumerate(TILE_UNITS):
        yield Register(
            f"finishes_{unit}",
            0xC0 + REGISTER_BYTES * number,
            "read-write",
            _whole("ops", 24),
            f"Ops of the {unit} that the program has",
        )
        yield Register(
            f"done_{unit}", 0xE0 + REGISTER_BYTES * number, "read-only", _whole("ops", 24), f"Ops of the {unit} done"
        )
    for number in range(THRESHOLDS):
        layer, stream = divmod(number, 2)
        yield Register(
            f"threshold_{number}",
            0x100 + REGISTER_BYTES * number,
            "read-write",
            _whole("least"),
            f"The least difference of {'xh'[stream]} that fires in layer {layer}, at most 2**formats.activation.bits",
        )


def _counters() -> Iterator[Register]:
    """Yield two registers for each counter: of the run since the last start, until the next."""
    counters = {
        "cycles": "Cycles since the start, from when the first op could start to the last result",
        "read_bytes": "Bytes read from memory since the start, commands included",
        "write_bytes": "Bytes written to memory since the start",
    }
    for who in SPENT:
        counters[f"{who}_busy"] = f"Cycles in which the {who.replace('_', ', ')} worked"
        for cause in causes():
            counters[f"{who}_stall_{cause}"] = f"Cycles in which the {who.replace('_', ', ')} waited for the {cause}"
    for number, (name, meaning) in enumerate(counters.items()):
        for half, part in enumerate(("low", "high")):
            address = 0x200 + REGISTER_BYTES * (2 * number + half)
            yield Register(f"{name}_{part}", address, "read-only", _whole("count"), f"{meaning}, {part} word")


REGISTERS: Mapping[str, Register] = MappingProxyType(
    {
        register.name: register
        for register in sorted((*_facts(), *_control(), *_counters()), key=lambda register: register.address)
    }
)
"""All registers by name, in the order of their addresses."""
