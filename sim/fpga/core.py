"""The core, a tile behind AXI, in the wrapper that the tile alone is measured in."""

from __future__ import annotations

from amaranth.hdl import Shape
from amaranth.lib.wiring import In

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cell_arithmetic import name_of
from deltatrain.rtl.bus.core import Core
from deltatrain.sim.driver.program_image import program_image
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.sim.fpga.wrapper import INSTANCE, PortBits, wrapper
from deltatrain.sim.gates.export.verilog import verilog
from deltatrain.sim.gates.recorded_step import recorded_step
from deltatrain.sim.run import chosen, synthetic_trace
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload

__all__ = ["core_in_wrapper"]


def core_in_wrapper(machine: Architecture, workload: Workload | Trace) -> tuple[str, PortBits]:
    """Return the Verilog of the core in its wrapper, and the bits of the core's ports; its tile counts no cycles."""
    trace = workload if isinstance(workload, Trace) else synthetic_trace(workload)
    step = recorded_step(machine, trace, chosen(trace, -1), 0)
    sizes = program_image(TrainingShape.of(step)).sizes._replace(uncounted=1)
    core = Core(architecture=machine, cell=name_of(step.shape.arithmetic), sizes=sizes)
    inputs, outputs = dict[str, int](), dict[str, int]()
    for path, member, _ in core.signature.flatten(core):
        widths = inputs if member.flow == In else outputs
        widths["__".join(map(str, path))] = Shape.cast(member.shape).width
    bits = PortBits(inputs, outputs)
    return verilog(core, INSTANCE) + wrapper(bits), bits
