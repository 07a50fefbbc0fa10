"""Small pieces of Verilog."""

from __future__ import annotations

from textwrap import indent

__all__ = ["bits", "block", "constant", "task"]


def bits(width: int) -> str:
    """Return the range of a vector of `width` bits."""
    return f"[{width - 1}:0]"


def constant(width: int, value: int) -> str:
    """Return a constant of `width` bits."""
    return f"{width}'h{value:x}"


def block(head: str, body: str) -> str:
    """Return `body`, whole lines, between `head` with ``begin`` and ``end``."""
    return f"{head} begin\n{indent(body, '  ')}end\n"


def task(name: str, body: str, *, inputs: tuple[str, ...] = (), declarations: str = "") -> str:
    """Return a task; `declarations` and `body` are whole lines."""
    ports = f"({', '.join(f'input {declared}' for declared in inputs)})" if inputs else ""
    return f"task {name}{ports};\n{indent(declarations + block('', body).lstrip(), '  ')}endtask\n"
