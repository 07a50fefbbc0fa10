"""The timetable of `accel.cells.lstm`; a neuron has five slots forward and eight backward.

Forward, M comes in as f, i, g, o; the second table and the second multiplier work for the neuron before:

    cycle           0     1     2     3     4     5     6     7     8     9     10    11    12    13    14
    M is read       f     i     g     o
    table 0                     f     i     g     o
    multiplier 0                                  f*c         i*g
    table 1                                                               tanh_c
    multiplier 1                                                                            o*tanh_c
    tape                                                            f     i     g     o     tanh_c
    state, h                                                              c                             h
"""

from deltatrain.rtl.elementwise.timetable import ONE, LookUp, Multiply, OneMinus, Read, Timetable, Write

I, F, G, O = range(4)  # noqa: E741 - blocks of M, and of g(M), by the names of the field
TAPE_I, TAPE_F, TAPE_G, TAPE_O, TAPE_TANH_C = range(5)  # c_before is read where the step before left it

FORWARD = Timetable(
    (
        Read(0, "M_f", "memory", "sigmoid_input", F),
        Read(1, "M_i", "memory", "sigmoid_input", I),
        Read(2, "M_g", "memory", "tanh_input", G),
        Read(3, "M_o", "memory", "sigmoid_input", O),
        Read(3, "c_before", "state", "state"),
        LookUp(2, "f", "M_f"),
        LookUp(3, "i", "M_i"),
        LookUp(4, "g", "M_g"),
        LookUp(5, "o", "M_o"),
        Multiply(5, "kept", "c_before", "f", None),
        Multiply(7, "c", "i", "g", "state", plus="kept"),
        LookUp(9, "tanh_c", "c", table=1),
        Multiply(12, "h", "o", "tanh_c", "activation", on=1),
        Write(8, "f", "new_tape", "gate", TAPE_F),
        Write(9, "i", "new_tape", "gate", TAPE_I),
        Write(10, "g", "new_tape", "gate", TAPE_G),
        Write(11, "o", "new_tape", "gate", TAPE_O),
        Write(12, "tanh_c", "new_tape", "gate", TAPE_TANH_C),
        Write(9, "c", "new_state", "state"),
        Write(14, "h", "new_h", "activation"),
    )
)

BACKWARD = Timetable(
    (
        Read(1, "tanh_c", "tape", "gate", TAPE_TANH_C),
        Read(2, "i", "tape", "gate", TAPE_I),
        Read(3, "o", "tape", "gate", TAPE_O),
        Read(4, "g", "tape", "gate", TAPE_G),
        Read(7, "f", "tape", "gate", TAPE_F),
        Read(5, "g_h", "g_h", "gradient"),
        Read(6, "carry", "carry", "gradient"),
        Read(9, "c_before", "state", "state"),
        Multiply(3, "slope_tanh_c", "tanh_c", "tanh_c", "gate", plus=ONE, minus=True),
        Multiply(4, "sigmoid_i", "i", OneMinus("i"), "gate"),
        Multiply(5, "slope_c", "o", "slope_tanh_c", "gate"),
        Multiply(6, "slope_i", "g", "sigmoid_i", "gate"),
        Multiply(7, "g_c", "g_h", "slope_c", "gradient", plus="carry"),
        Multiply(8, "tanh_g", "g", "g", "gate", plus=ONE, minus=True),
        Multiply(9, "sigmoid_f", "f", OneMinus("f"), "gate"),
        Multiply(10, "slope_g", "i", "tanh_g", "gate"),
        Multiply(8, "sigmoid_o", "o", OneMinus("o"), "gate", on=1),
        Read(8, "later_i", "gradient", "gradient", I),
        Multiply(9, "g_i", "g_c", "slope_i", "gradient", plus="later_i", on=1),
        Write(11, "g_i", "new_gradient", "gradient", I),
        Multiply(10, "slope_o", "tanh_c", "sigmoid_o", "gate", on=1),
        Multiply(11, "slope_f", "c_before", "sigmoid_f", "state", on=1),
        Read(11, "later_g", "gradient", "gradient", G),
        Multiply(12, "g_g", "g_c", "slope_g", "gradient", plus="later_g", on=1),
        Write(14, "g_g", "new_gradient", "gradient", G),
        Read(12, "later_f", "gradient", "gradient", F),
        Multiply(13, "g_f", "g_c", "slope_f", "gradient", plus="later_f", on=1),
        Write(15, "g_f", "new_gradient", "gradient", F),
        Read(13, "later_o", "gradient", "gradient", O),
        Multiply(14, "g_o", "g_h", "slope_o", "gradient", plus="later_o", on=1),
        Write(16, "g_o", "new_gradient", "gradient", O),
        Multiply(15, "before", "g_c", "f", "gradient", on=1),
        Write(17, "before", "new_carry", "gradient"),
    )
)
