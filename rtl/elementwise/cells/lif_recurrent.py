"""The timetable of `accel.cells.lif_recurrent`: a neuron's own work is that of `lif`."""

from deltatrain.rtl.elementwise.cells.lif import BACKWARD, FORWARD

__all__ = ["BACKWARD", "FORWARD"]
