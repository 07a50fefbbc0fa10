"""Where a memory's records lie in the kernel's words, and the rules that it follows."""

from __future__ import annotations

import numpy as np

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.accel.dram_refresh import refreshes_of
from deltatrain.sim.dram import words as k
from deltatrain.sim.dram.address_map import AddressMap
from deltatrain.sim.dram.rules import Integers, Rules


class Layout:
    """Where the records of a controller's channels lie in the words, and after them the address map and the logs.

    Parameters
    ----------
    part, controller, address_map
        What is built.
    most_finished, most_commands
        Rows of the logs of requests that were finished, and of commands; no rows of commands if they are not wanted.
    """

    def __init__(
        self,
        part: DramPart,
        controller: DramController,
        address_map: AddressMap,
        most_finished: int,
        most_commands: int,
    ) -> None:
        self.part, self.controller, self.map = part, controller, address_map
        self.channels, self.data_buses = controller.channels, controller.pseudo_channels
        self.ranks = self.data_buses * controller.ranks
        self.groups, self.banks = self.ranks * part.bank_groups, self.ranks * part.banks
        self.entries = controller.read_queue + controller.write_queue
        self.ranks_at = k.CHANNEL_WORDS
        self.data_buses_at = self.ranks_at + self.ranks * k.RANK_WORDS
        self.groups_at = self.data_buses_at + self.data_buses * k.DATA_BUS_WORDS
        self.banks_at = self.groups_at + self.groups * k.GROUP_WORDS
        self.wanted_at = self.banks_at + self.banks * k.BANK_WORDS
        self.entries_at = self.wanted_at + 2 * self.banks
        self.channel_words = self.entries_at + self.entries * k.ENTRY_WORDS
        self.fields_at = k.SHARED_WORDS + self.channels * self.channel_words
        self.most_commands = most_commands
        self.finished_at = self.fields_at + len(self._fields()) * k.FIELD_WORDS
        self.commands_at = self.finished_at + most_finished * k.FINISHED_WORDS
        self.end = self.commands_at + most_commands * k.COMMAND_WORDS

    def channel(self, number: Integers) -> Integers:
        """Return the places of channels."""
        return k.SHARED_WORDS + number * self.channel_words

    def channel_records(self, words: Integers) -> Integers:
        """Return a view (channels, k.CHANNEL_WORDS)."""
        return words[k.SHARED_WORDS : self.fields_at].reshape(self.channels, -1)[:, : k.CHANNEL_WORDS]

    def rank_records(self, words: Integers) -> Integers:
        """Return a view (channels, ranks, k.RANK_WORDS)."""
        return self._records(words, self.ranks_at, self.ranks, k.RANK_WORDS)

    def first_bank_records(self, words: Integers) -> Integers:
        """Return a view (channels, ranks, k.BANK_WORDS) of each rank's first bank."""
        banks = self._records(words, self.banks_at, self.banks, k.BANK_WORDS)
        return banks[:, :: self.banks // self.ranks]

    def finished(self, words: Integers) -> Integers:
        """Return a view (N, k.FINISHED_WORDS) of what was finished, the rows in use."""
        return self._log(words, self.finished_at, int(words[k.FINISHED_USED]), k.FINISHED_WORDS)

    def commands(self, words: Integers) -> Integers:
        """Return a view (N, k.COMMAND_WORDS) of the commands that were issued, the rows in use."""
        return self._log(words, self.commands_at, int(words[k.COMMANDS_USED]), k.COMMAND_WORDS)

    def initial(self, rules: Rules) -> Integers:
        """Return the words of idle channels with all rows closed, and of empty logs."""
        words = np.zeros(self.end, np.int64)
        words[k.LAST_ACCEPTED] = words[k.DONE_MASK] = -1
        words[k.FOUND_BURST] = -2  # followed by no burst
        words[k.FINISHED_AT], words[k.DONE_AT] = self.finished_at, self.end
        words[k.COMMANDS_AT], words[k.COMMANDS_ROOM] = self.commands_at, self.most_commands
        words[k.CHANNELS_AT], words[k.CHANNEL_SIZE] = k.SHARED_WORDS, self.channel_words
        words[k.CHANNELS] = self.channels
        words[k.RULES_AT : k.SHARED_WORDS] = rules
        fields = self._fields()
        words[k.FIELDS_AT], words[k.FIELDS] = self.fields_at, len(fields) - 1
        words[self.fields_at : self.finished_at] = np.array(fields).ravel()
        first = self.channel(np.arange(self.channels))[:, None]
        self._begin_banks(words, first)
        self._begin_ranks(words, first, rules.refresh_interval)
        self._begin_channels(words, first)
        return words

    def _begin_channels(self, words: Integers, first: Integers) -> None:
        channels = self.channel_records(words)
        channels[:, k.CHANNEL_NUMBER] = np.arange(self.channels)
        channels[:, k.FIRST_DUE] = self.rank_records(words)[:, :, k.REFRESH_DUE].min(axis=1)
        channels[:, k.WANTED_AT : k.WANTED_AT + 2] = first + self.wanted_at + self.banks * np.arange(2)
        places = first + self.entries_at + np.arange(self.entries) * k.ENTRY_WORDS
        channels[:, k.FREE_ENTRY] = places[:, 0]
        entries = self._records(words, self.entries_at, self.entries, k.ENTRY_WORDS)
        entries[:, :-1, k.YOUNGER] = places[:, 1:]  # the next that is free

    def _begin_ranks(self, words: Integers, first: Integers, refresh_interval: int) -> None:
        """Let ranks of a data bus refresh one after the other.

        Pseudo channels refresh together, because requests that wait for one fill the queues that both share.
        """
        rank, bus_ranks = np.arange(self.ranks), self.ranks // self.data_buses
        ranks = self.rank_records(words)
        ranks[:, :, k.RANK_NUMBER] = rank
        ranks[:, :, k.FIRST_BANK] = first + self.banks_at + rank * self.part.banks * k.BANK_WORDS
        ranks[:, :, k.FIRST_RANK] = first + self.ranks_at + rank // bus_ranks * bus_ranks * k.RANK_WORDS
        ranks[:, :, k.REFRESH_DUE] = refresh_interval * (rank % bus_ranks + 1) // bus_ranks
        ranks[:, :, k.WINDOW : k.WINDOW + 4] = -k.NEVER

    def _begin_banks(self, words: Integers, first: Integers) -> None:
        part, group, bank = self.part, np.arange(self.groups), np.arange(self.banks)
        groups = self._records(words, self.groups_at, self.groups, k.GROUP_WORDS)
        groups[:, :, k.GROUP_NUMBER] = group % part.bank_groups
        banks = self._records(words, self.banks_at, self.banks, k.BANK_WORDS)
        banks[:, :, k.BANK_NUMBER] = bank % part.banks_per_group
        banks[:, :, k.GROUP] = first + self.groups_at + bank // part.banks_per_group * k.GROUP_WORDS
        banks[:, :, k.RANK] = first + self.ranks_at + bank // part.banks * k.RANK_WORDS
        bus = bank // (part.banks * (self.ranks // self.data_buses))
        banks[:, :, k.DATA_BUS] = first + self.data_buses_at + bus * k.DATA_BUS_WORDS
        banks[:, :, k.OPEN_ROW] = k.CLOSED

    def _fields(self) -> list[tuple[int, ...]]:
        """Return the fields of the address with several values; in the last row, where channels and banks begin."""
        sizes, bank = dict(self.map.fields), k.BANK_WORDS
        steps = {
            "Ro": (0, 0, 1),
            "Ch": (self.channel_words, self.channel_words, 0),
            "Ba": (0, bank, 0),
            "Bg": (0, bank * sizes["Ba"], 0),
            "Ra": (0, bank * sizes["Ba"] * sizes["Bg"], 0),
            "Pc": (0, bank * sizes["Ba"] * sizes["Bg"] * sizes["Ra"], 0),
            "Co": (0, 0, 0),
        }
        rows = [
            (size, size.bit_length() - 1 if size & (size - 1) == 0 else -1, *steps[field])
            for field, size in self.map.fields
            if size > 1
        ]
        return [*rows, (0, 0, k.SHARED_WORDS, k.SHARED_WORDS + self.banks_at, 0)]

    def _log(self, words: Integers, at: int, used: int, width: int) -> Integers:
        return words[at : at + used * width].reshape(used, width)

    def _records(self, words: Integers, at: int, count: int, size: int) -> Integers:
        channels = words[k.SHARED_WORDS : self.fields_at].reshape(self.channels, -1)
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
        read_to_write_s=read + burst + t.tRTW - t.CWL,
        read_to_write_l=read + burst + t.tRTW - t.CWL,
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
        ranks_at=layout.ranks_at,
        reads_most=controller.read_queue,
        writes_most=controller.write_queue,
        accepts=controller.accepts_per_clock,
    )
