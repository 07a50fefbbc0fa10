"""The timetable of `accel.cells.lstm`; a neuron has five slots forward and eight backward.

Forward, M comes in as f, i, g, o; the second table and the second multiplier work for the neurons before:

    cycle           0     1     2     3     4     5     6     7     8     9     13    14    15    16    17    21
    M is read       f     i     g     o
    table 0                           f     i     g     o
    multiplier 0                                              f*c         i*g
    table 1                                                                     tanh_c
    multiplier 1                                                                                        o*tanh_c
    tape                                                                        f     i     g     o     tanh_c
    state, h                                                                    c                             h
"""

from deltatrain.rtl.elementwise.timetable import ONE, LookUp, Multiply, Negative, OneMinus, Read, Timetable, Write

I, F, G, O = range(4)  # noqa: E741 - blocks of M, and of g(M), by the names of the field
TAPE_I, TAPE_F, TAPE_G, TAPE_O, TAPE_TANH_C = range(5)  # c_before is read where the step before left it

FORWARD = Timetable(
    (
        Read(0, "M_f", "memory", "sigmoid_input", F),
        Read(1, "M_i", "memory", "sigmoid_input", I),
        Read(2, "M_g", "memory", "tanh_input", G),
        Read(3, "M_o", "memory", "sigmoid_input", O),
        Read(5, "c_before", "state", "state"),
        LookUp(3, "f", "M_f"),
        LookUp(4, "i", "M_i"),
        LookUp(5, "g", "M_g"),
        LookUp(6, "o", "M_o"),
        Multiply(7, "kept", "c_before", "f", None),
        Multiply(9, "c", "i", "g", "state", plus="kept"),
        LookUp(13, "tanh_c", "c", table=1),
        Multiply(17, "h", "o", "tanh_c", "activation", on=1),
        Write(13, "f", "new_tape", "gate", TAPE_F),
        Write(14, "i", "new_tape", "gate", TAPE_I),
        Write(15, "g", "new_tape", "gate", TAPE_G),
        Write(16, "o", "new_tape", "gate", TAPE_O),
        Write(17, "tanh_c", "new_tape", "gate", TAPE_TANH_C),
        Write(13, "c", "new_state", "state"),
        Write(21, "h", "new_h", "activation"),
    )
)

BACKWARD = Timetable(
    (
        Read(3, "tanh_c", "tape", "gate", TAPE_TANH_C),
        Read(4, "o", "tape", "gate", TAPE_O),
        Read(5, "i", "tape", "gate", TAPE_I),
        Read(6, "g", "tape", "gate", TAPE_G),
        Read(10, "f", "tape", "gate", TAPE_F),
        Read(10, "g_h", "g_h", "gradient"),
        Read(12, "carry", "carry", "gradient"),
        Read(12, "c_before", "state", "state"),
        Multiply(5, "slope_tanh_c", "tanh_c", Negative("tanh_c"), "gate", plus=ONE),
        Multiply(6, "sigmoid_o", "o", OneMinus("o"), "gate"),
        Multiply(7, "sigmoid_i", "i", OneMinus("i"), "gate"),
        Multiply(8, "tanh_g", "g", Negative("g"), "gate", plus=ONE),
        Multiply(9, "slope_c", "o", "slope_tanh_c", "gate"),
        Multiply(10, "slope_o", "tanh_c", "sigmoid_o", "gate"),
        Multiply(11, "slope_i", "g", "sigmoid_i", "gate"),
        Multiply(12, "sigmoid_f", "f", OneMinus("f"), "gate"),
        Multiply(13, "g_c", "g_h", "slope_c", "gradient", plus="carry", on=1),
        Multiply(14, "slope_g", "i", "tanh_g", "gate", on=1),
        Read(13, "later_o", "gradient", "gradient", O),
        Multiply(15, "g_o", "g_h", "slope_o", "gradient", plus="later_o", on=1),
        Write(19, "g_o", "new_gradient", "gradient", O),
        Multiply(16, "slope_f", "c_before", "sigmoid_f", "state", on=1),
        Read(15, "later_i", "gradient", "gradient", I),
        Multiply(17, "g_i", "g_c", "slope_i", "gradient", plus="later_i", on=1),
        Write(21, "g_i", "new_gradient", "gradient", I),
        Read(16, "later_g", "gradient", "gradient", G),
        Multiply(18, "g_g", "g_c", "slope_g", "gradient", plus="later_g", on=1),
        Write(22, "g_g", "new_gradient", "gradient", G),
        Multiply(19, "before", "g_c", "f", "gradient", on=1),
        Write(23, "before", "new_carry", "gradient"),
        Read(18, "later_f", "gradient", "gradient", F),
        Multiply(20, "g_f", "g_c", "slope_f", "gradient", plus="later_f", on=1),
        Write(24, "g_f", "new_gradient", "gradient", F),
    )
)
