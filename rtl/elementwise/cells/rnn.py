"""The timetable of `accel.cells.rnn`; a neuron has one slot in either direction."""

from deltatrain.rtl.elementwise.timetable import ONE, LookUp, Multiply, Read, Timetable, Write

FORWARD = Timetable(
    (
        Read(0, "M", "memory", "tanh_input"),
        LookUp(2, "h_gate", "M"),
        Write(5, "h_gate", "new_tape", "gate"),
        Write(5, "h_gate", "new_h", "activation"),
    )
)

BACKWARD = Timetable(
    (
        Read(4, "h_gate", "tape", "gate"),
        Multiply(6, "slope", "h_gate", "h_gate", "gate", plus=ONE, minus=True),
        Read(6, "g_h", "g_h", "gradient"),
        Read(7, "later", "gradient", "gradient"),
        Multiply(8, "g", "g_h", "slope", "gradient", plus="later", on=1),
        Write(10, "g", "new_gradient", "gradient"),
    )
)
