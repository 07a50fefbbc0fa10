"""Family: one TOML file for each design space that comes with the project."""

from deltatrain.accel.family import TableFamily

SPACES = TableFamily("deltatrain.sim.sweep.spaces", "space")
