"""Work of a chosen size, in a process of its own: ``python -m deltatrain.sim.studies._scaling_work AXIS SIZE``.

CPU seconds begin when modules are loaded and compiled; the peak of memory is the process's, from its start on.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.documents import json_text
from deltatrain.accel.dram import DramController, DramPart
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import scratch_folder
from deltatrain.sim.dram.address_map import AddressMap
from deltatrain.sim.dram.replay import replay
from deltatrain.sim.dram.requests import generated
from deltatrain.sim.dram.trace_files import recorded
from deltatrain.sim.run import simulate
from deltatrain.workloads.workload import Workload


class Work(NamedTuple):
    """Work of one size.

    Attributes
    ----------
    run
        Does it.
    amount
        How much work it is, in what the axis counts.
    given_bytes
        What it is given and holds as a whole, such as a trace.
    """

    run: Callable[[], object]
    amount: int
    given_bytes: int = 0


class Axis(NamedTuple):
    """What grows: the work of a size, its files in a folder, and a small size that loads and compiles all there is."""

    work: Callable[[int, Path], Work]
    smallest: int


class Spent(NamedTuple):
    """What work took: CPU seconds, bytes of memory at the peak; or the reason why it could not be done."""

    cpu_s: float
    peak_bytes: int
    reason: str = ""


def _steps(fidelity: str, weights: str) -> Callable[[int, Path], Work]:
    """Return the work of one sample of the 56 k LSTM, of any number of steps, on `edge` with room for its tape."""

    def of(steps: int, folder: Path) -> Work:
        homes = {"local.bytes": 2**40, "cache.bytes": 0, "placement.weights": weights, "placement.gradients": weights}
        machine = Architecture.named("edge", homes)
        workload = Workload.named("synthetic", {"training.batch": 1, "synthetic.steps": steps})
        assert workload.synthetic is not None
        elements = workload.synthetic.inputs + 2 * sum(workload.hidden) - workload.hidden[-1]
        return Work(lambda: simulate(machine, workload, fidelity=fidelity, dense=False), steps, steps * elements)

    return of


def _width(fidelity: str) -> Callable[[int, Path], Work]:
    """Return the work of four steps of an LSTM as wide as its inputs, all matrices in DRAM, in weights."""

    def of(width: int, folder: Path) -> Work:
        changes = {"engine.lanes": 16, "engine.elementwise_lanes": 16, "local.bytes": 2**40, "remote.bytes": 2**30}
        changes |= {"cache.bytes": 0}
        machine = Architecture.named("edge", changes | {"dma.bytes_per_cycle": 32, "dma.buffer_bytes": 2**20})
        sizes = {"hidden": [width], "synthetic.inputs": width, "training.batch": 1, "synthetic.steps": 4}
        workload = Workload.named("synthetic", sizes)
        return Work(lambda: simulate(machine, workload, fidelity=fidelity, dense=False), 8 * width * width)

    return of


def _tiles(count: int, folder: Path) -> Work:
    """Return the work of a hundred steps of two layers of 512 neurons in the SRAM of so many tiles of `ipu_mk2`."""
    homes = dict.fromkeys(("placement.weights", "placement.gradients", "placement.tape"), "local")
    machine = Architecture.named("ipu_mk2", {"tiles.count": count, **homes})
    sizes = {"hidden": [512, 512], "synthetic.inputs": 64, "training.batch": 1, "synthetic.steps": 100}
    workload = Workload.named("synthetic", sizes)
    return Work(lambda: simulate(machine, workload, dense=False), count)


def _points(points: int, folder: Path) -> Work:
    """Return a sweep of so many analytic points of the 56 k LSTM, in this process."""
    from deltatrain.sim.sweep import sweep
    from deltatrain.sim.sweep.checks import checked_space

    vary: dict[str, Any] = {
        "machine.engine.lanes": {"low": 1, "high": 64},
        "machine.dma.bytes_per_cycle": {"low": 1, "high": 64},
        "machine.local.bytes": {"low": 65_536, "high": 1_048_576, "count": 200, "scale": "log"},
    }
    space = checked_space(
        {
            "name": "scaling",
            "workload": "synthetic",
            "fixed": {"workload.training.batch": 1},
            "vary": vary,
            "objectives": {"seconds": "minimise", "machine.local.bytes": "minimise"},
            "search": {"kind": "random", "points": points},
        }
    )
    return Work(lambda: sweep(space, folder / str(points), workers=1), points)


def _requests(trace_bytes: int, folder: Path) -> Work:
    """Return the replay of a trace file of so many bytes, requests anywhere in a DDR4-2400; the file is given."""
    part = DramPart.named("ddr4_2400")
    controller = DramController(bus_bits=part.usual_bus_bits)
    layout = AddressMap(part, controller)
    path = folder / f"{trace_bytes}.trace"
    (piece,) = generated("random", 1 << 16, layout.burst_bytes, layout.capacity_bytes)
    lines = "".join(f"0x{address:08X} READ\n" for address in piece.addresses.tolist())
    with path.open("w") as file:
        for start in range(0, trace_bytes, len(lines)):
            file.write(lines[: trace_bytes - start].rpartition("\n")[0] + "\n")
    return Work(lambda: replay(part, controller, recorded(path, layout.capacity_bytes)), path.stat().st_size)


AXES = {
    "steps, analytic": Axis(_steps("analytic", "remote"), 2),
    "steps, cycle, all in SRAM": Axis(_steps("cycle", "local"), 2),
    "steps, cycle, all in DRAM": Axis(_steps("cycle", "remote"), 2),
    "neurons, analytic": Axis(_width("analytic"), 8),
    "neurons, cycle": Axis(_width("cycle"), 8),
    "tiles, cycle": Axis(_tiles, 46),
    "points of a sweep": Axis(_points, 2),
    "bytes of a DRAM trace": Axis(_requests, 10_000),
}


def spent(work: Work) -> Spent:
    """Return what work took in this process."""
    started = time.process_time()
    try:
        work.run()
    except (ConfigError, MemoryError) as error:
        return Spent(0.0, 0, " ".join(str(error).split()))
    return Spent(time.process_time() - started, _peak_bytes())


def _peak_bytes() -> int:
    """Return the most memory that this process ever held: Linux's VmHWM, elsewhere ``ru_maxrss``."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss of Linux begins with what the parent held
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="ascii"))
        assert found is not None
        return 1024 * int(found[1])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    axis, size = AXES[sys.argv[1]], int(sys.argv[2])
    with scratch_folder("deltatrain-scaling-") as scratch:
        axis.work(axis.smallest, scratch).run()  # what is loaded is loaded, what is compiled is compiled
        work = axis.work(size, scratch)
        found = spent(work)._asdict()
    sys.stdout.write(json_text(found | {"amount": work.amount, "given_bytes": work.given_bytes}))
