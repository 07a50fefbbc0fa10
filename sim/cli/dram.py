"""`deltatrain dram`: a DRAM on its own, driven by a trace or a pattern."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from deltatrain.accel.documents import json_text
from deltatrain.accel.errors import ConfigError, refuse
from deltatrain.sim.cli import options
from deltatrain.sim.cli.interruption import interruptible
from deltatrain.sim.cli.output import TEXT, Output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from deltatrain.accel.dram import DramController, DramPart
    from deltatrain.sim.dram.replay import Replay
    from deltatrain.sim.dram.requests import Requests


def command(
    *,
    device: Annotated[str, Parameter(name=["--device", "-d"], help="A name from `list dram`, or a TOML file.")],
    trace: Annotated[
        Path | None,
        Parameter(name=["--trace", "-t"], help="Requests: a trace of DRAMsim3, Ramulator or DRAMSys, or its .gz."),
    ] = None,
    generate: Annotated[
        str | None,
        Parameter(
            name=["--generate", "-g"],
            help="Or a pattern: stream, stream_bank_group, stream_one_group, stream_writes, random, random_pairs, "
            "random_writes, mixed.",
        ),
    ] = None,
    requests: Annotated[
        int | None, Parameter(name=["--requests", "-n"], help="How many are generated. [default: 1000000]")
    ] = None,
    wrap: Annotated[
        bool, Parameter(help="Let a trace's addresses beyond the memory begin again at 0.", show_default=False)
    ] = False,
    changes: Annotated[
        list[str] | None,
        Parameter(name=["--set", "-s"], help="Change the controller: FIELD=VALUE, such as ranks=2. May be repeated."),
    ] = None,
    output: Output = TEXT,
) -> None:
    """Replay memory requests on a DRAM and show bandwidth, latency, rows, energy.

    A request moves one burst. Requests without a cycle arrive back to back.

    Lines of a trace are `ADDR READ|WRITE|R|W [cycle]`, `LD|ST ADDR ...` or
    `CYCLE: read|write ADDR`. Numbers behind 0x are hexadecimal, others
    decimal. Cycles never go back, and # begins a comment.

    Fields of the controller: channels, pseudo_channels, ranks, bus_bits,
    address_map (RoBaRaCoCh, RoBaRaCoBgCh, ...), row_policy (open, closed),
    refresh (all_bank, per_bank, same_bank), accepts_per_clock (of each
    channel), read_queue, write_queue, write_high, write_low, most_bypasses.

    For example:

      deltatrain dram --device ddr4_2400 --generate stream
      deltatrain dram --device ddr4_2400 --generate random --set ranks=2
      deltatrain dram --device lpddr4_3200 --trace my.trace --set refresh=per_bank
      deltatrain dram --device hbm2_2000 -g mixed -s channels=16 -n 200000 --json
    """
    from deltatrain.accel.dram import DramPart
    from deltatrain.reports.page.table import dotted
    from deltatrain.sim.dram.replay import replay

    refuse(_misplaced(trace, generate, requests, wrap))
    part, count = DramPart.named(device), requests or 1_000_000
    controller = _controller(part, generate, changes)
    pieces = _requests(part, controller, trace, generate, count, wrap)
    with interruptible(), output.stages() as stages:
        found = replay(part, controller, _told(pieces, stages, count, trace is None))
    output.give(
        *_summary(part, controller, found),
        json=lambda: json_text(_plain(found), indent=1),
        rows=lambda: [dotted(_plain(found))],
    )


def _misplaced(trace: Path | None, generate: str | None, requests: int | None, wrap: bool) -> Iterator[str]:
    """Yield a line for each option that does not go with the others."""
    if (trace is None) == (generate is None):
        yield "give requests either with --trace FILE or with --generate PATTERN"
    if requests is not None and (trace is not None or requests < 1):
        yield f"--requests takes a positive number and goes with --generate, not {requests}"
    if wrap and trace is None:
        yield "--wrap goes with --trace: generated requests stay inside the memory"


def _controller(part: DramPart, pattern: str | None, changes: Sequence[str] | None) -> DramController:
    """Return the part's usual controller with the changes of ``--set``."""
    from deltatrain.accel.dram import DramController
    from deltatrain.sim.dram.requests import map_of

    table: dict[str, Any] = {"bus_bits": part.usual_bus_bits, **map_of(pattern or "")}
    for change in changes or ():
        field, equals, text = change.partition("=")
        if not equals or not field.strip():
            raise ConfigError(f"--set takes FIELD=VALUE, not {change!r}")
        table[field.strip()] = options.toml_value(text.strip())
    controller = DramController.from_table(table, "--set")
    if problem := controller.fits(part):
        raise ConfigError(problem)
    return controller


