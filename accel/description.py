"""What descriptions of machines and workloads share: strict fields, TOML in, digest out, errors with dotted paths."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from deltatrain.accel.documents import HIGHEST_INT, MOST_LEVELS, read_text, shown, toml_table
from deltatrain.accel.errors import ConfigError


def _name(name: str) -> str:
    if not name.isprintable() or any(separator in name for separator in "/\\") or name[0] in ". ":
        raise ValueError(
            f"must be a name without separators of folders, not beginning with a dot or a space, not {shown(name)}"
        )
    return name


def _whole(given: object) -> object:
    """Return a float that is a whole number as an integer, anything else as it is."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


PositiveInt = Annotated[int, Field(gt=0, le=HIGHEST_INT, strict=True)]
NonNegativeInt = Annotated[int, Field(ge=0, le=HIGHEST_INT, strict=True)]
Count = Annotated[int, Field(ge=0)]
"""How often something happened; integers of any kind."""
Width = Annotated[int, Field(gt=0, le=2**16, strict=True)]
"""How many parts of a kind a machine has side by side; arrays are made for each."""
Delay = Annotated[int, Field(ge=0, le=10**8, strict=True)]
"""Clock cycles that one thing waits for another, up to a tenth of a second at a gigahertz."""
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Hertz = Annotated[int, BeforeValidator(_whole), Field(ge=1000, le=10**12, strict=True)]
"""A clock, a whole number from a kilohertz to a terahertz; ``125e6`` is one, too."""
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_name)]
"""What a description is called. Folders are named after it, so it chooses no other folder."""

_ACCEPTED = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "int_parsing": "must be an integer",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a text",
    "literal_error": "must be one of {expected}",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "dict_type": "must be a table",
}


class Description(BaseModel):
    """A frozen description; unknown fields, wrong types and values out of range are refused.

    Every subclass is loaded with `from_table`, which turns all that is wrong into one `ConfigError`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def from_table(cls, table: dict[str, Any], source: str = "") -> Self:
        """Return the description in `table`.

        Parameters
        ----------
        table
            Nested dictionaries as a TOML reader gives them.
        source
            Where the table came from, named in errors.

        Raises
        ------
        ConfigError
            With one line for each thing that is wrong, each starting with the field's dotted path.
        """
        try:
            return cls.model_validate(table)
        except ValidationError as error:
            lines = [_line(details, cls) for details in _told(error.errors())]
            prefix = f"{source}: " if source else ""
            raise ConfigError("\n".join(prefix + line for line in dict.fromkeys(lines))) from None

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Return what `repr` shows: fields that are not as usual, or have no usual value."""
        usual = {name: field.default for name, field in type(self).model_fields.items()}
        return [(name, value) for name, value in super().__repr_args__() if name not in usual or value != usual[name]]

    def digest(self) -> str:
        """Return the digest of the description's table (`table_digest`)."""
        return table_digest(self.model_dump(mode="json"))


def not_there(field: object) -> bool:
    """Tell whether a field is to be left out, so that descriptions from before it keep their digests."""
    return field is None


def table_digest(table: dict[str, Any]) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a table's canonical JSON."""
    text = json.dumps(table, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_toml(path: Path) -> dict[str, Any]:
    """Return the table in the TOML file `path`; a file that cannot be read or parsed is a `ConfigError`."""
    return toml_table(read_text(path), str(path))


def with_overrides(table: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Return `table` in which each dotted path of `overrides` has the value given there.

    It shares with `table`, which stays as it is, whatever no override names. A part that is None is one left out.
    """
    copy = dict(table)
    for dotted, value in overrides.items():
        *parents, leaf = dotted.split(".")
        if len(parents) >= MOST_LEVELS:
            raise ConfigError(f"{shown(dotted, quoted=False)} is not a field: it has more than {MOST_LEVELS} parts")
        node = copy
        for parent in parents:
            inner = {} if node.get(parent) is None else node[parent]
            if not isinstance(inner, dict):
                raise ConfigError(f"{dotted} is not a field: {parent} is not a table")
            node[parent] = dict(inner)
            node = node[parent]
        node[leaf] = value
    return copy


def _told(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Return the errors but those of a list that is too short only because of entries that are wrong."""
    places = [error["loc"] for error in errors]

    def entries_are_wrong(place: tuple[int | str, ...]) -> bool:
        return any(len(other) > len(place) and other[: len(place)] == place for other in places)

    return [error for error in errors if error["type"] != "too_short" or not entries_are_wrong(error["loc"])]


def _line(details: ErrorDetails, model: type[BaseModel]) -> str:
    location = [str(part) for part in details["loc"] if not _is_union_branch(part)]
    path = shown(".".join(location), quoted=False) or "the description"
    kind, value = details["type"], details["input"]
    if kind == "missing":
        return f"{path} is missing"
    if kind == "extra_forbidden":
        *above, name = location or [str(details["loc"][-1])]  # a field may be called as a branch of a union is
        near = difflib.get_close_matches(name, _fields(model, above), n=1)
        path = path if location else shown(name, quoted=False)
        return f"{path} is not a field" + (f", did you mean {near[0]!r}?" if near else "")
    if kind in ("value_error", "assertion_error"):
        return f"{path}: {details['ctx']['error']}" if location else str(details["ctx"]["error"])
    if kind == "greater_than" and details["ctx"]["gt"] == 0:
        number = "integer" if isinstance(details["ctx"]["gt"], int) else "number"
        return f"{path} must be a positive {number}, not {shown(value)}"
    accepted = _ACCEPTED.get(kind, details["msg"]).format(**details.get("ctx", {}))
    return f"{path} {accepted}, not {shown(value)}"


def _is_union_branch(part: int | str) -> bool:
    """Tell whether a location part names a branch of a union ("tuple[float, ...]", "float") and no field."""
    return isinstance(part, str) and ("[" in part or part in ("float", "int", "str", "constrained-float"))


def _fields(model: type[BaseModel], location: list[str]) -> list[str]:
    """Return the fields that there are at a place in a description; of a union, those of all its branches."""
    models = [model]
    for part in location:
        models = [
            inner for one in models if part in one.model_fields for inner in _tables(one.model_fields[part].annotation)
        ]
    return [name for one in models for name in one.model_fields]


def _tables(annotation: Any) -> list[type[BaseModel]]:
    """Return the descriptions among the branches of a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [table for branch in get_args(annotation) for table in _tables(branch)]
