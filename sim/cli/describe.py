"""`deltatrain describe`: what a machine or a workload is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import RenderableType

from deltatrain.accel.errors import ConfigError, unknown_name
from deltatrain.sim.cli import options
from deltatrain.sim.cli.output import TEXT, Output

_ONLY_OF_MACHINES = {"engine", "local", "remote", "dma", "placement", "tiles", "energy", "area", "checkpoint"}
_ONLY_OF_WORKLOADS = {"dataset", "cell", "hidden", "theta_x", "theta_h", "readout", "training", "synthetic", "neuron"}

if TYPE_CHECKING:
    from pathlib import Path

    from deltatrain.accel.architecture import Architecture
    from deltatrain.accel.tensor import Tensor
    from deltatrain.workloads.lowering.placement import Placed
    from deltatrain.workloads.workload import Workload


def command(
    name: Annotated[str, Parameter(name="NAME", help="A machine or workload, or its TOML file.")],
    /,
    *,
    workload: Annotated[
        str | None, Parameter(name=["--workload", "-w"], help="Show where the machine keeps this workload's matrices.")
    ] = None,
    changes: options.Changes = None,
    toml: Annotated[bool, Parameter(help="Print its TOML file, to be copied and edited.", show_default=False)] = False,
    output: Output = TEXT,
) -> None:
    """Show a machine's parts and peak rates, or what a workload trains and how.

    A name that is both a machine's and a workload's is written machine.NAME
    or workload.NAME.

    For example:

      deltatrain describe edge
      deltatrain describe edge --workload digits
      deltatrain describe workload.digits
      deltatrain describe edge --toml > mine.toml
    """
    kind, plain = _kind(name)
    if toml:
        if changes or workload is not None:
            raise ConfigError("--toml prints a description as it is written: leave --set and --workload out")
        _print_toml(kind, plain)
        return
    changed = options.overrides(changes)
    if kind == "workload":
        if workload is not None or changed.machine:
            raise ConfigError(f"{plain} is a workload: describe the machine and name the workload with --workload")
        from deltatrain.workloads.workload import Workload

        described = Workload.named(plain, changed.workload)
        _give(output, _of_workload(described), described.model_dump(mode="json", exclude_none=True))
        return
    from deltatrain.accel.architecture import Architecture

    machine = Architecture.named(plain, changed.machine)
    parts = _of_machine(machine)
    if workload is None:
        device = machine.device.model_dump(mode="json")
        _give(output, parts, machine.model_dump(mode="json") | {"device": device})
        return
    from deltatrain.workloads.workload import Workload

    output.give(*parts, *_placement(machine, Workload.named(workload, changed.workload), output))


def _give(output: Output, parts: list[RenderableType], exact: dict[str, Any]) -> None:
    """Print a description: as tables, or as it is."""
    from deltatrain.accel.documents import json_text
    from deltatrain.reports.page.table import dotted

    leaves = dotted(exact).items()
    output.give(
        *parts,
        json=lambda: json_text(exact, indent=1),
        rows=lambda: [{"field": field, "value": value} for field, value in leaves],
    )


def _kind(name: str) -> tuple[str, str]:
    """Return "machine" or "workload", and the name or path without a prefix that says so."""
    from deltatrain.accel.presets import MACHINES
    from deltatrain.workloads.presets import PRESETS

    if name.endswith(".toml"):
        from pathlib import Path

        if (kind := kind_of_file(Path(name))) == "space":
            raise ConfigError(f"{name} must be a machine or a workload, and is a space")
        return kind, name
    families = {"machine": MACHINES.names(), "workload": PRESETS.names()}
    prefix, dot, rest = name.partition(".")
    if dot and prefix in families:
        return prefix, rest
    kinds = [kind for kind, names in families.items() if name in names]
    if not kinds:
        raise unknown_name("machine or workload", name, {*families["machine"], *families["workload"]})
    if len(kinds) > 1:
        raise ConfigError(f"{name} is a machine and a workload: write machine.{name} or workload.{name}")
    return kinds[0], name


def kind_of_file(path: Path) -> str:
    """Return whether the description in a file is of a "machine", a "workload" or a "space"."""
    from deltatrain.accel.described import BASE
    from deltatrain.accel.description import read_toml
    from deltatrain.sim.sweep.spaces import SPACES

    table = read_toml(path)
    if "vary" in table or table.get(BASE) in SPACES.names():
        return "space"
    return "machine" if _is_machine(path) else "workload"


def _is_machine(path: Path, *behind: Path) -> bool:
    """Tell whether the description in a file is a machine's: by its fields, or by what its base is."""
    from pathlib import Path

    from deltatrain.accel.described import BASE, beside, is_path
    from deltatrain.accel.description import read_toml
    from deltatrain.accel.presets import MACHINES
    from deltatrain.workloads.presets import PRESETS

    table = read_toml(path)
    base = table.get(BASE)
    if table.keys() & _ONLY_OF_MACHINES or not isinstance(base, str):
        return "engine" in table or base is not None
    if is_path(base):
        further = Path(beside(base, path.absolute().parent))
        if further in behind:
            raise ConfigError(f"{behind[0]}: base goes round in a circle: {' -> '.join(one.name for one in behind)}")
        return _is_machine(further, *behind, further)
    return base in MACHINES.names() and not (base in PRESETS.names() and table.keys() & _ONLY_OF_WORKLOADS)


