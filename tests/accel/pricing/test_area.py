"""Area by hand, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.pricing.area import area


def test_tiny_by_hand() -> None:
    """4 lanes of 32 x 16 bits, 16-bit weights, 40-bit M, 32-bit dW; 64 kB; 4 element-wise lanes; 4 encoder elements."""
    found = area(Architecture.named("tiny")).mm2
    assert found == pytest.approx(
        {
            "local memory": 0.234,
            "lane multipliers": 4 * 6350e-6 / 2,
            "element-wise multipliers": 4 * 2 * 6350e-6 / 4,
            "lane adders": 4 * (40 + 32 + 16) / 32 * 278e-6,
            "adder tree": 4 * 40 / 32 * 278e-6,
            "encoder adders": 2 * 4 * 16 / 32 * 278e-6,
        }
    )


def test_a_multiplier_is_as_wide_as_its_widest_factors() -> None:
    """No two formats alike: dW of 24 bits times the rate's 15 in a lane, c of 18 bits squared beside it."""
    bits = {"weight": 8, "activation": 10, "gate": 9, "state": 18, "gradient": 12, "learning_rate": 15}
    formats = {f"engine.formats.{name}.bits": width for name, width in bits.items()}
    sums = {"engine.formats.memory_bits": 30, "engine.formats.weight_gradient_bits": 24}
    fractions = {f"engine.formats.{name}.fraction_bits": 6 for name in bits}
    found = area(Architecture.named("tiny", formats | sums | fractions)).mm2
    assert found["lane multipliers"] == pytest.approx(4 * 24 * 15 / 32**2 * 6350e-6)
    assert found["element-wise multipliers"] == pytest.approx(4 * 2 * 18 * 18 / 32**2 * 6350e-6)
    assert found["lane adders"] == pytest.approx(4 * (30 + 24 + 8) / 32 * 278e-6)
    assert found["adder tree"] == pytest.approx(4 * 30 / 32 * 278e-6)
    assert found["encoder adders"] == pytest.approx(2 * 4 * 10 / 32 * 278e-6)


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 64))
def test_parts_grow_with_their_number_alone(lanes: int, elements: int, neurons: int) -> None:
    fields = {"engine.lanes": lanes, "engine.encoder_elements": elements, "engine.elementwise_lanes": neurons}
    sized = {"dma.buffer_bytes": 12 * 64, "local.bytes": 65_536}
    one, many = (
        area(Architecture.named("tiny", sized | changes)).mm2 for changes in (dict.fromkeys(fields, 1), fields)
    )
    of = {
        "local memory": 1,
        "lane multipliers": lanes,
        "lane adders": lanes,
        "adder tree": lanes,
        "element-wise multipliers": neurons,
        "encoder adders": elements,
    }
    assert many == pytest.approx({component: count * one[component] for component, count in of.items()})


@pytest.mark.parametrize(
    ("changes", "component"),
    [
        ({"area": "aladdin_40nm"}, "local memory"),
        ({"area": "cacti7_45nm_hp"}, "lane multipliers"),
        ({"area": "cacti7_45nm_lop+aladdin_40nm"}, "local memory"),
    ],
)
def test_what_no_table_prices_is_named_not_guessed(changes: dict[str, Any], component: str) -> None:
    found = area(Architecture.named("edge", changes))
    assert component in found.not_priced and component not in found.mm2
    whole = area(Architecture.named("edge"))
    assert set(found.mm2) < set(whole.mm2) <= {*found.mm2, *found.not_priced}


def test_a_second_port_has_no_published_price() -> None:
    assert "second port of the local memory" in area(Architecture.named("edge")).not_priced
    assert "second port of the local memory" not in area(Architecture.named("edge", {"local.ports": 1})).not_priced


@given(st.integers(2, 2000))
def test_every_tile_takes_its_area(tiles: int) -> None:
    exchange = {"tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 9}
    one, many = (area(Architecture.named("tiny", exchange | {"tiles.count": count})) for count in (1, tiles))
    assert many.mm2 == pytest.approx({component: tiles * size for component, size in one.mm2.items()})
    assert set(many.not_priced) - set(one.not_priced) == {"exchange between tiles"}
