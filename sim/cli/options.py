"""Options that several commands share, each with its help."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from cyclopts import Parameter

from deltatrain.accel.documents import NotTomlError, toml_table
from deltatrain.accel.errors import ConfigError

Workload = Annotated[
    str, Parameter(name=["--workload", "-w"], help="What to train: a name from `list workloads`, or a TOML file.")
]
Machine = Annotated[
    str, Parameter(name=["--on", "-m"], help="The machine: a name from `list machines`, or a TOML file.")
]
Fidelity = Annotated[
    str,
    Parameter(
        name=["--fidelity", "-f"], help="How cycles are found: `cycle` simulates, `analytic` bounds, `rtl` runs gates."
    ),
]
Dense = Annotated[
    bool,
    Parameter(
        name="--dense",
        negative="--no-dense",
        help="Simulate the same step with every column fired, too: without it there is no speed-up.",
    ),
]
Engine = Annotated[
    str | None,
    Parameter(
        help="What runs the gates: `amaranth`, its own simulator, or `compiled`. "
        "[default: compiled, if the extra fpga and Verilator or a C++ compiler are there]"
    ),
]
Out = Annotated[
    Path | None,
    Parameter(name=["--out", "-o"], help="Folder for the files, made if needed. [default: out/WORKLOAD-MACHINE]"),
]
Changes = Annotated[
    list[str] | None,
    Parameter(
        name=["--set", "-s"],
        help="Change a field: machine.FIELD=VALUE or workload.FIELD=VALUE, VALUE as in TOML. May be repeated.",
    ),
]
MeasureTorch = Annotated[
    bool,
    Parameter(
        name="--measure-torch",
        help="Measure the same step in PyTorch on this computer, too, and show it beside the machine's.",
        show_default=False,
    ),
]
NumbersOf = Annotated[
    Literal["float", "machine"] | None,
    Parameter(
        name="--numbers",
        help="In which numbers it is trained: `float`, or the `machine`'s, by training.machine_optimiser. "
        "[default: as the workload says, mostly float]",
    ),
]
Resume = Annotated[bool, Parameter(help="Go on with a training that was interrupted.", show_default=False)]


class Overrides(NamedTuple):
    """Values by dotted field, of the machine and of the workload."""

    machine: dict[str, Any]
    workload: dict[str, Any]

    def refuse_other_numbers(self, option: str, numbers: str) -> None:
        """Raise a `ConfigError` if ``--set`` says other numbers to train in than those that an option names."""
        if (other := self.workload.get("training.numbers", numbers)) != numbers:
            raise ConfigError(
                f"{option} and --set workload.training.numbers={other} say two kinds of numbers to train in: "
                "leave one out"
            )


def overrides(changes: Sequence[str] | None) -> Overrides:
    """Return what the values of ``--set`` say.

    Raises
    ------
    ConfigError
        If one has not the form ``machine.FIELD=VALUE`` or ``workload.FIELD=VALUE``.
    """
    found = Overrides({}, {})
    for change in changes or ():
        path, equals, text = change.partition("=")
        whose, _, field = path.strip().partition(".")
        if not equals or whose not in found._fields or not all(field.split(".")):
            raise ConfigError(f"--set takes machine.FIELD=VALUE or workload.FIELD=VALUE, not {change!r}")
        getattr(found, whose)[field] = toml_value(text.strip())
    return found


def space_overrides(changes: Sequence[str] | None) -> dict[str, Any]:
    """Return what the values of a sweep's ``--set`` say, by dotted path in the space.

    Raises
    ------
    ConfigError
        If one has not the form ``FIELD=VALUE``.
    """
    found: dict[str, Any] = {}
    for change in changes or ():
        path, equals, text = change.partition("=")
        if not equals or not all(path.strip().split(".")):
            raise ConfigError(f"--set takes FIELD=VALUE, FIELD a dotted path in the space, not {change!r}")
        whose, dot, _ = path.strip().partition(".")
        if dot and whose in Overrides._fields:
            raise ConfigError(
                f"--set {change}: a space has `fixed.{path.strip()}={text.strip()}` for a value that all points have, "
                f"`vary.{path.strip()}=[{text.strip()}, ...]` for values to try"
            )
        found[path.strip()] = toml_value(text.strip())
    return found


def toml_value(text: str) -> Any:
    """Return a TOML value, or the text itself if it is none: names need no quotes."""
    try:
        table = toml_table(f"value = {text}", "--set")
    except NotTomlError:
        return text
    return table["value"] if len(table) == 1 else text
