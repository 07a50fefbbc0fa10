"""A page of HTML as a tree, by Python's own parser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link"}


@dataclass
class Node:
    """An element with its children; text is a child too."""

    tag: str
    attributes: dict[str, str | None]
    children: list[Node | str] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        """Yield this element and all below it, in the order of the page."""
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child.walk()

    def all(self, tag: str, **attributes: str) -> list[Node]:
        """Return the elements below with a tag and attributes; ``class_`` asks for one of the classes."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [node for node in self.walk() if node.tag == tag and all(node.has(k, v) for k, v in wanted.items())]

    def one(self, tag: str, **attributes: str) -> Node:
        """Return the only element that `all` finds."""
        (node,) = self.all(tag, **attributes)
        return node

    def has(self, name: str, value: str) -> bool:
        """Tell whether an attribute has a value, or the class is among the classes."""
        found = self.attributes.get(name)
        return found is not None and (value in found.split() if name == "class" else found == value)

    @property
    def text(self) -> str:
        """All text in it, spaces as one."""
        words = "".join(child if isinstance(child, str) else f" {child.text} " for child in self.children)
        return " ".join(words.split())


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} is there twice"
        node = Node(tag, dict(attrs))
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"{tag} ends where it is not open"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(text: str) -> Node:
    """Return the tree of a page in which every element is closed in its place."""
    builder = _Builder()
    builder.feed(text)
    builder.close()
    assert builder.open == [builder.root]
    return builder.root


def rows(table: Node) -> list[list[Node]]:
    """Return the cells of every row but the headings."""
    bodies = [part for part in table.walk() if part.tag in ("tbody", "tfoot")]
    lines = [row for body in bodies for row in body.all("tr")]
    return [[cell for cell in row.children if isinstance(cell, Node)] for row in lines]


def value(cell: Node) -> float:
    """Return the number behind a cell."""
    return float(cell.attributes["data-value"] or "nan")
