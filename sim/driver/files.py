"""What goes beside the Verilog of a machine on a bus: its registers and its driver, each as a text."""

from __future__ import annotations

from deltatrain.accel.bus.markdown import markdown
from deltatrain.accel.bus.python_names import python_names
from deltatrain.accel.bus.svd import svd
from deltatrain.sim.driver.c_program import c_driver_files, c_program
from deltatrain.sim.driver.program_image import ProgramImage

__all__ = ["bus_files"]


def bus_files(facts: dict[str, int], image: ProgramImage, alone: ProgramImage) -> dict[str, str]:
    """Return the texts by the names of their files.

    Parameters
    ----------
    facts
        What the machine's unchanging registers are (`rtl.bus.facts.facts`).
    image
        A program of the machine that trains.
    alone
        One that runs a sequence forward alone.
    """
    return {
        "registers.md": markdown(),
        "deltatrain.svd": svd(facts),
        "deltatrain_registers.py": python_names(),
        **c_driver_files(),
        "deltatrain_program.h": c_program(image),
        "deltatrain_inference.h": c_program(alone, "deltatrain_inference"),
    }
