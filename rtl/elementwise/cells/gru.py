"""The timetable of `accel.cells.gru`; a neuron has four slots forward and six backward.

Forward, M comes in as r, z, nx, nh; the second table and the second multiplier work for the neuron before:

    cycle           0     1     2     3     4     5     6     7     8     9     10    11    12
    M is read       r     z     nx    nh
    table 0                     r     z
    multiplier 0                                  r*nh  z*h
    table 1                                                   n
    multiplier 1                                                                (1-z)*n
    tape                                                      r     z     nh    n
    state, h                                                                                h
"""

from deltatrain.rtl.elementwise.timetable import (
    ONE,
    Add,
    Difference,
    LookUp,
    Multiply,
    OneMinus,
    Read,
    Timetable,
    Write,
)

R, Z, NX, NH = range(4)  # blocks of M, and of g(M)
TAPE_R, TAPE_Z, TAPE_N, TAPE_NH = range(4)  # words of the tape; h_gate_before is read where the step before left it

FORWARD = Timetable(
    (
        Read(0, "M_r", "memory", "sigmoid_input", R),
        Read(1, "M_z", "memory", "sigmoid_input", Z),
        Read(2, "nx", "memory", "state", NX),
        Read(3, "nh", "memory", "state", NH),
        Read(4, "h_gate_before", "state", "gate"),
        LookUp(2, "r", "M_r"),
        LookUp(3, "z", "M_z"),
        Multiply(5, "candidate", "nh", "r", "tanh_input", plus="nx"),
        Multiply(6, "kept", "h_gate_before", "z", None),
        LookUp(7, "n", "candidate", table=1),
        Multiply(10, "h_gate", "n", OneMinus("z"), "gate", plus="kept", on=1),
        Write(7, "r", "new_tape", "gate", TAPE_R),
        Write(8, "z", "new_tape", "gate", TAPE_Z),
        Write(9, "nh", "new_tape", "state", TAPE_NH),
        Write(10, "n", "new_tape", "gate", TAPE_N),
        Write(12, "h_gate", "new_state", "gate"),
        Write(12, "h_gate", "new_h", "activation"),
    )
)

BACKWARD = Timetable(
    (
        Read(1, "n", "tape", "gate", TAPE_N),
        Read(2, "z", "tape", "gate", TAPE_Z),
        Read(4, "h_gate_before", "state", "gate"),
        Read(5, "r", "tape", "gate", TAPE_R),
        Read(6, "nh", "tape", "state", TAPE_NH),
        Read(5, "g_h", "g_h", "gradient"),
        Read(5, "carry", "carry", "gradient"),
        Add(7, "total", "g_h", "carry", "gradient"),
        Multiply(3, "slope_tanh", "n", "n", "gate", plus=ONE, minus=True),
        Multiply(4, "slope_sigmoid", "z", OneMinus("z"), "gate"),
        Multiply(5, "slope_nx", "slope_tanh", OneMinus("z"), "gate"),
        Multiply(6, "slope_z", Difference("h_gate_before", "n"), "slope_sigmoid", "gate"),
        Multiply(7, "slope_nh", "r", "slope_nx", "gate"),
        Multiply(8, "reset", "nh", OneMinus("r"), "state"),
        Multiply(8, "before", "total", "z", "gradient", on=1),
        Write(10, "before", "new_carry", "gradient"),
        Read(8, "later_z", "gradient", "gradient", Z),
        Multiply(9, "g_z", "total", "slope_z", "gradient", plus="later_z", on=1),
        Write(11, "g_z", "new_gradient", "gradient", Z),
        Multiply(10, "slope_r", "reset", "slope_nh", "state", on=1),
        Read(10, "later_nx", "gradient", "gradient", NX),
        Multiply(11, "g_nx", "total", "slope_nx", "gradient", plus="later_nx", on=1),
        Write(13, "g_nx", "new_gradient", "gradient", NX),
        Read(11, "later_r", "gradient", "gradient", R),
        Multiply(12, "g_r", "total", "slope_r", "gradient", plus="later_r", on=1),
        Write(14, "g_r", "new_gradient", "gradient", R),
        Read(12, "later_nh", "gradient", "gradient", NH),
        Multiply(13, "g_nh", "total", "slope_nh", "gradient", plus="later_nh", on=1),
        Write(15, "g_nh", "new_gradient", "gradient", NH),
    )
)