def _requests(
    part: DramPart, controller: DramController, trace: Path | None, pattern: str | None, count: int, wrap: bool
) -> Iterable[Requests]:
    from deltatrain.sim.dram.address_map import AddressMap
    from deltatrain.sim.dram.requests import generated
    from deltatrain.sim.dram.trace_files import recorded

    layout = AddressMap(part, controller)
    if trace is not None:
        return recorded(trace, layout.capacity_bytes, wrap)
    assert pattern is not None
    return generated(pattern, count, layout.burst_bytes, layout.capacity_bytes)


def _told(pieces: Iterable[Requests], progress: Any, count: int, known: bool) -> Iterable[Requests]:
    """Yield the pieces and report progress. The length of a trace file is not known before its end."""
    done = 0
    for piece in pieces:
        yield piece
        done += len(piece.writes)
        progress("requests", min(1.0, done / count) if known else 0.0, f"{done:,}")


def _summary(part: DramPart, controller: DramController, found: Replay) -> list[RenderableType]:
    from deltatrain.accel.quantity import quantity, share
    from deltatrain.reports.palette import BUS_LABELS
    from deltatrain.sim.cli.screen import fields

    pseudo = f"{controller.pseudo_channels} x " if controller.pseudo_channels > 1 else ""
    buses = f"{controller.channels} x {pseudo}{controller.bus_bits} bits"
    built = f"{buses}, ranks {controller.ranks}, {controller.address_map}"
    served = f"{share(found.bytes_per_second / found.peak_bytes_per_second)} of the peak"
    rates = [
        ("requests", f"{found.requests:,}, {found.writes:,} of them writes"),
        ("time", f"{quantity(found.seconds, 's')}, {found.cycles:,} cycles"),
        ("bandwidth", f"{found.bytes_per_second / 1e9:.2f} GB/s, {served}"),
    ]
    names = {50: "half of the reads", 90: "90 %", 99: "99 %", 100: "all"}
    waits = [("mean", quantity(found.mean_latency_s, "s"))] if found.latency_s else []
    waits += [(f"{names[p]} within", quantity(latency, "s")) for p, latency in found.latency_s.items()]
    rows = [(name.replace("_", " "), f"{value:,}") for name, value in found.rows._asdict().items()]
    clocks = max(1, sum(found.bus))
    ticks = found.bus._asdict()
    bus = [(words, f"{ticks[use]:,}, {share(ticks[use] / clocks)}") for use, words in BUS_LABELS.items()]
    total = sum(found.energy_j.values())
    energy = [(cause, f"{quantity(value, 'J')}, {share(value / total)}") for cause, value in found.energy_j.items()]
    energy += [("a bit", f"{found.energy_pj_per_bit:.1f} pJ")] if energy else [("not known", found.energy_unknown)]
    return [
        fields(f"{part.about}: {built}, rows {controller.row_policy}", rates),
        *([fields("latency of reads, from the controller to the last beat", waits)] if waits else []),
        fields("rows and commands", rows),
        fields("clocks of the data buses", bus),
        fields("energy of the devices, without I/O", energy),
    ]


def _plain(found: Replay) -> dict[str, Any]:
    plain = {**found._asdict(), "rows": found.rows._asdict(), "bus": found.bus._asdict()}
    plain["latency_s"] = {str(percentile): value for percentile, value in found.latency_s.items()}
    return plain
