"""A core as other tools' packages: a FuseSoC core file, and Tcl by which Vivado packages an IP."""

from __future__ import annotations

from collections.abc import Iterable

from deltatrain.accel.version import VERSION

__all__ = ["packages"]

_FUSESOC = """\
CAPI=2:
name: "::{name}:{version}"
description: A tile of a machine for training delta networks, with AXI4 to memory and AXI4-Lite registers

filesets:
  rtl:
    files: [{name}.v]
    file_type: verilogSource-2005
  driver:
    files:
{driver}
    file_type: user

targets:
  default:
    filesets: [rtl]
    toplevel: {name}
  lint:
    filesets: [rtl]
    toplevel: {name}
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wno-fatal]
"""

_VIVADO = """\
# Packages {name}.v as an IP for Vivado's IP catalogue:
#   vivado -mode batch -source {name}.tcl
# Written to UG1118 (Creating and Packaging Custom IP); it was not run, for want of Vivado.
set here [file normalize [file dirname [info script]]]
set root [file join $here ip]
file mkdir $root
file copy -force [file join $here {name}.v] $root

create_project -in_memory
add_files [file join $root {name}.v]
set_property top {name} [current_fileset]
ipx::package_project -root_dir $root -vendor user -library user -taxonomy /UserIP -force

set core [ipx::current_core]
set_property name {name} $core
set_property version {version} $core
set_property display_name {{Deltatrain core}} $core
set_property description {{A tile of a machine for training delta networks}} $core

# Names tell the interfaces; where they do not, it is said here. All belong to aclk, and aresetn is low when active.
foreach {{bus kind}} {{m_axi aximm s_axi aximm s_axis axis m_axis axis}} {{
  if {{[llength [ipx::get_bus_interfaces $bus -of_objects $core]] == 0}} {{
    ipx::infer_bus_interface $bus xilinx.com:interface:${{kind}}_rtl:1.0 $core
  }}
  ipx::associate_bus_interfaces -busif $bus -clock aclk $core
}}
ipx::associate_bus_interfaces -clock aclk -reset aresetn $core
ipx::infer_bus_interface irq xilinx.com:signal:interrupt_rtl:1.0 $core

ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
"""


def packages(name: str, beside: Iterable[str]) -> dict[str, str]:
    """Return the text of each file by name, for a core whose Verilog is module `name` in ``NAME.v``.

    Parameters
    ----------
    name
        Of the Verilog module.
    beside
        Names of the files of its registers and of its driver, which software takes.
    """
    included = {file: ": {is_include_file: true}" if file.endswith(".h") else "" for file in beside}
    driver = "\n".join(f"      - {file}{marks}" for file, marks in included.items())
    facts = {"name": name, "version": VERSION}
    return {f"{name}.core": _FUSESOC.format(**facts, driver=driver), f"{name}.tcl": _VIVADO.format(**facts)}
