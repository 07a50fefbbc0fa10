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
    "cause-stream": "#e58038",
    "cause-load": "#f5c16b",
    "cause-store": "#a94329",
    "cause-encoder": "#76bb8f",
    "cause-elementwise": "#25886d",
    "cause-engine": "#ac9bcc",
    "cause-sram": "#c3689d",
    "cause-exchange": "#7b83d2",
    "cause-bound": "#b7bfcc",
    "cause-end": "#dde1e7",
    "line-0": "#2f5d9f",
    "line-1": "#ce7725",
    "line-2": "#288a6d",
    "line-3": "#933c3b",
    "line-4": "#7a66ce",
    "line-5": "#90660b",
    "line-6": "#339bd6",
    "line-7": "#b17aa4",
}
"""On white, in print and in figures. Work is a strong blue; waiting differs by kind: the off-chip memory in warm
colours, other units in green and violet, nothing to do in greys. Those of one chart are told apart with any of the
common colour visions (`tests/reports/test_palette.py`)."""

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
    "cause-stream": "#eba049",
    "cause-load": "#f2c67f",
    "cause-store": "#c7623f",
    "cause-encoder": "#a3dbc3",
    "cause-elementwise": "#369779",
    "cause-engine": "#9f6bbb",
    "cause-sram": "#cd7faf",
    "cause-exchange": "#80befa",
    "cause-bound": "#666e7e",
    "cause-end": "#39404c",
    "line-0": "#87aee4",
    "line-1": "#ed8f48",
    "line-2": "#53a28e",
    "line-3": "#d46d4e",
    "line-4": "#9b87f2",
    "line-5": "#d1ca6a",
    "line-6": "#8ad0f6",
    "line-7": "#f6a7b0",
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
