"""Bars: side by side on a common scale, or stacked from parts that make up a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from deltatrain.reports.page.markup import element, per_cent


class Bar(NamedTuple):
    """One bar of a group, or one part of a stacked bar.

    Attributes
    ----------
    name
        What it is.
    value
        Its length, not negative.
    text
        The value in words.
    kind
        Its colour: a name of the palette.
    """

    name: str
    value: float
    text: str
    kind: str


MARK = "mark"
"""The kind of a bar that is drawn as a mark where it would end: it may lie beyond the scale of the others."""


def grouped(groups: Mapping[str, Sequence[Bar]], about: str) -> Markup:
    """Return bars in groups, all on one scale from zero, which marks (`MARK`) have no part in.

    Parameters
    ----------
    groups
        The bars under each group's name.
    about
        What is drawn, in words, for a screen reader.
    """
    longest = max((bar.value for bars in groups.values() for bar in bars if bar.kind != MARK), default=0) or 1
    rows: list[Markup] = []
    for name, bars in groups.items():
        drawn = [_bar(bar, bar.value / longest) for bar in bars]
        rows.append(element("div", element("div", name, class_="group-name"), *drawn, class_="group"))
    return element("div", *rows, class_="bars", role="img", aria_label=about)


def _bar(bar: Bar, length: float) -> Markup:
    # the style sheet multiplies this share by the width left beside the longest bar's text
    kind = f"{MARK} beyond" if bar.kind == MARK and length > 1 else bar.kind
    fill = element("span", class_=f"bar {kind}", style=f"--length:{min(length, 1):.5f}")
    text = element("span", bar.text, class_="value")
    return element("div", element("span", bar.name, class_="name"), fill, text, class_="bar-row")


def stacked(
    rows: Mapping[str, Sequence[Bar]],
    values: Mapping[str, str],
    about: str,
    *,
    whole: Mapping[str, float] | None = None,
) -> Markup:
    """Return bars over the full width of the page, each stacked from its parts.

    Parameters
    ----------
    rows
        The parts of each bar.
    values
        Words beside each bar, by row.
    about
        What is drawn, in words, for a screen reader.
    whole
        By row, what a full bar stands for where that is more than the sum of its parts.
    """
    drawn = []
    for name, parts in rows.items():
        total = (whole or {}).get(name) or sum(part.value for part in parts) or 1
        cut = [
            element(
                "span",
                class_=f"part {part.kind}",
                style=f"width:{per_cent(part.value / total)}",
                title=f"{name}: {part.name} {part.text}",
            )
            for part in parts
            if part.value
        ]
        row = [element("span", name, class_="name"), element("span", *cut, class_="stack")]
        drawn.append(element("div", *row, element("span", values[name], class_="value"), class_="stack-row"))
    return element("div", *drawn, class_="stacks", role="img", aria_label=about)


def legend(entries: Sequence[tuple[str, str]]) -> Markup:
    """Return the key to the colours: pairs of a colour and its words."""
    items = [element("li", element("span", class_=f"swatch {kind}"), words) for kind, words in entries]
    return element("ul", *items, class_="legend")
