"""Named workloads, one TOML file each."""

from accel.family import TableFamily

PRESETS = TableFamily("workloads.presets", "workload")
