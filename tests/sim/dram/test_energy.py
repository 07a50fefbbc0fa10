"""Energy: closed forms of a few commands, and what is not known stays unknown."""

from __future__ import annotations

import numpy as np
import pytest

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.pricing.dram_energy import unknown_energy
from deltatrain.sim.dram.controller import DramChannels
from deltatrain.sim.dram.energy import dram_energy_j


def _memory(device: str, **changes: object) -> DramChannels:
    part = DramPart.named(device)
    return DramChannels(part, DramController.from_table({"bus_bits": part.usual_bus_bits, **changes}))


def test_an_idle_memory_uses_standby_and_refresh_only() -> None:
    memory = _memory("ddr4_2400", ranks=2)
    end = 20 * 9360 + 420  # the last refresh has just ended
    memory.advance(end)
    found = dram_energy_j(memory, end)
    joules = 1.2e-3 * 833e-12 * 8
    refreshes = memory.counts.refreshes
    assert refreshes == 2 * 20
    assert found["refresh"] + found["standby"] == pytest.approx(
        joules * (refreshes * 420 * 250 + (2 * end - refreshes * 420) * 34)
    )
    assert found["activate and precharge"] == found["read"] == found["write"] == 0


def test_one_read_and_one_write_cost_what_their_currents_say() -> None:
    """DDR4-2400 x8 on 64 bits: row opened at 0, read, a write after it; the row stays open."""
    memory = _memory("ddr4_2400")
    memory.serve(np.array([0, 0]), np.array([0, 256]), np.array([False, True]))
    memory.finish()
    end = memory.last_data
    found = dram_energy_j(memory, end)
    joules = 1.2e-3 * 833e-12 * 8
    assert found["activate and precharge"] == pytest.approx(joules * (48 * 56 - 43 * 39 - 34 * 17))
    assert found["read"] == pytest.approx(joules * (135 - 43) * 4)
    assert found["write"] == pytest.approx(joules * (123 - 43) * 4)
    assert found["standby"] == pytest.approx(joules * end * 43)


def test_open_cycles_are_the_union_of_open_banks() -> None:
    """Against intervals from the command stream, banks overlapping, closed by themselves or for another row."""
    part = DramPart.named("ddr3_1600")
    for policy in ("open", "closed"):
        memory = DramChannels(part, DramController.from_table({"bus_bits": 64, "row_policy": policy}), record=True)
        random = np.random.default_rng(5)
        memory.serve(
            np.cumsum(random.integers(0, 200, 300)), random.integers(0, 1 << 22, 300) * 64, random.random(300) < 0.3
        )
        memory.finish()
        end = memory.last_data
        commands = memory.take_commands()
        t = part.timing
        is_open = np.zeros(end + 1000, bool)
        opened: dict[int, int] = {}
        closes: dict[int, int] = {}
        for cycle, kind, _, _, _, bank, _ in zip(*(field.tolist() for field in commands), strict=True):
            if kind == 0:
                opened[bank], closes[bank] = cycle, cycle + t.tRAS
            elif kind in (3, 4, 5, 6):
                closes[bank] = max(closes[bank], cycle + (t.tRTP if kind < 5 else t.CWL + 4 + t.tWR))
                if kind in (4, 6):
                    is_open[opened.pop(bank) : closes[bank]] = True
            elif kind == 1:
                is_open[opened.pop(bank) : cycle] = True
            elif kind == 2:
                for start in opened.values():
                    is_open[start:cycle] = True
                opened.clear()
        for start in opened.values():
            is_open[start:] = True
        refreshing = memory.counts.refreshes * t.tRFC
        assert memory.active_cycles(end) == is_open[:end].sum() + refreshing


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_refresh_under_way_counts_as_far_as_it_is(ranks: int) -> None:
    """An idle memory: rank r refreshes at tREFI (r + 1) / ranks, in every cycle open or not, of no rank twice."""
    part = DramPart.named("ddr3_1600")
    t = part.timing
    memory = DramChannels(part, DramController(bus_bits=64, ranks=ranks, channels=2))
    for end in (0, t.tREFI // 2 + 7, t.tREFI - 1, t.tREFI, t.tREFI + 1, t.tREFI + t.tRFC, 2 * t.tREFI + 100):
        memory.advance(end)
        begun = [due for rank in range(ranks) for due in range(t.tREFI * (rank + 1) // ranks, end, t.tREFI)]
        assert memory.active_cycles(end) == 2 * sum(min(end - due, t.tRFC) for due in begun)


@pytest.mark.parametrize(
    ("device", "refresh", "why"),
    [
        ("lpddr4_4266", "all_bank", "no source publishes currents of LPDDR4-4266"),
        ("hbm2_2000", "all_bank", "no source publishes currents of HBM2"),
        ("lpddr4_3200", "per_bank", "IDD5PB"),
    ],
)
def test_unknown_energy_is_refused(device: str, refresh: str, why: str) -> None:
    memory = _memory(device, refresh=refresh)
    assert why in unknown_energy(memory.part, memory.controller)
    with pytest.raises(ConfigError, match=f"energy is not known: .*{why}"):
        dram_energy_j(memory, 100)
