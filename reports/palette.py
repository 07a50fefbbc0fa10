"""Colours for light and for dark, and the names of the parts of bars, for pages and figures."""

from __future__ import annotations

from deltatrain.accel.counters import BusUse, Starved

LIGHT = {
    "paper": "#ffffff",
    "panel": "#f6f7f9",
    "rule": "#e3e6ec",
    "edge": "#848c99",
    "ink": "#1f2430",
    "quiet": "#5d6470",
    "accent": "#2f5d9f",
    "delta": "#2f5d9f",
    "dense": "#b9c0cb",
    "bad": "#b3261e",
    "seq-low": "#9bcdbb",
    "seq-high": "#1c3a72",
    "cause-stream": "#e0823d",
    "cause-load": "#f5c16c",
    "cause-store": "#a8442a",
    "cause-encoder": "#7cc4a4",
    "cause-elementwise": "#2c8c7c",
    "cause-engine": "#9d8ec7",
    "cause-sram": "#c9698c",
    "cause-exchange": "#5b7fc4",
    "cause-bound": "#aab2bf",
    "cause-end": "#dde1e7",
    "line-0": "#2f5d9f",
    "line-1": "#c46a26",
    "line-2": "#2c8c7c",
    "line-3": "#a8442a",
    "line-4": "#7f6fb5",
    "line-5": "#8a6d1d",
    "line-6": "#3a8bbd",
    "line-7": "#c2588a",
}
"""On white, in print and in figures. Work is a strong blue; waiting differs by kind: the off-chip memory in warm
colours, other units in green and violet, nothing to do in greys. Neighbours differ in lightness, so that a bar also
reads in grey and with any colour vision."""

DARK = {
    "paper": "#14171d",
    "panel": "#1c2028",
    "rule": "#2e343f",
    "edge": "#69727f",
    "ink": "#e7eaf0",
    "quiet": "#a0a8b5",
    "accent": "#8db4f0",
    "delta": "#6f9fe6",
    "dense": "#535c6b",
    "bad": "#ff8a7a",
    "seq-low": "#2c5f6e",
    "seq-high": "#dbe9ff",
    "cause-stream": "#e0914f",
    "cause-load": "#f0c987",
    "cause-store": "#c2604a",
    "cause-encoder": "#8bd0b2",
    "cause-elementwise": "#3fa391",
    "cause-engine": "#a99bd3",
    "cause-sram": "#d884a3",
    "cause-exchange": "#7c9bd8",
    "cause-bound": "#7b8494",
    "cause-end": "#39404c",
    "line-0": "#7fadf0",
    "line-1": "#e8a066",
    "line-2": "#4fb8a5",
    "line-3": "#df7d62",
    "line-4": "#b1a2e4",
    "line-5": "#cdb05a",
    "line-6": "#78c4ec",
    "line-7": "#e48fb6",
}
"""The same, on a dark screen."""

LINES = 8
"""How many colours there are for curves."""

CAUSE_LABELS = {
    "stream": "waits for matrix columns",
    "load": "waits for loads",
    "store": "waits for stores",
    "encoder": "waits for the encoder",
    "elementwise": "waits for element-wise work",
    "engine": "waits for the lanes' result",
    "sram": "waits for a bank of local SRAM",
    "exchange": "waits for the exchange between tiles",
    "bound": "waits (bound by another unit)",
    "end": "nothing left to do",
}
"""Stall causes in the order in which bars stack them."""

BUS_LABELS: dict[BusUse, str] = {
    "read": "reads",
    "write": "writes",
    "row": "waits for a row to be opened",
    "turn": "waits to turn round",
    "column": "waits between columns",
    "refresh": "waits for refresh",
    "idle": "nothing queued",
}
"""What a data bus of the off-chip memory does, in the order in which bars stack it."""

BUS_COLOURS: dict[BusUse, str] = {
    "read": "delta",
    "write": "line-6",
    "row": "stream",
    "turn": "load",
    "column": "sram",
    "refresh": "store",
    "idle": "end",
}
"""The kinds of parts that they are drawn as."""

STARVED_LABELS: dict[Starved, str] = {
    "list": "not asked for: the list, or columns to be written back, not there",
    "buffer": "not asked for: no room in the column buffer",
    "memory": "on its way from memory",
    "port": "passing the port",
    "cache": "read from the column cache, or a longer line going out of it",
}
"""Reasons why a lane had no word of a column, in the order in which bars stack them."""

STARVED_COLOURS: dict[Starved, str] = {
    "list": "encoder",
    "buffer": "sram",
    "memory": "stream",
    "port": "load",
    "cache": "store",
}
"""The kinds of parts that they are drawn as."""

UNIT_NAMES = {
    "encoder": "delta encoder",
    "engine": "lanes",
    "elementwise": "element-wise unit",
    "exchange": "exchange between tiles",
    "load": "port, loads",
    "store": "port, stores",
}

PHASE_NAMES = {
    "FP": "forward",
    "RF": "forward again",
    "BP": "backward",
    "WG": "weight gradient",
    "WU": "weight update",
}
