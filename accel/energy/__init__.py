"""Family: one TOML file for each energy table, every row with its source."""

from accel.family import TableFamily

ENERGY_TABLES = TableFamily("accel.energy", "energy table")
