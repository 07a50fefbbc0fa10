"""Writes the reference of the manual from what it is about: a hook of mkdocs (mkdocs.org, "hooks")."""

from __future__ import annotations

import inspect
import io
import re
from collections.abc import Iterator
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from rich.console import Console

import deltatrain
from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramPart
from deltatrain.accel.field_words import schema, schema_with_base
from deltatrain.accel.origin import ORIGINS
from deltatrain.accel.result import Result
from deltatrain.reports.palette import BUS_LABELS, CAUSE_LABELS, PHASE_NAMES, STARVED_LABELS, UNIT_NAMES
from deltatrain.sim.cli.application import COMMANDS, application
from deltatrain.sim.sweep.space import Space
from deltatrain.workloads.workload import Workload

_CODE = re.compile(r"``?([^`]+)``?")
_HELP_COLUMNS = 100


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the reference."""
    for path, text in _pages():
        files.append(File.generated(config, f"reference/{path}.md", content=text))
    return files


def _pages() -> Iterator[tuple[str, str]]:
    based = 'Any file may begin from another one: `base = "edge"`. What it has no field for is as there.'
    yield "machine", _fields("Fields of a machine", schema_with_base(Architecture), based)
    yield "part", _fields("Fields of a DRAM part", schema_with_base(DramPart), based)
    yield "workload", _fields("Fields of a workload", schema_with_base(Workload), based)
    yield (
        "space",
        _fields(
            "Fields of a design space",
            schema(Space),
            "Paths in `vary`, `fixed`, `objectives` and `constraints` are dotted.",
        ),
    )
    yield "result", _fields("Fields of a result", schema(Result), "What `result.json` holds.") + _words()
    yield "commands", _commands()
    yield "python", _python()


def _fields(title: str, found: dict[str, Any], about: str) -> str:
    """Return a page with a table for each description, the whole one first."""
    tables = {"": found, **found.get("$defs", {})}
    parts = [f"# {title}", about]
    for name, table in tables.items():
        parts += [f"## {name}" if name else "", _linked(table["description"]), _table(table)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _table(table: dict[str, Any]) -> str:
    lines = ["| field | takes | default | meaning |", "|---|---|---|---|"]
    for name, field in table["properties"].items():
        default = (
            f"`{_cell(field['default'])}`" if "default" in field and not isinstance(field["default"], dict) else ""
        )
        lines.append(f"| `{name}` | {_takes(field)} | {default} | {_linked(field.get('description', ''))} |")
    return "\n".join(lines)


def _takes(field: dict[str, Any]) -> str:
    """Return in words what a field takes: its type with its range, or a link to the table it is."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in field or "const" in field:
        return " or ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    several = [one for one in field.get("anyOf", field.get("oneOf", ())) if one.get("type") != "null"]
    if several:
        return ", or ".join(map(_takes, several))
    if field.get("type") == "array":
        return f"list of {_takes(field['items'])}" if "items" in field else "list"
    ends = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {field[key]:,}" for key, sign in ends.items() if key in field and field[key] < 2**62]
    kind = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false", "object": "table"}
    return ", ".join([kind.get(field.get("type", ""), "anything"), *limits])


def _words() -> str:
    """Return the tables of the words that results use."""
    parts = []
    for title, words in (
        ("Phases", PHASE_NAMES),
        ("Units", UNIT_NAMES),
        ("Stall causes", CAUSE_LABELS),
        ("What lanes lacked that waited for the stream", STARVED_LABELS),
        ("What the data bus did", BUS_LABELS),
        ("How numbers were found", ORIGINS),
    ):
        rows = [f"| `{name}` | {about} |" for name, about in words.items()]
        parts.append("\n".join([f"\n## {title}\n", "| word | is |", "|---|---|", *rows, ""]))
    return "".join(parts)


def _commands() -> str:
    """Return the help of every command, as a terminal shows it."""
    app, parts = application(), ["# Commands", "Each as `deltatrain COMMAND --help` prints it."]
    for name in COMMANDS:
        text = io.StringIO()
        app.help_print([name], console=Console(file=text, width=_HELP_COLUMNS, force_terminal=False))
        parts.append(f"## {name}\n\n```text\n{text.getvalue().strip()}\n```")
    return "\n\n".join(parts) + "\n"


def _python() -> str:
    """Return signature and docstring of every name that `import deltatrain` gives."""
    parts = ["# Python", "What `import deltatrain as dt` gives."]
    for name in deltatrain.__all__:
        found = getattr(deltatrain, name)
        if name.startswith("_") or inspect.ismodule(found):
            continue
        signature = f"{name}{inspect.signature(found)}" if inspect.isroutine(found) else f"class {name}"
        parts.append(f"## {name}\n\n```text\n{signature}\n\n{inspect.getdoc(found)}\n```")
    return "\n\n".join(parts) + "\n"


def _linked(text: str) -> str:
    """Return a docstring's text as Markdown that a table can hold."""
    return _cell(_CODE.sub(r"`\1`", text))


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
