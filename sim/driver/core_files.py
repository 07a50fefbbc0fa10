"""The files of a core: its Verilog, its registers as texts, and a driver with a program."""

from __future__ import annotations

from deltatrain.accel.cell_arithmetic import name_of
from deltatrain.accel.errors import refuse
from deltatrain.rtl.bus.limits import core_limits
from deltatrain.rtl.bus.top import Top
from deltatrain.sim.driver.files import bus_files
from deltatrain.sim.driver.litex_module import litex_module
from deltatrain.sim.driver.packages import packages
from deltatrain.sim.driver.program_image import program_image
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.sim.gates.export.readable import readable
from deltatrain.sim.gates.export.verilog import verilog
from deltatrain.sim.gates.step import NumberedStep

__all__ = ["NAME", "core_files"]

NAME = "deltatrain_core"
"""Of the Verilog module, and of its file."""

README = f"""\
A tile of a machine as a core for a bus: {NAME}.v, module {NAME}, Verilog-2001.

aclk, aresetn  one clock; a synchronous reset, low for a cycle at least, which keeps the memories in the tile
m_axi_*        AXI4 to memory: incrementing bursts of whole beats, one identity, none crosses 4 KiB
s_axi_*        AXI4-Lite: the registers, 4 KiB
s_axis_*       AXI4-Stream: input vectors, where the register streams says so
m_axis_*       AXI4-Stream: what the network puts out, likewise
irq            high while an enabled end of a run is set

registers.md             every register; deltatrain.svd: the same for debuggers
deltatrain_registers.h   the same for C, deltatrain_registers.py for Python
deltatrain.h             the driver in C99, of all files deltatrain*.c
deltatrain_program.h     a program for batches of one shape, and where its memory is
deltatrain_inference.h   one that runs a sequence forward alone, as long as the longest of the batch

{NAME}.core     FuseSoC: fusesoc --cores-root . run --target lint {NAME}
{NAME}.tcl      Vivado: vivado -mode batch -source {NAME}.tcl packages an IP; written to UG1118, and not run
{NAME}_litex.py LiteX: from {NAME}_litex import add_deltatrain; add_deltatrain(soc), before the system is built

Tools infer the interfaces from the names. rtl/bus/README.md of the package tells the protocols and their timing.
"""


def core_files(step: NumberedStep) -> dict[str, bytes]:
    """Return the content of each file by name, for the machine and the shape of a step; no number of it matters.

    Raises
    ------
    ConfigError
        If the gates cannot be built for the machine, it is no core on a bus, or a tool is missing.
    """
    refuse(core_limits(step.architecture, step.network.optimiser.mode, spikes=not step.shape.encoder.HELD))
    shape = TrainingShape.of(step)
    image = program_image(shape)
    top = Top(architecture=step.architecture, cell=name_of(step.shape.arithmetic), sizes=image.sizes)
    alone = program_image(shape.forward(max(shape.lengths)), top.core.machine.tile)
    core = top.core
    beside = bus_files(core.facts, image, alone)
    texts = {f"{NAME}.v": readable(verilog(top, NAME)), **beside, **packages(NAME, beside)}
    texts |= litex_module(NAME, beat_bytes=core.beat_bytes, result_bytes=core.result_bytes)
    texts["README.txt"] = README
    return {name: text.encode() for name, text in texts.items()}
