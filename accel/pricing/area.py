"""Area of a machine by component, from published areas of memories, adders and multipliers.

Arithmetic of another width than the table's is scaled: an adder has a cell for each bit, a multiplier one for each bit
of one factor times each of the other. What has no published figure is named as not priced, never guessed.
"""

from __future__ import annotations

from typing import NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.energy.prices import prices
from deltatrain.accel.pricing import sram

_TABLE_BITS = 32  # of the adders and multipliers in the tables
_NEVER_PRICED = (
    "pipeline registers and control of all units",
    "element-wise tables and adders",
    "port to off-chip memory and its controller",
    "clock tree and wires between blocks",
)
_ELEMENTWISE_MULTIPLIERS = 2  # of each lane, see `accel.engine.Engine`


class Area(NamedTuple):
    """What is known of a machine's area.

    Attributes
    ----------
    mm2
        By component; their sum is the area of what is priced.
    not_priced
        What is not in it.
    """

    mm2: dict[str, float]
    not_priced: tuple[str, ...]


def area(machine: Architecture) -> Area:
    """Return the area of the local SRAM, of the lanes and of the encoder, with the tables that `machine.area` names.

    All tiles are alike, so each component is that of one tile times their number.
    """
    known, tiles = prices(machine.area), machine.tiles.count
    local = sram.area_mm2(machine.local, known)
    found: dict[str, float] = {} if local is None else {"local memory": local}
    missing = ["local memory"] if local is None else []
    if local is not None and machine.local.ports > 1:
        missing.append("second port of the local memory")
    for row, components in (("multiply", _multiplier_cells(machine)), ("add", _adder_cells(machine))):
        for component, cells in components.items():
            if known.has(row, "um2"):
                found[component] = cells * known(row, "um2") * 1e-6
            else:
                missing.append(component)
    missing += ["exchange between tiles"] if tiles > 1 else []
    return Area({component: tiles * mm2 for component, mm2 in found.items()}, (*missing, *_NEVER_PRICED))


def _multiplier_cells(machine: Architecture) -> dict[str, float]:
    """Return how many of the table's multipliers each component of a tile is worth.

    A lane's multiplier takes the widest factors of any mode: weight, delta or dW, times delta, gradient or learning
    rate. One of the element-wise unit takes two of the widest of gate, state and gradient.
    """
    engine, formats = machine.engine, machine.engine.formats
    first = max(formats.weight.bits, formats.activation.bits, formats.weight_gradient_bits)
    second = max(formats.activation.bits, formats.gradient.bits, formats.learning_rate.bits)
    widest = max(formats.gate.bits, formats.state.bits, formats.gradient.bits)
    of_elementwise = engine.elementwise_lanes * _ELEMENTWISE_MULTIPLIERS
    return {
        "lane multipliers": engine.lanes * first * second / _TABLE_BITS**2,
        "element-wise multipliers": of_elementwise * widest**2 / _TABLE_BITS**2,
    }


def _adder_cells(machine: Architecture) -> dict[str, float]:
    """Return how many of the table's adders each component of a tile is worth.

    A lane adds to M, to dW and to W; one tree with an accumulator behind it adds up all lanes' products for `matvec_t`;
    the encoder subtracts and compares each element that it looks at.
    """
    engine, formats = machine.engine, machine.engine.formats
    of_lane = formats.memory_bits + formats.weight_gradient_bits + formats.weight.bits
    return {
        "lane adders": engine.lanes * of_lane / _TABLE_BITS,
        "adder tree": engine.lanes * formats.memory_bits / _TABLE_BITS,
        "encoder adders": 2 * engine.encoder_elements * formats.activation.bits / _TABLE_BITS,
    }
