"""Address maps: every burst has a place of its own, and the fields lie where the name says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.dram import FIELDS, DramController, DramPart
from deltatrain.sim.dram.address_map import AddressMap


def _map(order: str, groups: int = 4, banks: int = 4, **changes: object) -> AddressMap:
    sizes = {"rows": 4, "device_row_bytes": 64, "bank_groups": groups, "banks_per_group": banks}
    part = DramPart.named("ddr4_2400", sizes)
    controller = DramController.from_table({"bus_bits": 64, "address_map": order, "ranks": 2, "channels": 2, **changes})
    return AddressMap(part, controller)


@settings(max_examples=30)
@given(
    st.permutations(FIELDS),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([1, 2]),
    st.sampled_from([(4, 4), (2, 4), (4, 2), (1, 8)]),
)
def test_every_burst_has_its_own_place(
    fields: list[str], channels: int, ranks: int, groups_banks: tuple[int, int]
) -> None:
    groups, banks = groups_banks
    layout = _map("".join(fields), groups, banks, channels=channels, ranks=ranks)
    bursts = layout.capacity_bytes // layout.burst_bytes
    addresses = np.arange(bursts) * layout.burst_bytes
    found = layout.places(addresses + 63)
    assert np.array_equal(found.burst, np.arange(bursts))
    places = np.stack(found[1:])
    columns = bursts // len(np.unique(places, axis=1).T)
    assert columns == 64 * 8 // 64  # 64 bytes of 8 devices
    _, counts = np.unique(places, axis=1, return_counts=True)
    assert (counts == columns).all()
    assert (found.bank // banks == found.group).all() and (found.group // groups == found.rank).all()


@pytest.mark.parametrize(
    ("order", "strides"),
    [
        ("RoBaRaCoCh", {"channel": 1, "rank": 16, "group": 32, "bank": 128, "row": 512}),
        ("RoBaRaCoBgCh", {"channel": 1, "group": 2, "rank": 64, "bank": 128, "row": 512}),
        ("RoChRaCoBaBg", {"group": 1, "bank": 4, "rank": 128, "channel": 256, "row": 512}),
    ],
)
def test_fields_change_where_the_name_says(order: str, strides: dict[str, int]) -> None:
    layout = _map(order)
    for field, stride in strides.items():
        before, after = (layout.places(np.array([n * 64])) for n in (0, stride))
        changed = {name for name in strides if getattr(before, name) != getattr(after, name)}
        below = {"rank": {"rank", "group", "bank"}, "group": {"group", "bank"}}.get(field, {field})
        assert changed == below
