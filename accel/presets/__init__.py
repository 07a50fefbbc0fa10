"""Family: one TOML file for each described machine, every number beside its source."""

from accel.family import TableFamily

MACHINES = TableFamily("accel.presets", "machine")
