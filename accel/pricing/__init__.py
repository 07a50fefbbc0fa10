"""The energy of a run, in joules, and the area of a machine, in square millimetres: counts times rows of a table."""