def _print_toml(kind: str, name: str) -> None:
    import sys
    from pathlib import Path

    from deltatrain.accel.presets import MACHINES
    from deltatrain.workloads.presets import PRESETS

    if name.endswith(".toml"):
        sys.stdout.write(Path(name).read_text(encoding="utf-8"))
    else:
        sys.stdout.write((MACHINES if kind == "machine" else PRESETS).text(name))


def _of_machine(machine: Architecture) -> list[RenderableType]:
    from deltatrain.accel.pricing.area import area
    from deltatrain.accel.quantity import quantity
    from deltatrain.sim.cli.screen import fields

    described = machine.model_dump(mode="json")
    formats = described["engine"].pop("formats")
    names = ["engine", "local", *["cache"] * (machine.column_cache is not None), "remote", "dma", "placement"]
    names += ["tiles"] * (machine.tiles.count > 1)
    parts = [fields(part, _values(described[part])) for part in names]
    device = machine.device.model_dump(mode="json")
    macs, rate = machine.peak_macs_per_second, machine.remote_peak_bytes_per_second
    peaks = [
        ("multiply-accumulates", quantity(macs, "MAC/s")),
        ("off-chip bytes", quantity(rate, "B/s")),
        ("balance", f"{macs / rate:.3g} multiply-accumulates for each off-chip byte keep both busy"),
        *_of_arrays(machine),
        *([("column cache", f"none: {machine.idle_cache}")] if machine.idle_cache else []),
        ("word of weights", f"{machine.weight_word_bytes} bytes, one weight for each lane"),
        ("word of gradients", f"{machine.gradient_word_bytes} bytes"),
        ("area of what is priced", f"{sum(area(machine).mm2.values()):.3g} mm²"),
    ]
    return [
        fields(f"{machine.name}: {machine.about}", [("energy tables", machine.energy), ("area tables", machine.area)]),
        *parts,
        fields("number formats", [(name, _format(entry)) for name, entry in formats.items()]),
        fields(f"memory device {machine.remote.device_name}", _values(device)),
        fields("at best", peaks),
    ]


