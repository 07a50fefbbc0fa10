"""Family: one TOML file for each memory device, every value beside its source."""

from accel.family import TableFamily

DEVICES = TableFamily("accel.devices", "memory device")
