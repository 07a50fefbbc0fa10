"""The timetable of `accel.cells.gru`; a neuron has four slots forward and six backward.

Forward, M comes in as r, z, nx, nh; the second table and the second multiplier work for the neurons before. Backward,
gradients hang on gradients longer than two multipliers have time for: the last one has a third.

    cycle           0     1     2     3     4     7     11    12    13    14    15    19
    M is read       r     z     nx    nh
    table 0                           r     z
    multiplier 0                                  r*nh
    table 1                                             n
    multiplier 1                                                          z*h   (1-z)*n
    tape                                                      r     z     nh    n
    state, h                                                                          h
"""

from deltatrain.rtl.elementwise.timetable import (
    ONE,
    Add,
    Difference,
    LookUp,
    Multiply,
    Negative,
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
        Read(10, "h_gate_before", "state", "gate"),
        LookUp(3, "r", "M_r"),
        LookUp(4, "z", "M_z"),
        Multiply(7, "candidate", "nh", "r", "tanh_input", plus="nx"),
        LookUp(11, "n", "candidate", table=1),
        Multiply(14, "kept", "h_gate_before", "z", None, on=1),
        Multiply(15, "h_gate", "n", OneMinus("z"), "gate", plus="kept", on=1),
        Write(12, "r", "new_tape", "gate", TAPE_R),
        Write(13, "z", "new_tape", "gate", TAPE_Z),
        Write(14, "nh", "new_tape", "state", TAPE_NH),
        Write(15, "n", "new_tape", "gate", TAPE_N),
        Write(19, "h_gate", "new_state", "gate"),
        Write(19, "h_gate", "new_h", "activation"),
    )
)

BACKWARD = Timetable(
    (
        Read(2, "n", "tape", "gate", TAPE_N),
        Read(3, "z", "tape", "gate", TAPE_Z),
        Read(4, "r", "tape", "gate", TAPE_R),
        Read(5, "nh", "tape", "state", TAPE_NH),
        Read(7, "h_gate_before", "state", "gate"),
        Read(9, "g_h", "g_h", "gradient"),
        Read(10, "carry", "carry", "gradient"),
        Add(12, "total", "g_h", "carry", "gradient"),
        Multiply(4, "slope_tanh", "n", Negative("n"), "gate", plus=ONE),
        Multiply(5, "slope_sigmoid", "z", OneMinus("z"), "gate"),
        Multiply(7, "reset", "nh", OneMinus("r"), "state"),
        Multiply(8, "slope_nx", "slope_tanh", OneMinus("z"), "gate"),
        Multiply(9, "slope_z", Difference("h_gate_before", "n"), "slope_sigmoid", "gate"),
        Multiply(12, "slope_nh", "r", "slope_nx", "gate", on=1),
        Multiply(13, "before", "total", "z", "gradient", on=1),
        Write(17, "before", "new_carry", "gradient"),
        Read(12, "later_z", "gradient", "gradient", Z),
        Multiply(14, "g_z", "total", "slope_z", "gradient", plus="later_z", on=1),
        Write(20, "g_z", "new_gradient", "gradient", Z),
        Read(13, "later_nx", "gradient", "gradient", NX),
        Multiply(15, "g_nx", "total", "slope_nx", "gradient", plus="later_nx", on=1),
        Write(19, "g_nx", "new_gradient", "gradient", NX),
        Multiply(16, "slope_r", "reset", "slope_nh", "state", on=1),
        Read(15, "later_nh", "gradient", "gradient", NH),
        Multiply(17, "g_nh", "total", "slope_nh", "gradient", plus="later_nh", on=1),
        Write(21, "g_nh", "new_gradient", "gradient", NH),
        Read(17, "later_r", "gradient", "gradient", R),
        Multiply(20, "g_r", "total", "slope_r", "gradient", plus="later_r", on=2),
        Write(24, "g_r", "new_gradient", "gradient", R),
    )
)
