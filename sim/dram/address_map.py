"""From addresses to channels, ranks, bank groups, banks and rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from deltatrain.accel.dram import DramController, DramPart, capacity_bytes, fields_of

Integers = npt.NDArray[np.int64]


class Places(NamedTuple):
    """Where bursts lie, one entry a burst.

    Attributes
    ----------
    burst
        Number of the burst in the address space.
    channel, rank
        Channel; rank, counted through the pseudo channels of the channel.
    group, bank
        Bank group and bank, counted through the whole channel.
    row
        Row of the bank.
    """

    burst: Integers
    channel: Integers
    rank: Integers
    group: Integers
    bank: Integers
    row: Integers


class AddressMap:
    """The map of a controller's address space.

    Parameters
    ----------
    part, controller
        What is built.

    Attributes
    ----------
    burst_bytes
        Bytes of one burst of one channel.
    capacity_bytes
        Bytes of all channels.
    """

    def __init__(self, part: DramPart, controller: DramController) -> None:
        self.burst_bytes = part.burst_bytes(controller.bus_bits)
        self._sizes = {
            "Ro": part.rows,
            "Ba": part.banks_per_group,
            "Bg": part.bank_groups,
            "Ra": controller.ranks,
            "Pc": controller.pseudo_channels,
            "Co": part.row_bytes(controller.bus_bits) // self.burst_bytes,
            "Ch": controller.channels,
        }
        self._order = fields_of(controller.address_map)[::-1]
        self.capacity_bytes = capacity_bytes(part, controller)

    @property
    def fields(self) -> list[tuple[str, int]]:
        """Name and size of each field, from the lowest to the highest."""
        return [(field, self._sizes[field]) for field in self._order]

    def places(self, addresses: Integers) -> Places:
        """Return where the bytes at `addresses` lie, all of which are less than the capacity."""
        rest = burst = addresses // self.burst_bytes
        found = {}
        for field in self._order:
            rest, found[field] = np.divmod(rest, self._sizes[field])
        rank = found["Pc"] * self._sizes["Ra"] + found["Ra"]
        group = rank * self._sizes["Bg"] + found["Bg"]
        bank = group * self._sizes["Ba"] + found["Ba"]
        return Places(burst, found["Ch"], rank, group, bank, found["Ro"])
