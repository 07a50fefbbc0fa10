"""Family: one TOML file for each described machine, every number beside its source."""

from deltatrain.accel.family import TableFamily

MACHINES = TableFamily("deltatrain.accel.presets", "machine")
