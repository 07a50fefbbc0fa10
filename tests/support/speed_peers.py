"""Other simulators on the same work, where a user has them: by their published commands, in CPU seconds of the process.

DRAMsim3 (umd-memsys/DRAMsim3) is `dramsim3main` on PATH, in the `build` folder of its clone or in the clone itself.
SCALE-Sim (scalesim-project/SCALE-Sim) is installed from its clone with ``pip install -e``, for the `python3` on PATH.
Both need their clone, for the configurations in it.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from deltatrain.sim.dram.requests import Requests

DRAMSIM3_CONFIG = Path("configs") / "DDR4_8Gb_x8_2400.ini"
SCALESIM_CONFIG = Path("configs") / "scale.cfg"


class NotHereError(Exception):
    """The peer is not installed; the message says what would be used."""


def dramsim3_seconds(requests: Iterable[Requests], cycles: int, folder: Path) -> float:
    """Return what DRAMsim3 takes for a trace and so many clocks; its files go to `folder`."""
    program = shutil.which("dramsim3main")
    if program is None:
        raise NotHereError("DRAMsim3 is not here: no dramsim3main on PATH")
    clones = Path(program).resolve().parents[:2]
    config = next((clone / DRAMSIM3_CONFIG for clone in clones if (clone / DRAMSIM3_CONFIG).is_file()), None)
    if config is None:
        raise NotHereError(f"{program} is not in a clone of DRAMsim3: no {DRAMSIM3_CONFIG} beside it")
    trace = folder / "requests.trace"
    with trace.open("w") as file:
        for piece in requests:
            for address, write in zip(piece.addresses.tolist(), piece.writes.tolist(), strict=True):
                file.write(f"0x{address:X} {'WRITE' if write else 'READ'} 0\n")
    return _child_seconds([program, str(config), "-c", str(cycles), "-t", str(trace), "-o", str(folder)], folder)


def scalesim_seconds(products: Iterable[tuple[int, int, int]], folder: Path) -> float:
    """Return what SCALE-Sim takes for matrix products of M x K by K x N, given as (M, N, K)."""
    where = 'import scalesim, pathlib; print(pathlib.Path(scalesim.__path__[0]).resolve().parent, end="")'
    try:
        asked = subprocess.run(["python3", "-c", where], capture_output=True, text=True, cwd=folder)
    except OSError:
        raise NotHereError("SCALE-Sim is not here: no python3 on PATH") from None
    if asked.returncode:
        raise NotHereError("SCALE-Sim is not here: the python3 on PATH has no module scalesim")
    clone = Path(asked.stdout)
    if not (clone / SCALESIM_CONFIG).is_file():
        raise NotHereError(f"SCALE-Sim is not installed from its clone: no {SCALESIM_CONFIG} in {clone}")
    topology = folder / "products.csv"
    lines = [f"product{number}, {m}, {n}, {k}," for number, (m, n, k) in enumerate(products)]
    topology.write_text("\n".join(["Layer, M, N, K,", *lines]) + "\n")
    words = ["python3", "-m", "scalesim.scale", "-c", str(SCALESIM_CONFIG), "-t", str(topology), "-p", str(folder)]
    return _child_seconds([*words, "-i", "gemm"], clone)


def _child_seconds(command: list[str], folder: Path) -> float:
    before = _spent_by_children()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    return _spent_by_children() - before


def _spent_by_children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
