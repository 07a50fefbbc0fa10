"""The machine as a drawing: its blocks, the flows between them, and how busy each block was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from deltatrain.accel.quantity import quantity
from deltatrain.reports.page.contents import Run
from deltatrain.reports.page.machine import Block, Gauge, blocks
from deltatrain.reports.page.markup import element

Point = tuple[float, float]

_MARGIN = 10
_MOST_LANES = 32  # the most that are drawn
_EXCHANGE_WIDTH = 130.0


class Box(NamedTuple):
    """Where a block stands."""

    x: float
    y: float
    width: float
    height: float


class Arrow(NamedTuple):
    """A flow: its corners, its label and where the label stands. With `both` it has a head at either end."""

    corners: tuple[Point, ...]
    words: str = ""
    at: Point = (0, 0)
    anchor: str = "middle"
    both: bool = False


@dataclass(frozen=True)
class Layout:
    """One arrangement of the blocks, for one shape of screen; lengths in its own units."""

    name: str
    width: float
    height: float
    tile: Box
    boxes: Mapping[str, Box]
    arrows: tuple[Arrow, ...]


WIDE = Layout(
    "wide",
    992,
    384,
    Box(232, 2, 758, 380),
    {
        "remote": Box(2, 120, 166, 160),
        "port": Box(250, 94, 120, 268),
        "encoder": Box(418, 94, 162, 124),
        "engine": Box(606, 94, 166, 124),
        "elementwise": Box(798, 94, 174, 124),
        "local": Box(418, 278, 554, 84),
    },
    (
        Arrow(((168, 180), (250, 180)), "{read}", (200, 171)),
        Arrow(((250, 220), (168, 220)), "{write}", (200, 239)),
        Arrow(((370, 320), (418, 320)), both=True),
        Arrow(((580, 156), (606, 156))),
        Arrow(((772, 156), (798, 156))),
        Arrow(((885, 94), (885, 64), (499, 64), (499, 94)), "h, on to the next step", (692, 56)),
        Arrow(((499, 218), (499, 278)), both=True),
        Arrow(((689, 218), (689, 278)), "columns", (698, 252), "start", both=True),
        Arrow(((885, 218), (885, 278)), both=True),
    ),
)

NARROW = Layout(
    "narrow",
    352,
    756,
    Box(2, 2, 348, 590),
    {
        "encoder": Box(14, 60, 142, 104),
        "elementwise": Box(174, 60, 164, 104),
        "engine": Box(14, 192, 324, 116),
        "local": Box(14, 336, 324, 84),
        "port": Box(14, 448, 324, 130),
        "remote": Box(2, 648, 348, 106),
    },
    (
        Arrow(((174, 112), (156, 112)), "h", (165, 104)),
        Arrow(((85, 164), (85, 192))),
        Arrow(((256, 192), (256, 164))),
        Arrow(((176, 308), (176, 336)), "columns", (185, 326), "start", both=True),
        Arrow(((176, 420), (176, 448)), both=True),
        Arrow(((146, 648), (146, 578)), "{read}", (138, 624), "end"),
        Arrow(((206, 578), (206, 648)), "{write}", (214, 624), "start"),
    ),
)


def block_diagram(run: Run) -> Markup:
    """Return two drawings of the machine, for wide and for narrow screens. The style sheet shows the one that fits."""
    found = blocks(run)
    about = "Block diagram of the machine. " + ". ".join(map(_said, found.values()))
    drawn = [_draw(run, layout, found, about) for layout in (WIDE, NARROW)]
    return element("div", *drawn, class_="machine")


def _draw(run: Run, layout: Layout, found: Mapping[str, Block], about: str) -> Markup:
    counters = run.result.counters
    flows = {
        "read": quantity(counters.remote.read_bytes, "B"),
        "write": quantity(counters.remote.write_bytes, "B"),
    }
    tile = element("rect", **_corner(layout.tile), rx=14, class_="tile")
    left, right, line = layout.tile.x + 16, layout.tile.x + layout.tile.width - 16, layout.tile.y + 28
    tiles = found.get("tiles", Block("Tile", (), ()))
    words = f"{tiles.title} at {quantity(counters.clock_hz, 'Hz')}"
    name = [element("text", words, x=left, y=line, class_="title")]
    for gauge in tiles.gauges:  # the exchange between them
        name.extend(_gauge(gauge, Box(right - _EXCHANGE_WIDTH, line, _EXCHANGE_WIDTH, 6)))
    shapes = [_block(key, found[key], box, run) for key, box in layout.boxes.items()]
    arrows = [_arrow(arrow, flows) for arrow in layout.arrows]
    size = f"0 0 {layout.width:g} {layout.height:g}"
    return element("svg", tile, *name, *arrows, *shapes, viewBox=size, role="img", aria_label=about, class_=layout.name)


def _corner(box: Box) -> dict[str, float]:
    return {"x": box.x, "y": box.y, "width": box.width, "height": box.height}


def _block(key: str, block: Block, box: Box, run: Run) -> Markup:
    left, bottom = box.x + _MARGIN, box.y + box.height
    room = box.width - 2 * _MARGIN
    parts = [
        element("title", _said(block)),
        element("rect", **_corner(box), rx=9, class_="block"),
        element("text", block.title, x=left, y=box.y + 23, class_="title"),
    ]
    for line, words in enumerate(block.about):
        parts.append(element("text", words, x=left, y=box.y + 40 + 15 * line))
    if key == "engine":
        lanes = run.result.architecture["engine"]["lanes"]  # of one tile
        parts.extend(_lanes(lanes, block.gauges[0].filled, Box(left, box.y + 50, room, 16)))
    for line, gauge in enumerate(reversed(block.gauges)):
        parts.extend(_gauge(gauge, Box(left, bottom - 16 - 32 * line, room, 6)))
    return element("g", *parts)


def _said(block: Block) -> str:
    return f"{block.title}: {', '.join([*block.about, *(gauge.words for gauge in block.gauges)])}"


def _gauge(gauge: Gauge, track: Box) -> list[Markup]:
    filled = max(min(gauge.filled, 1.0) * track.width, 1.5)
    return [
        element("text", gauge.words, x=track.x, y=track.y - 8, class_="gauge"),
        element("rect", **_corner(track), rx=3, class_="track"),
        element("rect", **_corner(track._replace(width=filled)), rx=3, class_="fill"),
    ]


def _lanes(lanes: int, busy: float, room: Box) -> list[Markup]:
    """Return the lanes side by side, each filled as far as they were busy."""
    drawn = min(lanes, _MOST_LANES)
    pitch = min(room.width / drawn, 22.0)
    cells = []
    for lane in range(drawn):
        x, full = room.x + lane * pitch, room.height * min(busy, 1.0)
        cells.append(element("rect", x=x, y=room.y, width=pitch - 2, height=room.height, rx=2, class_="track"))
        y = room.y + room.height - full
        cells.append(element("rect", x=x, y=y, width=pitch - 2, height=full, rx=2, class_="fill"))
    return cells


def _arrow(arrow: Arrow, flows: Mapping[str, str]) -> Markup:
    path = "M" + "L".join(f"{x:g} {y:g}" for x, y in arrow.corners)
    parts = [element("path", d=path), _head(arrow.corners[-2], arrow.corners[-1])]
    if arrow.both:
        parts.append(_head(arrow.corners[1], arrow.corners[0]))
    if arrow.words:
        x, y = arrow.at
        parts.append(element("text", arrow.words.format(**flows), x=x, y=y, text_anchor=arrow.anchor))
    return element("g", *parts, class_="flow")


def _head(before: Point, tip: Point) -> Markup:
    """Return an arrow's head at `tip` of a horizontal or vertical line from `before`."""
    length, half = 7.0, 4.0
    dx, dy = (_sign(tip[0] - before[0]), _sign(tip[1] - before[1]))
    foot = (tip[0] - length * dx, tip[1] - length * dy)
    corners = (tip, (foot[0] + half * dy, foot[1] + half * dx), (foot[0] - half * dy, foot[1] - half * dx))
    return element("polygon", points=" ".join(f"{x:g},{y:g}" for x, y in corners))


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
