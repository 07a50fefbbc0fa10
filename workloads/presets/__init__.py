"""Named workloads, one TOML file each."""

from deltatrain.accel.family import TableFamily

PRESETS = TableFamily("deltatrain.workloads.presets", "workload")
