"""Family: one TOML file for each DRAM part as the reordering controller sees it, every value beside its source."""

from accel.family import TableFamily

DRAM_PARTS = TableFamily("accel.dram_parts", "DRAM part")
