"""Where a memory's records lie in the kernel's words, and the rules that it follows."""

from __future__ import annotations

import numpy as np

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.accel.dram_refresh import refreshes_of
from deltatrain.sim.dram import kernel as k
from deltatrain.sim.dram.rules import Integers, Rules


class Layout:
    """Where the records of a controller's channels lie in the words.

    Parameters
    ----------
    part, controller
        What is built.
    """

    def __init__(self, part: DramPart, controller: DramController) -> None:
        self.channels, self.data_buses = controller.channels, controller.pseudo_channels
        self.ranks = self.data_buses * controller.ranks
        self.groups, self.banks = self.ranks * part.bank_groups, self.ranks * part.banks
        self.depth = max(controller.read_queue, controller.write_queue)
        self.ranks_at = k.CHANNEL_WORDS
        self.data_buses_at = self.ranks_at + self.ranks * k.RANK_WORDS
        self.groups_at = self.data_buses_at + self.data_buses * k.DATA_BUS_WORDS
        self.banks_at = self.groups_at + self.groups * k.GROUP_WORDS
        self.order_at = self.banks_at + self.banks * k.BANK_WORDS
        self.conflicts_at = self.order_at + 2 * self.depth
        self.entries_at = self.conflicts_at + self.banks
        self.channel_words = self.entries_at + 2 * self.depth * k.ENTRY_WORDS

    def channel(self, number: Integers) -> Integers:
        """Return the places of channels."""
        return k.SHARED_WORDS + number * self.channel_words

    def bank(self, channel: Integers, number: Integers) -> Integers:
        """Return the places of banks, counted through their channels."""
        return self.channel(channel) + self.banks_at + number * k.BANK_WORDS

    def channel_records(self, words: Integers) -> Integers:
        """Return a view (channels, k.CHANNEL_WORDS)."""
        return words[k.SHARED_WORDS :].reshape(self.channels, -1)[:, : k.CHANNEL_WORDS]

    def rank_records(self, words: Integers) -> Integers:
        """Return a view (channels, ranks, k.RANK_WORDS)."""
        return self._records(words, self.ranks_at, self.ranks, k.RANK_WORDS)

    def first_bank_records(self, words: Integers) -> Integers:
        """Return a view (channels, ranks, k.BANK_WORDS) of each rank's first bank."""
        banks = self._records(words, self.banks_at, self.banks, k.BANK_WORDS)
        return banks[:, :: self.banks // self.ranks]

    def initial(self, part: DramPart, refresh_interval: int) -> Integers:
        """Return the words of idle channels with all rows closed.

        Ranks of a data bus refresh one after the other. Pseudo channels refresh together, because requests that wait
        for one fill the queues that both share.
        """
        words = np.zeros(k.SHARED_WORDS + self.channels * self.channel_words, np.int64)
        words[k.LAST_ACCEPTED] = -1
        first = self.channel(np.arange(self.channels))[:, None]
        rank, group, bank, entry = (np.arange(n) for n in (self.ranks, self.groups, self.banks, 2 * self.depth))
        self.channel_records(words)[:, k.CHANNEL_NUMBER] = np.arange(self.channels)
        ranks = self.rank_records(words)
        ranks[:, :, k.RANK_NUMBER] = rank
        ranks[:, :, k.FIRST_BANK] = first + self.banks_at + rank * part.banks * k.BANK_WORDS
        bus_ranks = self.ranks // self.data_buses
        ranks[:, :, k.FIRST_RANK] = first + self.ranks_at + rank // bus_ranks * bus_ranks * k.RANK_WORDS
        ranks[:, :, k.REFRESH_DUE] = refresh_interval * (rank % bus_ranks + 1) // bus_ranks
        ranks[:, :, k.WINDOW : k.WINDOW + 4] = -k.NEVER
        self._records(words, self.groups_at, self.groups, k.GROUP_WORDS)[:, :, k.GROUP_NUMBER] = (
            group % part.bank_groups
        )
        banks = self._records(words, self.banks_at, self.banks, k.BANK_WORDS)
        banks[:, :, k.BANK_NUMBER] = bank % part.banks_per_group
        banks[:, :, k.GROUP] = first + self.groups_at + bank // part.banks_per_group * k.GROUP_WORDS
        bus = bank // (part.banks * bus_ranks)
        banks[:, :, k.DATA_BUS] = first + self.data_buses_at + bus * k.DATA_BUS_WORDS
        banks[:, :, k.RANK] = first + self.ranks_at + bank // part.banks * k.RANK_WORDS
        banks[:, :, k.OPEN_ROW] = k.CLOSED
        self._records(words, self.order_at, 2 * self.depth, 1)[:, :, 0] = (
            first + self.entries_at + entry * k.ENTRY_WORDS
        )
        return words

    def _records(self, words: Integers, at: int, count: int, size: int) -> Integers:
        channels = words[k.SHARED_WORDS :].reshape(self.channels, -1)
        return channels[:, at : at + count * size].reshape(self.channels, count, size)


def rules_of(part: DramPart, controller: DramController, layout: Layout) -> Rules:
    """Return the standards' formulae over a part's values."""
    t, burst = part.timing, part.burst_cycles
    read, write = t.CL + t.tDQSCK, t.CWL + t.tDQSS
    gap = t.tRTRS or 0
    return Rules(
        read_latency=read + burst,
        write_latency=write + burst,
        burst=burst,
        read_to_write=read + burst + t.tRTW - t.CWL,
        write_to_read_s=write + burst + t.tWTR_S,
        write_to_read_l=write + burst + t.tWTR_L,
        read_to_read_other=burst + gap,
        write_to_write_other=burst + gap,
        read_to_write_other=read + burst + max(t.tRTW, gap) - t.CWL,
        write_to_read_other=max(1, write + burst + gap - t.CL),
        column_s=max(t.tCCD_S, burst),
        column_l=max(t.tCCD_L, burst),
        write_column_l=max(t.tCCD_L_WR or t.tCCD_L, burst),
        **{name: getattr(t, name) for name in ("tRCDRD", "tRCDWR", "tRP", "tRPab", "tRAS", "tRC")},
        **{name: getattr(t, name) for name in ("tRRD_S", "tRRD_L", "tFAW", "tRTP", "tPPD")},
        write_to_precharge=write + burst + t.tWR,
        refresh_command={"all_bank": k.REFRESH, "per_bank": k.REFRESH_BANK, "same_bank": k.REFRESH_SAME}[
            controller.refresh
        ],
        **refreshes_of(part)[controller.refresh]._asdict(),
        row_bus=int(part.row_bus),
        activate_clocks=part.activate_clocks,
        column_clocks=part.column_clocks,
        closed_policy=int(controller.row_policy == "closed"),
        **{name: getattr(controller, name) for name in ("write_high", "write_low", "most_bypasses")},
        bus_ranks=controller.ranks,
        ranks=layout.ranks,
        banks=part.banks,
        **{name: getattr(layout, name) for name in ("ranks_at", "order_at", "conflicts_at", "depth")},
        reads_most=controller.read_queue,
        writes_most=controller.write_queue,
        accepts=controller.accepts_per_clock,
    )
