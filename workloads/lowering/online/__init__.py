"""Programs of online learning rules: each step is run forward, and learned from at once; nothing is kept of it.

Of the past the weights know what running traces tell (`accel.modes.trace`). So there is no tape, and no pass backward:
local memory holds the state of one step and a trace for each element that a matrix is multiplied with, whatever T is.
In return every step reads and writes the columns of dW of all that has ever spiked in its sample, not of what spikes.
"""
