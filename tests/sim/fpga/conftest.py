"""Stubs of the tools: scripts on PATH that write what the real ones wrote for `recorded/counter.v`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deltatrain.sim.fpga.wrapper import PortBits

RECORDED = Path(__file__).parent / "recorded"
COUNTER = RECORDED / "counter.v"
COUNTER_PORTS = PortBits({"go": 1}, {"a": 8, "b": 8})

STUB = """\
#!{python}
import json, os, shutil, signal, sys, time
from pathlib import Path

tool, words = Path(sys.argv[0]).name, sys.argv[1:]
if words in (["-V"], ["--version"]):
    print(tool, "version", os.environ.get("STUB_VERSION", "1"))
    sys.exit()

def after(option):
    return words[words.index(option) + 1]

seed = int(after("--seed")) if "--seed" in words else 0
with open({log!r}, "a") as log:
    print(tool, seed, os.getpid(), file=log)
if os.environ.get("STUB_FAILS") == tool:
    print("Info: something")
    sys.exit("ERROR: Unable to place cell 'x', no BELs remaining")
if os.environ.get("STUB_KILLED") == tool:
    os.kill(os.getpid(), signal.SIGKILL)
if seed in json.loads(os.environ.get("STUB_UNROUTED", "[]")):
    print("ERROR: Failed to route arc 0 of net 'n'.")
    sys.exit("ERROR: Routing design failed.")
time.sleep(float(os.environ.get("STUB_SECONDS", "0")))
if seed in json.loads(os.environ.get("STUB_HANGS", "[]")):
    if seed == int(os.environ["STUB_INTERRUPTS"]):
        os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)
if tool == "yosys":
    shutil.copy({recorded!r} + "/netlist.json", "fpga_top.json")
elif tool == "ecppack":
    Path(words[-1]).write_bytes(b"bits of " + Path(words[-2]).read_bytes())
else:
    report = json.loads(Path({recorded!r}, "report.json").read_text())
    for clock in report["fmax"].values():
        clock["achieved"] = {{1: 40.0, 2: 60.0, 3: 50.0}}[seed]
    Path(after("--report")).write_text(json.dumps(report))
    if "--textcfg" in words:
        Path(after("--textcfg")).write_text(f"seed {{seed}}")
    else:
        told = dict(word.split("=") for option, word in zip(words, words[1:]) if option == "-o")
        Path(told["fasm"]).write_text(Path(told["xdc"]).read_text() + after("--device"))
"""


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the flow take a counter for any machine's tile, and an empty cache folder."""
    monkeypatch.setattr(
        "deltatrain.sim.fpga.run.tile_in_wrapper", lambda machine, what: (COUNTER.read_text(), COUNTER_PORTS)
    )
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def stubs(counter: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], list[tuple[str, int, int]]]:
    """Put stubs on PATH; the result tells what ran: tool, seed and process."""
    folder, log = tmp_path / "bin", tmp_path / "ran.txt"
    folder.mkdir()
    for name in ("yosys", "nextpnr-ecp5", "ecppack", "nextpnr-himbaechel-xilinx"):
        stub = folder / name
        stub.write_text(STUB.format(python=sys.executable, log=str(log), recorded=str(RECORDED)))
        stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr("deltatrain.sim.fpga.run.cores", lambda: 2)

    def ran() -> list[tuple[str, int, int]]:
        lines = log.read_text().splitlines() if log.exists() else []
        return [(tool, int(seed), int(process)) for tool, seed, process in map(str.split, lines)]

    return ran
