"""The requests that a program makes of off-chip memory, as a trace file that `deltatrain dram --trace` replays."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.program import Program
from deltatrain.sim.machine.machine import Machine

_KINDS = ("READ", "WRITE")


def write_trace(program: Program, path: Path) -> None:
    """Run a program and write down every burst that it asks for, a line ``0xADDR READ|WRITE cycle`` each.

    Cycles are the memory's, in which the burst is offered to the controller first. The file is written whole or not at
    all; memory does not grow with it.

    Raises
    ------
    ConfigError
        If the machine's off-chip memory has no bursts, or the file cannot be written.
    """
    machine = Machine(program)
    channels = machine.memory.port.memory.channels
    if channels is None:
        device = program.architecture.remote.device
        raise ConfigError(f"a DRAM trace needs a DRAM part as remote.device, and {device!r} has no bursts")
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="ascii"
        ) as file:
            temporary = Path(file.name)
            channels.on_bursts = _writer(file, channels.map.burst_bytes)
            machine.run()
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _writer(file: IO[str], burst_bytes: int) -> Callable[[int, int, int, bool], None]:
    def write(cycle: int, burst: int, count: int, write: bool) -> None:
        end = f" {_KINDS[write]} {cycle}\n"
        file.writelines(f"{(burst + n) * burst_bytes:#x}{end}" for n in range(count))

    return write
