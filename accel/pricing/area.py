"""Area of a machine by component, from published areas of memories, adders and multipliers.

Arithmetic of another width than the table's is scaled (`accel.pricing.arithmetic`). What has no published figure is
named as not priced, never guessed.
"""

from __future__ import annotations

from typing import NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.energy.prices import Prices, prices
from deltatrain.accel.modes import most_products
from deltatrain.accel.pricing import cache_tags, sram
from deltatrain.accel.pricing.arithmetic import adders, elementwise_bits, lane_operands, multipliers

_NEVER_PRICED = (
    "pipeline registers and control of all units",
    "element-wise tables and adders",
    "port to off-chip memory and its controller",
    "clock tree and wires between blocks",
)
_PARTS = {
    "multiply": ("lane multipliers", "element-wise multipliers"),
    "add": ("lane adders", "adder tree", "encoder adders"),
}
_UPDATES_NOT_PRICED = {
    "norm": "squares and root of the gradients' norm",
    "moments": "roots and dividers of the lanes",
}
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


def area(machine: Architecture, update_modes: tuple[str, ...] = ("update",)) -> Area:
    """Return the area of local SRAM, a cache's tags, lanes and encoder, with the tables that `machine.area` names.

    All tiles are alike, so each component is that of one tile times their number. A lane makes all products of a
    weight's update at once (``PRODUCTS`` of `update_modes`), with multipliers of their own but for the first.
    """
    products = most_products(update_modes)
    known, tiles = prices(machine.area), machine.tiles.count
    local = sram.area_mm2(machine.local, known)
    found: dict[str, float] = {} if local is None else {"local memory": local}
    missing = ["local memory"] if local is None else []
    tags = cache_tags.memory(machine)
    if tags is not None and (of_tags := sram.area_mm2(tags, known)) is not None:
        found[cache_tags.TAGS] = of_tags
    elif tags is not None:
        missing.append(cache_tags.TAGS)
    if local is not None and machine.local.ports > 1:
        missing.append("second port of the local memory")
    for row, units in (("multiply", _multipliers), ("add", _adders)):
        if known.has(row, "um2"):
            found |= {part: number * known(row, "um2") * 1e-6 for part, number in units(machine, known).items()}
        else:
            missing += _PARTS[row]
    if products > 1 and known.has("multiply", "um2"):
        number = _update_multipliers(machine, known, products)
        found["update multipliers"] = number * known("multiply", "um2") * 1e-6
    missing += ["exchange between tiles"] if tiles > 1 else []
    missing += [what for mode, what in _UPDATES_NOT_PRICED.items() if mode in update_modes]
    return Area({component: tiles * mm2 for component, mm2 in found.items()}, (*missing, *_NEVER_PRICED))


def _multipliers(machine: Architecture, known: Prices) -> dict[str, float]:
    """Return how many of the table's multipliers each component of a tile is worth.

    A lane's multiplier takes the widest factors of any phase. One of the element-wise unit takes two of the widest.
    """
    engine, formats = machine.engine, machine.engine.formats
    first, second, _ = map(max, zip(*lane_operands(formats).values(), strict=True))
    widest = elementwise_bits(formats)
    of_elementwise = engine.elementwise_lanes * _ELEMENTWISE_MULTIPLIERS
    lanes = engine.arrays * engine.lanes
    found = (lanes * multipliers(known, first, second), of_elementwise * multipliers(known, widest, widest))
    return dict(zip(_PARTS["multiply"], found, strict=True))


def _update_multipliers(machine: Architecture, known: Prices, products: int) -> float:
    """Return how many of the table's multipliers those are worth that lanes have for an update alone."""
    update = lane_operands(machine.engine.formats)["WU"]
    return (products - 1) * machine.engine.lanes * multipliers(known, update.first_bits, update.second_bits)


def _adders(machine: Architecture, known: Prices) -> dict[str, float]:
    """Return how many of the table's adders each component of a tile is worth.

    A lane adds to M, to dW and to W; one tree with an accumulator behind it adds up all lanes' products of an array for
    `matvec_t`; a tree for each lane adds up the sums of several arrays; the encoder subtracts and compares each element
    that it looks at.
    """
    engine, formats = machine.engine, machine.engine.formats
    of_lane = formats.memory_bits + formats.weight_gradient_bits + formats.weight.bits
    lanes = engine.arrays * engine.lanes
    found = (
        lanes * adders(known, of_lane),
        lanes * adders(known, formats.memory_bits),
        2 * engine.encoder_elements * adders(known, formats.activation.bits),
    )
    of_arrays = {"adders of arrays": (lanes - engine.lanes) * adders(known, formats.memory_bits)}
    return dict(zip(_PARTS["add"], found, strict=True)) | (of_arrays if engine.arrays > 1 else {})
