"""What a run uses, in joules, and what a machine takes, in square millimetres: counts times rows of a table."""
