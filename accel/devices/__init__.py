"""Family: one TOML file for each memory without banks; DRAM parts are in `accel.dram_parts`."""

from accel.family import TableFamily

DEVICES = TableFamily("accel.devices", "memory device")