def _of_workload(workload: Workload) -> list[RenderableType]:
    from deltatrain.sim.cli.screen import fields
    from deltatrain.workloads.dataset import title
    from deltatrain.workloads.datasets import DATASETS
    from deltatrain.workloads.own_data import OwnData

    described = workload.model_dump(mode="json", exclude_none=True)
    names = ("training", "neuron", "embedding", "sparsity", "few_bit", "synthetic")
    own = described.pop("dataset") if isinstance(workload.dataset, OwnData) else None
    tables = {part: described.pop(part) for part in names if part in described}
    parts = [fields(str(described.pop("name")), _values(described))]
    parts += [fields(part, _values(values)) for part, values in tables.items()]
    if own is not None:
        parts.append(fields("data set", _values(own)))
    elif workload.synthetic is None:
        dataset = DATASETS.load(title(workload.dataset))
        parts.append(fields("data set", [("source", dataset.SOURCE), ("licence", dataset.LICENCE)]))
    return list(parts)


def _of_arrays(machine: Architecture) -> list[tuple[str, str]]:
    """Return what several arrays take at once, and what of it the port brings."""
    arrays, lanes = machine.engine.arrays, machine.engine.lanes
    if arrays == 1:
        return []
    taken = arrays * machine.weight_word_bytes
    brought = f"take {taken:,} bytes of weights a cycle; the port brings {machine.dma.bytes_per_cycle:,}"
    return [("arrays", f"{arrays:,} of {lanes:,} lanes, a column each: they {brought}")]


def _placement(machine: Architecture, workload: Workload, output: Output) -> list[RenderableType]:
    """Return where the matrices live and how full the memories are."""
    from deltatrain.sim import flow
    from deltatrain.sim.cli.screen import table
    from deltatrain.workloads.lowering.placement import rows_of

    recordings = None
    if workload.synthetic is None:
        with output.stages() as stages:
            recordings = flow.recordings_of(workload.dataset, stages)
    placed = flow.fitted(machine, workload, recordings)
    shape = flow.shape_of(workload, recordings)
    rows = [
        [
            t.name,
            "remote" if t.remote else "local",
            f"{t.columns:,}",
            f"{t.words:,}",
            f"{_empty_lanes(machine, t, rows_of(t, shape, machine)):,}",
            f"{t.bytes:,}",
        ]
        for t in placed.tensors
    ]
    columns = ["matrix", "home", "columns", "words a column", "lanes empty", "bytes"]
    note = (
        "Tape and inputs come on top; how large they are depends on the recordings. Lanes empty: of all words of a "
        "column, those that hold no row."
    )
    return [table(f"{workload.name} on {machine.name}", columns, rows, note, text_columns=2), _filling(machine, placed)]


def _empty_lanes(machine: Architecture, tensor: Tensor, rows: int) -> int:
    """Return how many lanes hold no row of a column; tiles share columns of the read-out, and rows of the others."""
    lanes = machine.engine.lanes if tensor.stream == "readout" else machine.row_lanes
    return tensor.words * lanes - rows


def _filling(machine: Architecture, placed: Placed) -> RenderableType:
    from deltatrain.sim.cli.screen import table

    rows = []
    for memory, uses, capacity in (
        ("local", placed.local_bytes, machine.local.bytes),
        ("remote", placed.remote_bytes, machine.remote.bytes),
    ):
        rows += [[memory, use, f"{size:,}", f"{100 * size / capacity:.1f} %"] for use, size in uses.items() if size]
    return table("Memories", ["memory", "use", "bytes", "of its capacity"], rows, text_columns=2)


def _values(table: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, _value(value)) for name, value in table.items()]


def _value(value: Any) -> str:
    """Return the value of a field as TOML has it, but with commas in numbers; "–" for one that is left out."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else str(value)


def _format(entry: Any) -> str:
    """Return a number format in words. The width of an accumulator stays a number."""
    if not isinstance(entry, dict):
        return str(entry)
    bits, fraction = entry["bits"], entry["fraction_bits"]
    return f"{bits} bits, {fraction} of fraction: below ±2^{bits - fraction - 1} in steps of 2^-{fraction}"
