"""What each field of a description means, read from the section "Attributes" of its class's docstring."""

from __future__ import annotations

import inspect
import re
from typing import Any

from deltatrain.accel.described import BASE
from deltatrain.accel.description import Description

_ENTRY = re.compile(r"^(\w+(?:, \w+)*)$")
_UNDERLINE = re.compile(r"^-{3,}$")


def field_words(description: type[Description]) -> dict[str, str]:
    """Return the meaning of each field, those of the classes that it extends included, in one line each."""
    words: dict[str, str] = {}
    for parent in reversed(description.__mro__):
        if issubclass(parent, Description):
            words |= _attributes(inspect.cleandoc(parent.__doc__ or ""))
    return words


def _attributes(docstring: str) -> dict[str, str]:
    """Return the entries of a numpydoc section "Attributes", by name; an entry may have several names."""
    lines = docstring.splitlines()
    begins = [
        place for place, line in enumerate(lines[:-1]) if line == "Attributes" and _UNDERLINE.match(lines[place + 1])
    ]
    words: dict[str, str] = {}
    names: list[str] = []
    for place, line in enumerate(lines[begins[0] + 2 :] if begins else [], start=begins[0] + 2 if begins else 0):
        if _UNDERLINE.match(line) or (place + 1 < len(lines) and _UNDERLINE.match(lines[place + 1])):
            break  # the next section
        if entry := _ENTRY.match(line):
            names = entry[1].split(", ")
        elif line.strip():
            words |= {name: f"{words.get(name, '')} {line.strip()}".strip() for name in names}
    return words


def schema(description: type[Description]) -> dict[str, Any]:
    """Return the JSON Schema of a description's file, in which every field says what it means.

    Editors check a TOML file against it and complete its fields (Taplo, Even Better TOML). No field is required: a file
    may have a `base` that has it.
    """
    found = description.model_json_schema()
    known = {one.__name__: one for one in _all(Description)}
    for name, table in {description.__name__: found, **found.get("$defs", {})}.items():
        words = field_words(known[name])
        table["description"] = inspect.cleandoc(known[name].__doc__ or "").partition("\n\n")[0].replace("\n", " ")
        table.pop("required", None)
        for field, about in table["properties"].items():
            about.pop("title", None)
            if field in words:
                about["description"] = words[field]
    return found


def schema_with_base(description: type[Description]) -> dict[str, Any]:
    """Return the `schema` of a file that may begin from another one."""
    found = schema(description)
    words = "A preset's name, or a TOML file, whose fields hold wherever this file has none."
    found["properties"] = {BASE: {"type": "string", "description": words}, **found["properties"]}
    return found


def _all(description: type[Description]) -> list[type[Description]]:
    return [one for below in description.__subclasses__() for one in (below, *_all(below))]
