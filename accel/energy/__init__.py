"""Family: one TOML file for each energy table, every row with its source."""

from deltatrain.accel.family import TableFamily

ENERGY_TABLES = TableFamily("deltatrain.accel.energy", "energy table")
