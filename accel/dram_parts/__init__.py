"""Family: one TOML file for each DRAM part as the reordering controller sees it, every value beside its source."""

from deltatrain.accel.family import TableFamily

DRAM_PARTS = TableFamily("deltatrain.accel.dram_parts", "DRAM part")
