"""Family: one TOML file for each memory without banks; DRAM parts are in `accel.dram_parts`."""

from deltatrain.accel.family import TableFamily

DEVICES = TableFamily("deltatrain.accel.devices", "memory device")
