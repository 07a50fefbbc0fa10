"""The requests that a program makes of off-chip memory, as a trace file that `deltatrain dram --trace` replays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramPart
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import replacing
from deltatrain.accel.program import Program

_KINDS = ("READ", "WRITE")


def limits(architecture: Architecture) -> list[str]:
    """Return why a machine's requests cannot be written down, if its off-chip memory has no bursts."""
    if isinstance(architecture.device, DramPart):
        return []
    return [f"a DRAM trace needs a DRAM part as remote.device, and {architecture.remote.device_name!r} has no bursts"]


def write_trace(program: Program, path: Path) -> None:
    """Run a program and write down every burst that it asks for, a line ``0xADDR READ|WRITE cycle`` each.

    Cycles are the memory's, in which the burst is offered to the controller first. The file is written whole or not at
    all; memory does not grow with it.

    Raises
    ------
    ConfigError
        If the machine's off-chip memory has no bursts, or the file cannot be written.
    """
    from deltatrain.sim.dram.address_map import AddressMap  # with what `limits` does not need, as the machine
    from deltatrain.sim.machine.machine import Machine

    device = program.architecture.device
    if not isinstance(device, DramPart):
        raise ConfigError("\n".join(limits(program.architecture)))
    burst_bytes = AddressMap(device, program.architecture.remote).burst_bytes
    with replacing(path) as file:
        Machine(program, on_bursts=_writer(file, burst_bytes)).run()


def _writer(file: BinaryIO, burst_bytes: int) -> Callable[[int, int, int, bool], None]:
    def write(cycle: int, burst: int, count: int, write: bool) -> None:
        end = f" {_KINDS[write]} {cycle}\n"
        file.writelines(f"{(burst + n) * burst_bytes:#x}{end}".encode("ascii") for n in range(count))

    return write
