"""Cycles that pass in the fetch of columns: those of the gates (`rtl.off_chip.fetch`), and the law's."""

ASK_CYCLES = 1
"""From the cycle in which an op may begin to that in which its first column can be asked for: whether an op may begin
is in a register of its own, and so are the address of what is asked for and the room that it will hold."""

ROOM_CYCLES = 2
"""From the cycle in which the lanes take a segment's last word, or the memory takes words that were posted, to the
first in which their room in the column buffer can be taken again: what comes free is added up, and then to the rest."""
