"""The timetable of `accel.cells.lif`; a neuron has one slot in either direction.

Forward M is read first, as a loss may need its port in the cycle after; so the sum is made early:

    cycle           0     1     2     3     4     5     6     7     9
    read            u, I
    leak                        leaks
    current                           I, less the threshold where that is the reset
    multiplier 1                      decay*leaks
    state                                                     u
    h                                                         spike
    h is written                                                    spike

Between 7 and 9 spikes are counted, where lists have a cap (`rtl.elementwise.listed_cap`).

Backward u is the tape. The membrane gives the slope of its spike, and what leaks of g(M) waits for that; what comes of
both waits until no loss writes g(M) any more:

    cycle           0     2     3     5     6     8     9     12    19
    read            u, later          g_h
    membrane              slope ...
    multiplier 1                decay*later
    multiplier 0                                  g_h*slope
    g(M) is written                                                 g_u
"""

from deltatrain.rtl.elementwise.timetable import DECAY, Multiply, Neuron, Read, Timetable, Write

FORWARD = Timetable(
    (
        Read(0, "u_before", "state", "state"),
        Read(0, "I", "memory", "memory"),
        Neuron(2, "leaks", "u_before", "leak", "state"),
        Neuron(3, "current", "I", "current", "current"),
        Multiply(3, "u", "leaks", DECAY, "state", plus="current", on=1),
        Write(7, "u", "new_state", "state"),
        Neuron(7, "spike", "u", "spike", "activation"),
        Write(9, "spike", "new_h", "activation"),
    )
)

BACKWARD = Timetable(
    (
        Read(0, "u", "state", "state"),
        Neuron(2, "slope", "u", "membrane", "gate"),
        Read(0, "later", "gradient", "gradient"),
        Multiply(3, "leaks", "later", DECAY, None, on=1),
        Read(5, "g_h", "g_h", "gradient"),
        Multiply(8, "g_u", "g_h", "slope", "gradient", plus="leaks"),
        Write(19, "g_u", "new_gradient", "gradient"),
    )
)
