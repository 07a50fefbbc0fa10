"""Family: one TOML file for each design space that comes with the project."""

from accel.family import TableFamily

SPACES = TableFamily("sim.sweep.spaces", "space")
