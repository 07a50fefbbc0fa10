"""Elements of HTML and SVG as values, every text escaped."""

from __future__ import annotations

from markupsafe import Markup, escape

Child = Markup | str


def element(name: str, *children: Child, **attributes: str | float | None) -> Markup:
    """Return an element with its children in it.

    Parameters
    ----------
    name
        Of the element.
    children
        Text, which is escaped, or elements.
    attributes
        `class_` is ``class``; other underscores are hyphens: ``text_anchor``. None leaves the attribute out. Numbers
        are written with at most three decimals.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(number(value) if isinstance(value, (int, float)) else value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{''.join(escape(child) for child in children)}</{name}>")


def number(value: float) -> str:
    """Return `value` with at most three decimals and no trailing zeros."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def per_cent(share: float) -> str:
    """Return a share of 1 as a length of CSS or SVG."""
    return f"{number(100 * share)}%"
