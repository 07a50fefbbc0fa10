"""The timetable of `accel.cells.rnn`; a neuron has one slot in either direction."""

from deltatrain.rtl.elementwise.timetable import ONE, LookUp, Multiply, Negative, Read, Timetable, Write

FORWARD = Timetable(
    (
        Read(0, "M", "memory", "tanh_input"),
        LookUp(3, "h_gate", "M"),
        Write(7, "h_gate", "new_tape", "gate"),
        Write(7, "h_gate", "new_h", "activation"),
    )
)

BACKWARD = Timetable(
    (
        Read(9, "h_gate", "tape", "gate"),
        Multiply(11, "slope", "h_gate", Negative("h_gate"), "gate", plus=ONE),
        Read(12, "g_h", "g_h", "gradient"),
        Read(13, "later", "gradient", "gradient"),
        Multiply(15, "g", "g_h", "slope", "gradient", plus="later", on=1),
        Write(19, "g", "new_gradient", "gradient"),
    )
)
